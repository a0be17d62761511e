"""The identity codec: a code is the signal."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.items import one_signal_each


class Identity(Codec):
    """Stores normalised signals as they are: the reference for every other codec. Takes any shape.

    Of symbols there is no code space: their values are no numbers, to be standardised and learned.
    """

    version = "1"
    source = "DC, arXiv 2006.05929: the distilled set is the images themselves"
    code_leaf = "x"
    symbols = True

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        super().__init__(config, target)
        if target.signal.symbols:
            self.code_leaf = None  # networks would see symbols as numbers

    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf("x", "item", self.target.signal.shape),)

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        return {"x": x}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        return one_signal_each(codes["x"])

    def code_augmentation(self, strategy: str) -> str:
        """Codes are signals, so all of it."""
        return strategy
