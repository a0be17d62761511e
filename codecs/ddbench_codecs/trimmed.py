"""The codec of series as long as they are: padding is not stored. What `identity` is where lengths do not vary."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged, Target
from ddbench.interfaces.lengths import lengths
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.items import one_signal_each, ragged


class TrimmedConfig(PluginConfig):
    """Arguments of `trimmed`."""

    dtype: Literal["float32", "float16"] = Field("float32", description="Type of the stored values.")


class Trimmed(Codec):
    """Stores of each masked series `[c + 1, t]` the values up to its end, `[c, length]`; items vary in size.

    `x → x[:c, :length] → bytes → x̂`, the mask from the number of bytes. No gradient: only selectors can use it. It is
    the opponent that padding does not handicap: random items as they are, as many as fit.
    """

    version = "1"
    source = "none: numbers as they are"
    Config = TrimmedConfig
    differentiable = False
    takes_masks = True

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals without a mask."""
        super().__init__(config, target)
        if not target.signal.mask:
            raise SpecError(
                f"The codec 'trimmed' leaves the padding of series of varying length out; signals of shape "
                f"{target.signal.shape} have none. Use 'identity'."
            )
        self.type = np.dtype(self.config.dtype).newbyteorder("<")

    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf("values", "item", None, dtype="uint8", learned=False, quantise=False),)

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        values = x[:, :-1].detach().cpu().numpy().astype(self.type)
        return {"values": Ragged.of([row[:, :n].tobytes() for row, n in zip(values, lengths(x).tolist())])}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        """Raises: ArtifactError where an item's bytes are not whole positions, or too many."""
        stored, (channels, most) = ragged(codes, "values"), self.target.signal.bare.shape
        x = torch.zeros(len(stored), channels + 1, most)
        step = channels * self.type.itemsize
        for i in range(len(stored)):
            data = stored.row(i)
            n, rest = divmod(len(data), step)
            if rest or not 1 <= n <= most:
                raise ArtifactError(
                    f"Item {i} should be 1 to {most} times {step} bytes; found {len(data)}. The set is damaged; make "
                    "it anew."
                )
            x[i, :-1, :n] = torch.from_numpy(np.frombuffer(data, self.type).reshape(channels, n).astype(np.float32))
            x[i, -1, :n] = 1
        return one_signal_each(x.to(y.device))
