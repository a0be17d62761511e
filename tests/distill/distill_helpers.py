"""Small data, codecs and matchers whose results can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from ddbench.data import Data
from ddbench.distill.space import SignalSpace
from ddbench.distill.task import Matching, Streams
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.dataset import DatasetCard, Split
from ddbench.interfaces.method import Matcher, MatcherConfig
from ddbench.interfaces.network import Classifier, Network
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Leaf

CPU = torch.device("cpu")
SIZES = (11, 7, 9)


def data_of(sizes: tuple[int, ...] = SIZES, shape: tuple[int, ...] = (2, 4, 4), augmentation: str = "", seed=0) -> Data:
    """Classes in shuffled order, signals of normal noise around the class's index."""
    draw = Generator().manual_seed(seed)
    y = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    y = y[torch.randperm(len(y), generator=draw)]
    x = torch.randn(len(y), *shape, generator=draw) + y.reshape(-1, *[1] * len(shape))
    signal = SignalSpec(shape, (0.5,) * shape[0], (2.0,) * shape[0], augmentation=augmentation)
    names = tuple(f"class {k}" for k in range(len(sizes)))
    card = DatasetCard("made_up", "rev-1", signal, names, len(y), 2, "none", min(sizes), 4 * x[0].numel())
    return Data(card, Split(x, y), Split(x[:2], y[:2]))


class Plain(Codec):
    """A code is the signal; the class's offset, learned too, is added to it. Each leaf has its own rate."""

    version, source = "1", "made up"
    code_leaf = "x"

    def leaves(self) -> tuple[Leaf, ...]:
        shape = self.target.signal.shape
        return Leaf("x", "item", shape, lr_scale=0.25), Leaf("offset", "class", shape, lr_scale=2.0)

    def begin(self, x: Tensor, y: Tensor, generator: Generator) -> Codes:
        return {"offset": torch.zeros(self.target.n_classes, *self.target.signal.shape)}

    def encode(self, x: Tensor, y: Tensor, shared: Codes) -> Codes:
        return {"x": x}

    def decode(self, codes: Codes, y: Tensor, generator: Generator) -> Decoded:
        x, offset = codes["x"], codes["offset"]
        assert isinstance(x, Tensor)
        assert isinstance(offset, Tensor)
        return Decoded(x + offset[y], torch.arange(len(x)))


class Tiles(Codec):
    """Two signals an item, decoded tile by tile; item, class and set leaves are learned, noise optional.

    x̂[tile, i] = z[i, tile] · gain · (1 + noise) + shift[y_i]
    """

    version, source = "1", "made up"
    signals_per_item = 2

    def __init__(self, target: Target, noise: float = 0.0, chunk: int | None = None) -> None:
        super().__init__(None, target)
        self.noise, self.decode_chunk = noise, chunk
        self.drawn: list[Tensor] = []
        """Noise of every decoding so far, `[m, 2, *shape]`."""

    def leaves(self) -> tuple[Leaf, ...]:
        shape = self.target.signal.shape
        fixed = Leaf("fixed", "item", (1,), learned=False)
        return Leaf("z", "item", (2, *shape)), Leaf("shift", "class", shape), Leaf("gain", "set", shape), fixed

    def begin(self, x: Tensor, y: Tensor, generator: Generator) -> Codes:
        K, shape = self.target.n_classes, self.target.signal.shape
        return {
            "shift": torch.randn(K, *shape, generator=generator),
            "gain": 1 + 0.1 * torch.randn(shape, generator=generator),
        }

    def encode(self, x: Tensor, y: Tensor, shared: Codes) -> Codes:
        z = x.unflatten(0, (-1, 2))
        return {"z": z, "fixed": torch.arange(len(z)).reshape(-1, 1).float()}

    def decode(self, codes: Codes, y: Tensor, generator: Generator) -> Decoded:
        z, shift, gain, fixed = (codes[n] for n in ("z", "shift", "gain", "fixed"))
        assert isinstance(z, Tensor)
        assert isinstance(shift, Tensor)
        assert len(z) == len(y) == len(fixed)
        noise = self.noise * torch.randn(z.shape, generator=generator)
        self.drawn.append(noise)
        x = z * gain * (1 + noise) + shift[y][:, None]
        return Decoded(x.transpose(0, 1).flatten(0, 1), torch.arange(len(z)).repeat(2))


class Linear(Classifier):
    def __init__(self, d: int, n_classes: int) -> None:
        super().__init__()
        self.features, self.last = nn.Linear(d, 6), nn.Linear(6, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        return torch.tanh(self.features(x.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.embed(x))


class LinearNetwork(Network):
    version, source = "1", "made up"

    def build(self, shape: tuple[int, ...], n_classes: int) -> Classifier:
        return Linear(torch.Size(shape).numel(), n_classes)


class MeanMatcher(Matcher):
    """DM with a random linear network, augmentation, an own leaf, and a state that the loss depends on."""

    version, source, Config = "1", "made up", MatcherConfig

    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        return (Leaf("weight", "class", (), lr_scale=0.5, side=True),)

    def initial_extra(self, items: int, n_classes: int):
        return {"weight": torch.ones(n_classes)}

    def loss(self, task, state):
        psi = task.network().requires_grad_(False)
        real, synthetic = task.augment(task.real(4), task.synthetic())
        a = psi.embed(real.flatten(0, 1)).unflatten(0, real.shape[:2]).mean(1)
        b = psi.embed(synthetic.flatten(0, 1)).unflatten(0, synthetic.shape[:2]).mean(1)
        a = 0.9 * state["mean"] + 0.1 * a if "mean" in state else a
        state["mean"] = a.detach()
        weight = task.extra("weight")
        return ((a - b).square().sum(1) * weight).sum() + (weight - 1).square().sum() * 0.1

    def after_update(self, task, state):
        state["count"] = state.get("count", torch.zeros((), dtype=torch.int64)) + 1
        state["seen"] = task.params["weight"].detach()


def codes_of(data: Data, codec: Codec, n: int) -> tuple[Codes, Tensor]:
    """(all leaves of the first n items of each class, their labels)."""
    s = codec.signals_per_item
    index = torch.cat([m[: n * s] for m in data.members])
    y = torch.arange(len(data.members)).repeat_interleave(n)
    shared = codec.begin(data.signals(index), data.train.labels[index], Generator().manual_seed(5))
    return shared | codec.encode(data.signals(index), data.train.labels[index], shared), y


def target_of(data: Data, cap_bytes: int = 10**6, storage="float32") -> Target:
    return Target(data.card.signal, data.card.n_classes, cap_bytes, storage)


def task_of(
    data: Data, codec: Codec, n: int = 3, matcher: Matcher | None = None, seed: int = 0, space=None
) -> Matching:
    """A matching task in signal space on the first n items of each class."""
    codes, y = codes_of(data, codec, n)
    extra: tuple[Leaf, ...] = ()
    if matcher:
        extra = matcher.extra_leaves(data.card.n_classes)
        codes |= matcher.initial_extra(len(y), data.card.n_classes)
    return Matching.start(
        data, space or SignalSpace(data, codec, CPU), LinearNetwork(), Streams(data.card.revision, seed), codes,
        codec.leaves(), extra, y, CPU, codec.decode_chunk,
    )  # fmt: skip


def other_revision(data: Data) -> Data:
    return Data(replace(data.card, revision="rev-2"), data.train, data.held_out)
