"""Both sides of every subject: `make(case)` gives a function that does one unit of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from case import CLASSES, Case
from ddbench_methods.dc import Dc, DcConfig
from ddbench_methods.dm import DistributionMatching, DmConfig
from ddbench_methods.mtt import TrajectoryMatching
from ddbench_methods.mtt_config import MttConfig
from ddbench_methods.mtt_experts import expert_weights
from plain import matching as plain
from plain import training as plain_training
from plain.net import ConvNet
from torch import Generator, Tensor

from ddbench import registry
from ddbench.data import Data
from ddbench.distill.prepare import Preparation
from ddbench.distill.space import SignalSpace
from ddbench.distill.task import Matching, Streams
from ddbench.evaluate.schedule import equal_epochs
from ddbench.evaluate.scoring import correct
from ddbench.evaluate.streams import StudentStreams
from ddbench.evaluate.students import Lesson, train_students
from ddbench.evaluate.trainingset import TensorSet
from ddbench.interfaces.codec import Codec, Codes, Target
from ddbench.interfaces.dataset import DatasetCard, Split
from ddbench.interfaces.network import Network, fresh
from ddbench.interfaces.signal import SignalSpec
from ddbench.spec.cell import Training

Work = Callable[[], Any]


@dataclass(frozen=True)
class Ground:
    """Random data of a case: enough real items of each class, of normal noise around the class's index."""

    case: Case

    @property
    def device(self) -> torch.device:
        return torch.device(self.case.device)

    def images(self, of_class: int, seed: int) -> tuple[Tensor, Tensor]:
        y = torch.arange(CLASSES).repeat_interleave(of_class)
        x = torch.randn(len(y), *self.case.shape, generator=Generator().manual_seed(seed))
        return x + 0.1 * y.reshape(-1, 1, 1, 1), y

    def data(self) -> Data:
        case = self.case
        real = case.images // CLASSES if case.subject == "experts" else max(case.n, 2 * case.real_batch)
        train, test = Split(*self.images(max(1, real), 1)), Split(*self.images(max(1, case.images // CLASSES), 2))
        channels = case.channels
        signal = SignalSpec(case.shape, (0.0,) * channels, (1.0,) * channels, augmentation=case.strategy)
        names = tuple(str(k) for k in range(CLASSES))
        n, m = len(train), len(test)
        return Data(
            DatasetCard("random", "random-1", signal, names, n, m, "none", real, 4 * prod(case.shape)), train, test
        )

    @property
    def network(self) -> Network:
        return registry.build("network", "auto", {"width": self.case.width})

    def items(self) -> Tensor:
        return self.images(self.case.n, 3)[0].to(self.device)

    def plain_net(self) -> ConvNet:
        return ConvNet(self.case.shape, CLASSES, self.case.width).to(self.device)

    def way(self, size: int) -> tuple[Tensor, Tensor]:
        """Where a student starts and where it should arrive: made-up weights of an expert, an epoch apart."""
        model = fresh(self.network, self.case.shape, CLASSES, 0, "cpu")
        start = torch.cat([p.detach().flatten() for p in model.parameters()])
        return start, start + 0.01 * torch.randn(size, generator=Generator().manual_seed(4))

    def task(self) -> Matching:
        data, device, y = self.data(), self.device, torch.arange(CLASSES).repeat_interleave(self.case.n)
        codec = identity(data)
        codes: Codes = {codec.leaves()[0].name: self.items()}
        extra = ()
        if self.case.subject == "mtt":
            matcher = TrajectoryMatching(self.mtt())
            extra = matcher.extra_leaves(CLASSES)
            codes |= matcher.initial_extra(len(y), CLASSES)
        space = SignalSpace(data, codec, device)
        streams = Streams(data.card.revision, self.case.seed)
        return Matching.start(data, space, self.network, streams, codes, codec.leaves(), extra, y, device)

    def mtt(self) -> MttConfig:
        given = {"syn_steps": self.case.steps, "differentiate": self.case.how, "max_start": 1, "expert_epochs": 1}
        return MttConfig.model_validate({**given, "experts": self.case.nets, "expert_epochs_total": self.case.steps})


def identity(data: Data) -> Codec:
    return registry.build("codec", "identity", {}, Target(data.card.signal, CLASSES, 2**40))


def ddbench_matching(case: Case) -> Work:
    """Updates of the distillation: loss and gradient by the framework's task."""
    ground = Ground(case)
    task = ground.task()
    if case.subject == "mtt":
        matcher = TrajectoryMatching(ground.mtt())
        model = fresh(ground.network, case.shape, CLASSES, 0, "cpu")
        task.prepared = {"experts": torch.stack(ground.way(sum(p.numel() for p in model.parameters())))[None]}
    elif case.subject == "dm":
        matcher = DistributionMatching(DmConfig.model_validate({"real_batch": case.real_batch}))
    else:
        matcher = Dc(DcConfig.model_validate({"real_batch": case.real_batch, "inner": 0}))
    state: dict[str, Tensor] = {}
    steps = iter(range(10**9))

    def work() -> tuple[Tensor, dict[str, Tensor]]:
        task.begin(next(steps))
        loss = matcher.loss(task, state)
        task.backward(loss)
        return loss.detach(), {n: p.grad for n, p in task.params.items() if p.grad is not None}

    return work


def plain_matching(case: Case) -> Work:
    ground = Ground(case)
    data, items = ground.data(), ground.items().requires_grad_()
    labels = torch.arange(CLASSES, device=ground.device).repeat_interleave(case.n)
    of_class = [data.signals(m).to(ground.device) for m in data.members]
    alpha = torch.tensor(0.001, device=ground.device, requires_grad=True)
    start, target = (w.to(ground.device) for w in ground.way(sum(p.numel() for p in ground.plain_net().parameters())))
    steps = iter(range(10**9))

    def work() -> tuple[Tensor, Tensor]:
        net, seed = ground.plain_net(), next(steps)
        if case.subject == "mtt":
            loss = plain.mtt_loss(net, start, target, items, labels, alpha, case.steps, case.strategy, seed)
        else:
            draws = [torch.randperm(len(x))[: case.real_batch] for x in of_class]
            real = [x[i.to(x.device)] for x, i in zip(of_class, draws)]
            by = plain.dm_loss if case.subject == "dm" else plain.dc_loss
            loss = by(net, real, items, case.strategy, seed)
        items.grad = alpha.grad = None
        loss.backward()
        assert items.grad is not None
        return loss.detach(), items.grad

    return work


def ddbench_experts(case: Case) -> Work:
    ground = Ground(case)
    data = ground.data()
    space = SignalSpace(data, identity(data), ground.device)
    task = Preparation(data, space, ground.network, {"benchmark": case.seed}, on_disk=False)
    return lambda: expert_weights(task, ground.mtt())


def plain_experts(case: Case) -> Work:
    ground = Ground(case)
    data = ground.data()
    x, y = (t.to(ground.device) for t in (data.train.signals, data.train.labels))

    def work() -> list[list[list[Tensor]]]:
        found = []
        for expert in range(case.nets):
            net = ground.plain_net()
            way = [[p.detach().cpu().clone() for p in net.parameters()]]
            for epoch in range(case.steps):
                plain_training.train(net, x, y, 1, 256, 0.01, case.strategy, 100 * expert + epoch)
                way.append([p.detach().cpu().clone() for p in net.parameters()])
            found.append(way)
        return found

    return work


def ddbench_students(case: Case) -> Work:
    ground = Ground(case)
    train = TensorSet(*ground.images(case.n, 3)).to(ground.device)
    training = Training.model_validate({"epochs": case.steps, "schedule": "constant"})
    lesson = Lesson(
        train, training, equal_epochs(training, len(train)), StudentStreams("random", "1", case.seed, "auto"),
        case.strategy,
    )  # fmt: skip
    return lambda: train_students(ground.network, CLASSES, lesson, range(case.nets), device=case.device)


def plain_students(case: Case) -> Work:
    ground = Ground(case)
    x, y = (t.to(ground.device) for t in ground.images(case.n, 3))

    def work() -> list[float]:
        nets = [ground.plain_net() for _ in range(case.nets)]
        return [
            plain_training.train(net, x, y, case.steps, 256, 0.01, case.strategy, i, 0.9, 5e-4)
            for i, net in enumerate(nets)
        ]

    return work


def ddbench_test(case: Case) -> Work:
    ground = Ground(case)
    data = ground.data()
    models = [fresh(ground.network, case.shape, CLASSES, i, ground.device) for i in range(case.nets)]
    return lambda: correct(models, data.held_out, data.card.signal, device=case.device)


def plain_test(case: Case) -> Work:
    ground = Ground(case)
    x, y = (t.to(ground.device) for t in ground.images(case.images // CLASSES, 2))
    nets = [ground.plain_net() for _ in range(case.nets)]
    return lambda: [plain_training.test(net, x, y, 256) for net in nets]


MAKERS: dict[str, dict[str, Callable[[Case], Work]]] = {
    **{s: {"plain": plain_matching, "ddbench": ddbench_matching} for s in ("dm", "dc", "mtt")},
    "experts": {"plain": plain_experts, "ddbench": ddbench_experts},
    "students": {"plain": plain_students, "ddbench": ddbench_students},
    "test": {"plain": plain_test, "ddbench": ddbench_test},
}


def make(side: str, case: Case) -> Work:
    if case.subject in MAKERS:
        return MAKERS[case.subject][side](case)
    import deep

    return deep.MAKERS[case.subject][side](case)
