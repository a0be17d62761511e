"""Plug-ins made up for the suite tests: small, without data, each with one property that a rule looks at."""

from __future__ import annotations

from math import prod

from pydantic import Field
from torch import nn

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded
from ddbench.interfaces.dataset import Dataset, DatasetCard
from ddbench.interfaces.estimator import Estimator
from ddbench.interfaces.method import Ceiling, Matcher, MatcherConfig, Selector
from ddbench.interfaces.network import Classifier, Network
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import Leaf


class Pictures(Dataset):
    version, source = "1", "made up"
    shape: tuple[int, ...] = (1, 4, 4)

    def card(self) -> DatasetCard:
        signal = SignalSpec(self.shape, (0.5,), (0.5,))
        return DatasetCard(
            name="pictures",
            revision="rev-1",
            class_names=("a", "b", "c"),
            signal=signal,
            train_size=30,
            test_size=9,
            licence="none",
            smallest_class=10,
            signal_bytes=16,
        )

    def load(self):
        raise AssertionError("planning loads no data")


class Rows(Pictures):
    shape = (5,)


class _Codec(Codec):
    version, source = "3", "made up"

    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf("z", "item", self.target.signal.shape),)

    def encode(self, x, y, shared) -> Codes:
        raise AssertionError("planning encodes nothing")

    def decode(self, codes, y, generator) -> Decoded:
        raise AssertionError("planning decodes nothing")


class Identity(_Codec):
    code_leaf = "z"


class HalfConfig(PluginConfig):
    factor: int = Field(2, ge=2, description="Factor.")
    mode: str = Field("area", description="Kernel.")


class Half(_Codec):
    Config = HalfConfig
    code_leaf = "z"

    def __init__(self, config, target) -> None:
        super().__init__(config, target)
        if len(target.signal.shape) != 3:
            raise SpecError(f"The codec 'half' takes pictures, not shape {target.signal.shape}.")

    def leaves(self):
        c, h, w = self.target.signal.shape
        return (Leaf("z", "item", (c, h // self.config.factor, w // self.config.factor)),)


class Masked(_Codec):
    def leaves(self):
        return Leaf("z", "item", (4,)), Leaf("mask", "class", (2,), "uint8", learned=False, side=True)


class Stiff(_Codec):
    differentiable = False


class Bytes(_Codec):
    differentiable = False

    def __init__(self, config, target) -> None:
        super().__init__(config, target)
        if len(target.signal.shape) != 3:
            raise SpecError(f"The codec 'jpeg' takes pictures, not shape {target.signal.shape}.")

    def leaves(self):
        return (Leaf("z", "item", None, "uint8", learned=False),)


class Grid(_Codec):
    signals_per_item = 11


class Buggy(_Codec):
    def leaves(self):
        raise ZeroDivisionError("oops")


class Hollow(_Codec):
    def leaves(self):
        return (Leaf("z", "set", (4,)),)


class Random(Selector):
    version, source = "1", "made up"

    def select(self, task, n):
        raise AssertionError("planning selects nothing")


class LearnConfig(MatcherConfig):
    iterations: int = Field(100, ge=0, description="Updates.")
    lr: float = Field(1.0, gt=0, description="Rate.")


class Learn(Matcher):
    version, source, Config = "1", "made up", LearnConfig

    def loss(self, task, state):
        raise AssertionError("planning learns nothing")


class PickyConfig(LearnConfig):
    most: int = Field(5, ge=1, description="Values that it takes.")


class Picky(Learn):
    """Has a leaf of its own as large as a picture, refuses rooms, prepares entries of a byte a weight."""

    Config = PickyConfig

    def extra_leaves(self, n_classes):
        return (Leaf("own", "class", (16,)),)

    def check(self, room):
        if room.all_values > self.config.most:
            raise SpecError(f"takes {self.config.most}, got {room}.")

    def entries(self, room):
        return [({"i": i}, room.network.weights) for i in range(self.config.most)]

    def prepare(self, task):
        raise AssertionError("planning prepares nothing")


class Faulty(Learn):
    def check(self, room):
        raise ZeroDivisionError("oops")


class PixelLearn(Learn):
    spaces = ("signal",)


class Clash(Learn):
    def extra_leaves(self, n_classes):
        return (Leaf("z", "set", ()),)


class Full(Ceiling):
    version, source = "1", "made up"


class AutoConfig(PluginConfig):
    width: int = Field(8, ge=1, description="Width.")


class Linear(Classifier):
    def __init__(self, size: int, n_classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(size, n_classes, bias=False)

    def embed(self, x):
        return x.flatten(1)

    def forward(self, x):
        return self.last(self.embed(x))


class Auto(Network):
    version, source, Config = "7", "made up", AutoConfig

    def build(self, shape, n_classes):
        return Linear(prod(shape), n_classes)


class MapsOnly(Auto):
    def build(self, shape, n_classes):
        if len(shape) != 3:
            raise SpecError(f"maps only, got {shape}")
        return super().build(shape, n_classes)


class Trees(Estimator):
    version, source = "1", "made up"

    def fit(self, x, y, weight, n_classes, seed):
        raise AssertionError("planning fits nothing")


class FromFour(Auto):
    def build(self, shape, n_classes):
        if max(shape) < 4:
            raise SpecError(f"too small: {shape}")
        return super().build(shape, n_classes)


PLUGINS = {
    "dataset": {"pictures": "Pictures", "rows": "Rows"},
    "codec": {
        "identity": "Identity", "half": "Half", "masked": "Masked", "stiff": "Stiff", "jpeg": "Bytes", "grid": "Grid",
        "buggy": "Buggy", "hollow": "Hollow", "downsample": "Half",
    },
    "method": {
        "random": "Random", "learn": "Learn", "pixel": "PixelLearn", "clash": "Clash", "full": "Full", "picky": "Picky",
        "faulty": "Faulty",
    },
    "network": {"auto": "Auto", "maps": "MapsOnly", "from_four": "FromFour", "trees": "Trees"},
    "engine": {},
}  # fmt: skip
