"""What the method contract is checked on: small made-up data, a codec that stores signals as they are, a task."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench import registry
from ddbench.augment.families import FAMILIES
from ddbench.budget import Budget
from ddbench.data import Data, load
from ddbench.distill.build import prepare_task
from ddbench.distill.loop import Progress, learn
from ddbench.distill.prepare import Preparation
from ddbench.distill.space import MatchSpace, match_space
from ddbench.distill.task import Matching, Selection, Streams
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.method import Matcher, Space
from ddbench.interfaces.network import Network, measures
from ddbench.interfaces.room import Room
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Leaf

CLASS_SIZES = (7, 12, 9)
N_CLASSES = len(CLASS_SIZES)
ITEMS_PER_CLASS = 2
SEED = 3
WIDTH = 8


class MadeUp(Dataset):
    """Signals of any shape: a smooth pattern a class, and noise. Classes differ in size, labels come in no order."""

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "made up for contract tests"

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def card(self) -> DatasetCard:
        # Every augmentation that has a meaning on the shape, so that methods meet it.
        strategy = "_".join(name for name, family in FAMILIES.items() if len(self.shape) - 1 in family.axes)
        c = self.shape[0]
        signal = SignalSpec(self.shape, (0.5,) * c, (0.25,) * c, augmentation=strategy)
        size_bytes = 4 * torch.Size(self.shape).numel()
        names = tuple("abc"[:N_CLASSES])
        n = sum(CLASS_SIZES)
        return DatasetCard("made_up", f"made-up-{self.shape}", signal, names, n, n, "MIT", min(CLASS_SIZES), size_bytes)

    def load(self) -> tuple[Split, Split]:
        return self._split(0), self._split(1)

    def _split(self, seed: int) -> Split:
        draw = Generator().manual_seed(seed)
        labels = torch.arange(N_CLASSES).repeat_interleave(torch.tensor(CLASS_SIZES))
        labels = labels[torch.randperm(len(labels), generator=draw)]
        place = torch.linspace(0, 3, torch.Size(self.shape).numel()).reshape(self.shape)
        pattern = torch.stack([0.5 + 0.3 * torch.sin((k + 1) * place + k) for k in range(N_CLASSES)])
        noise = 0.1 * torch.randn(len(labels), *self.shape, generator=draw)
        return Split(pattern[labels] + noise, labels)


class PassThrough(Codec):
    """A code is the signal; a learned class leaf, zero at first, is added to it, so that two scopes are learned."""

    version = "1"
    source = "made up for contract tests"
    code_leaf = "x"

    def leaves(self) -> tuple[Leaf, ...]:
        shape = self.target.signal.shape
        return Leaf("x", "item", shape), Leaf("offset", "class", shape)

    def begin(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], generator: Generator) -> Codes:
        return {"offset": torch.zeros(self.target.n_classes, *self.target.signal.shape)}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        return {"x": x}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        x, offset = codes["x"], codes["offset"]
        assert isinstance(x, Tensor)
        assert isinstance(offset, Tensor)
        return Decoded(x + offset[y], torch.arange(len(x)))

    def code_augmentation(self, strategy: str) -> str:
        return strategy


@cache
def data_of(shape: tuple[int, ...]) -> Data:
    return load(MadeUp(shape))


@dataclass(frozen=True)
class Ground:
    """A shape and a match space on which a method is tried."""

    shape: tuple[int, ...]
    space: Space

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))}-{self.space}"

    @property
    def data(self) -> Data:
        return data_of(self.shape)

    @property
    def network(self) -> Network:
        return registry.build("network", "auto", {"width": WIDTH})

    @property
    def codec(self) -> PassThrough:
        return PassThrough(None, Target(self.data.card.signal, N_CLASSES, cap_bytes=2**20))

    @property
    def streams(self) -> Streams:
        return Streams(self.data.card.revision, SEED)

    def selection(self) -> Selection:
        """A fresh task for a selector."""
        shared = self.codec.begin(torch.empty(0), torch.empty(0), Generator())

        def space():
            return match_space(self.space, self.data, self.codec, shared, torch.device("cpu"))

        return Selection(self.data, space, self.network, Budget.model_validate({"ipc": 1}), self.streams)

    def room(self, items: int = ITEMS_PER_CLASS) -> Room:
        """The room of a set of so many items a class."""
        measured = measures(self.network, self.shape, N_CLASSES)
        return Room(N_CLASSES, items, items, self.shape, measured, min(CLASS_SIZES), sum(CLASS_SIZES))

    def matching(self, matcher: Matcher, decode_chunk: int | None = None) -> Matching:
        """A fresh task for a matcher. Its items start as real items of the *next* class: there is much to learn."""
        codec, data, K = self.codec, self.data, N_CLASSES
        y = torch.arange(K).repeat_interleave(ITEMS_PER_CLASS)
        x = data.signals(torch.cat([data.members[(k + 1) % K][:ITEMS_PER_CLASS] for k in range(K)]))
        shared = codec.begin(x, y, Generator())
        codes = shared | codec.encode(x, y, shared)
        space = match_space(self.space, data, codec, codes, torch.device("cpu"))
        extra = matcher.extra_leaves(K)
        codes |= matcher.initial_extra(len(y), K)
        task = Matching.start(
            data, space, self.network, self.streams, codes, codec.leaves(), extra, y, torch.device("cpu"), decode_chunk
        )
        matcher.check(self.room())
        # Anew each time: what a matcher prepares has to come out the same without the cache too.
        return prepare_task(task, matcher, matcher.prepare(self.preparation(space)))

    def preparation(self, space: MatchSpace) -> Preparation:
        """A fresh task for a matcher's preparation."""
        return Preparation(self.data, space, self.network, {"ground": str(self)}, on_disk=False)


def learned(task: Matching, matcher: Matcher, progress: Progress | None = None, stop_at: int | None = None) -> Progress:
    """The progress of the framework's own loop on a task, to the end or until it is stopped after some updates."""
    progress = progress or Progress()
    with suppress(_Stop):
        learn(task, matcher, progress, _stop_after(stop_at))
    return progress


def walk(task: Matching, matcher: Matcher, steps: int) -> tuple[list[float], dict[str, Tensor]]:
    """(losses, sum of each leaf's gradients) along some updates of items that stay where they are."""
    state: dict[str, Tensor] = {}
    losses, gradients = [], {n: torch.zeros_like(p) for n, p in task.params.items()}
    for step in range(steps):
        task.begin(step)
        loss = matcher.loss(task, state)
        task.backward(loss)
        losses.append(float(loss.detach()))
        for name, p in task.params.items():
            if p.grad is not None:
                gradients[name] += p.grad
        matcher.after_update(task, state)
    return losses, gradients


class _Stop(Exception):
    pass


def _stop_after(step: int | None) -> Callable[[Progress], None]:
    def keep(progress: Progress) -> None:
        if progress.step == step:
            raise _Stop

    return keep
