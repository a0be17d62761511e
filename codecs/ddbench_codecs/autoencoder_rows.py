"""The codec of an autoencoder for table rows, fitted on the target's rows and charged in full."""

from __future__ import annotations

from math import prod

from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.interfaces.codec import Codec, Codes, Decoded
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench_codecs.autoencode import held
from ddbench_codecs.hidden import Hidden, fit_hidden
from ddbench_codecs.items import dense, one_signal_each


class AutoencoderRowsConfig(PluginConfig):
    """Arguments of `autoencoder_rows`."""

    components: int = Field(1, ge=1, description="k: numbers of an item.")
    hidden: int = Field(4, ge=1, description="h: units of the decoder's hidden layer.")
    fit_steps: int = Field(2000, ge=1, description="Steps of Adam in each of three fits on the training set.")
    fit_lr: float = Field(0.01, gt=0, description="First learning rate of these steps; it falls to 0 as a cosine.")
    solve_steps: int = Field(20, ge=0, description="Steps by which encode solves for a code.")


class AutoencoderRows(Codec):
    """Stores k numbers an item, and once a set the (k + 1)·h + (h + 1)·d weights of a decoder with one hidden layer.

    `x → flatten → min over z of ‖x̂(z) − x‖² → z [k] → x̂ = b + W tanh(A z + a)`

    Columns of a table mean nothing in another table, so there is no decoder that was trained elsewhere: it is fitted on
    the whole training set and is payload, in the storage type. Where rows lie on a curve (kinds that one-hot columns
    tell apart) one curved coordinate does what takes `pca` several, and items are as much cheaper. The encoder that
    the decoder was fitted with is not stored; `encode` solves for each item's code, so the file is all that it needs.
    A step on z moves the signal as far as a step on its values would, on average over the training rows.
    """

    version = "1"
    source = "Kramer 1991, AIChE Journal 37 (nonlinear principal components); Marquardt 1963 (the nearest code)"
    Config = AutoencoderRowsConfig
    code_leaf = "z"
    config: AutoencoderRowsConfig

    def leaves(self) -> tuple[Leaf, ...]:
        k, h, d = self.config.components, self.config.hidden, prod(self.target.signal.shape)
        shapes = {"into": (k, h), "into_bias": (h,), "out": (h, d), "out_bias": (d,)}
        return Leaf("z", "item", (k,)), *(Leaf(name, "set", s, learned=False) for name, s in shapes.items())

    def fit(self, train: Source, generator: Generator) -> Codes:
        """The decoder's weights."""
        c, rows = self.config, held(train, generator).flatten(1)
        found = fit_hidden(rows, c.components, c.hidden, generator, c.fit_steps, c.fit_lr)
        return {name: weights.cpu() for name, weights in found._asdict().items()}

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        return {"z": _decoder(shared, x).nearest(x.flatten(1), self.config.solve_steps)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        z = dense(codes, "z")
        return one_signal_each(_decoder(codes, z)(z).unflatten(1, self.target.signal.shape))


def _decoder(codes: Codes, like: Tensor) -> Hidden:
    return Hidden(*(dense(codes, name).to(like) for name in Hidden._fields))
