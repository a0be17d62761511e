"""A codec whose items share what their class has in common, with a decoder that never gives the same signal twice."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional as F

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Target
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf


class TemplateConfig(PluginConfig):
    """Arguments of `template`."""

    factor: int = Field(4, ge=2, description="Factor by which an item's own part is smaller than the signal.")
    sigma: float = Field(0.1, ge=0, description="Standard deviation of the decoder's noise.")


class Template(Codec):
    """x̂ = up(code of the item) + template of its class + σ·noise. Both parts are learned.

    The class is known from the template, so there is no code space.
    """

    version = "1"
    source = "ddbench-example"
    Config = TemplateConfig

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        super().__init__(config, target)
        self.shape, extent = target.signal.shape, target.signal.extent
        if not extent:
            raise SpecError(f"The codec 'template' needs axes behind the channels; found {target.signal.shape}.")
        self.small = tuple(-(-s // self.config.factor) for s in extent)

    def leaves(self) -> tuple[Leaf, ...]:
        # A value of the code moves factor² pixels at once.
        lr_scale = self.config.factor ** -len(self.small)
        return (
            Leaf("own", "item", (self.shape[0], *self.small), lr_scale=lr_scale),
            Leaf("template", "class", self.shape),
        )

    def begin(self, x: Tensor, y: Tensor, generator: Generator) -> Codes:
        return {"template": torch.stack([x[y == k].mean(0) for k in range(self.target.n_classes)])}

    def encode(self, x: Tensor, y: Tensor, shared: Codes) -> Codes:
        template = shared["template"]
        assert isinstance(template, Tensor)
        return {"own": F.interpolate(x - template[y], size=self.small, mode="area")}

    def decode(self, codes: Codes, y: Tensor, generator: Generator) -> Decoded:
        own, template = codes["own"], codes["template"]
        assert isinstance(own, Tensor)
        assert isinstance(template, Tensor)
        noise = torch.randn(len(own), *self.shape, generator=generator).to(own)
        x = F.interpolate(own, size=self.shape[1:], mode="nearest") + template[y] + self.config.sigma * noise
        return Decoded(x, torch.arange(len(x), device=x.device))
