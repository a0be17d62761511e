"""The neural-field codec: a code is the weights of a small network from coordinates to values."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from math import prod

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench import rng
from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, CodecWork, Codes, Decoded, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.adam import Adam
from ddbench_codecs.blocks import in_blocks
from ddbench_codecs.counted import flop_of, peak_of, peak_of_gradient
from ddbench_codecs.gain import largest_gain
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.room import needs_extent
from ddbench_codecs.sinusoidal import Sinusoidal, grid, widest

FIT_POINTS = 2**15
"""Points of all items that are fitted together."""
MOST_TOGETHER = 32
ALIGNED_POINTS = 16
"""64 bytes of float32."""
MOST_ACTIVATIONS = 2**25
"""Values of one hidden layer that are held while gradients pass back."""
BANDWIDTH = 1.4
"""n samples of the signal hold frequencies up to πn/2 in these units; a little less was best where it was tried."""
MARGIN = 20
"""Gains of fitted networks over that of the first weights: 2 to 40 were measured on Fashion-MNIST."""
MEASURED_SIDE = 64
"""Longest side of the grid on which the gain is measured; it grows with the number of points beyond."""


class InrConfig(PluginConfig):
    """Arguments of `inr`."""

    share: float = Field(
        1 / 8, gt=0, le=1, description="Weights of an item relative to one signal's values, unless hidden is given."
    )
    hidden: int | None = Field(None, ge=1, description="Units of a hidden layer; by default as many as share lets in.")
    layers: int = Field(3, ge=1, description="Hidden layers.")
    omega0: float | None = Field(
        None,
        gt=0,
        description="ω₀: first-layer frequencies are drawn from ±ω₀/√axes, in radians for half the signal; by default "
        "about what as many samples as there are weights could hold.",
    )
    fit_steps: int = Field(1000, ge=1, description="Steps of Adam by which encode fits an item's network.")
    fit_lr: float = Field(0.05, gt=0, description="First learning rate of these steps; it falls to 0 as a cosine.")


class Inr(Codec):
    """Stores for each item the weights of a sinusoidal network, which decoding evaluates at every sample.

    `x → fit by Adam → w [d] → network(coordinates in [−1, 1]) → x̂`

    Every item's fit starts from the same weights, drawn once for the shape and the arguments, and sees its own signal
    alone, so an item's code does not depend on where it stands or what stands beside it. Fits run in blocks of one
    size, filled up with empty items, and each item's points are filled up to a multiple of 16, so that all begin at an
    aligned address: else matrix products would round differently here and there, and hundreds of steps blow that up.
    Encoding costs `fit_steps` passes through the network, some tenths of a second an item on a CPU.

    There is no code space: units of a hidden layer can be exchanged and signs turned without changing the signal, so
    equal signals may have codes far apart.

    A step on w moves the signal by JJᵀg. ‖JJᵀ‖ is measured at the weights from which fits start, whose output has the
    unit variance of a normalised signal, and the learning rate is scaled by its inverse over a margin of 20, since
    fitted networks are steeper.
    """

    version = "1"
    source = "DDiF, arXiv 2503.04835 (a field an item); SIREN, arXiv 2006.09661 (sinusoidal network, first weights)"
    Config = InrConfig

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals without an axis, or a share that holds no network."""
        super().__init__(config, target)
        signal, asked = target.signal, self.config
        needs_extent("inr", signal.extent, 3, signal.shape, "has coordinates along")
        axes = len(signal.extent)
        kind = (axes, signal.channels)
        if asked.hidden is not None:
            found = Sinusoidal(*kind, asked.hidden, asked.layers)
        else:
            floats = asked.share * prod(signal.shape)
            found = widest(floats, *kind, asked.layers)
            if found is None:
                least = Sinusoidal(*kind, 1, asked.layers).size
                raise SpecError(
                    f"The codec 'inr' was asked for networks of share {asked.share:g} of a signal of shape "
                    f"{signal.shape}, {floats:g} weights; one with {asked.layers} hidden layers of one unit has "
                    f"{least}. Give a larger share, fewer layers, or hidden."
                )
        omega0 = asked.omega0 or BANDWIDTH * (found.size / signal.channels) ** (1 / axes)
        self.network = replace(found, omega0=omega0)
        self.points = prod(signal.extent)
        self.decode_chunk = max(1, MOST_ACTIVATIONS // (self.points * self.network.hidden))

    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf("w", "item", (self.network.size,), lr_scale=1 / (MARGIN * self.gain)),)

    def work(self) -> CodecWork:
        """Each step of a fit passes forth, and back to signals and weights, thrice what decoding takes.

        Fits run in blocks: a few items take as long as a block.
        """

        def forth(w: Tensor) -> Tensor:
            return self.network(w, grid(self.target.signal.extent, w))

        w = torch.empty(1, self.network.size, device="meta")
        decode = flop_of(lambda: forth(w))
        return CodecWork(
            encode=3 * self.config.fit_steps * decode,
            decode=decode,
            weights=decode,
            pass_bytes=peak_of(lambda: forth(w)),
            gradient_bytes=peak_of_gradient(forth, w),
        )

    @cached_property
    def gain(self) -> float:
        """‖JJᵀ‖ at the first weights."""
        extent = tuple(min(n, MEASURED_SIDE) for n in self.target.signal.extent)
        w = self.first().double()
        at = grid(extent, w)
        return largest_gain(lambda v: self.network(v[None], at), w) * (self.points / prod(extent))

    def first(self) -> Float[Tensor, " d"]:
        """The weights from which every fit starts."""
        stream = rng.generator("inr-first", sizes=self.network.sizes)
        return self.network.first(stream)

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        together = max(1, min(MOST_TOGETHER, FIT_POINTS // self.points))
        empty = -self.points % ALIGNED_POINTS
        values = torch.nn.functional.pad(x.detach().flatten(2), (0, empty))
        first = self.first().to(x)
        return {"w": in_blocks(lambda block: self._fit(block, first.expand(together, -1)), values, together)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        w = dense(codes, "w")
        values = self.network(w, grid(self.target.signal.extent, w))
        return one_signal_each(values.unflatten(2, self.target.signal.extent))

    def _fit(self, x: Float[Tensor, "m c p"], first: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
        """Adam on the mean squared error of each item. The last points of x, beyond the signal's, do not count."""
        at, steps = grid(self.target.signal.extent, x), self.config.fit_steps
        counts = (torch.arange(x.shape[2], device=x.device) < self.points).to(x) / (self.points * x.shape[1])
        at = torch.cat([at, at.new_zeros(x.shape[2] - self.points, at.shape[1])])
        w = first.clone()
        adam = Adam([w], self.config.fit_lr, steps)
        for _ in range(steps):
            with torch.enable_grad():
                leaf = w.detach().requires_grad_()
                loss = ((self.network(leaf, at) - x).square() * counts).sum()
                adam.descend(torch.autograd.grad(loss, leaf))
        return w
