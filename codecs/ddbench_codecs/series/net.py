"""A small autoencoder of one-channel series: a linear resize, and convolutions for what that does not say."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

CLASS_NAME = "SeriesAutoencoder"
KERNEL, STRIDED = 5, 4


class SeriesAutoencoder(nn.Module):
    """`x [1, t] → z [C, t/f] → x̂ [1, t]`, f a power of 2 that divides t.

    `z = conv(strided convs(x)), z₀ += mean of each f positions; x̂ = transposed convs(z) + linear resize of z₀`

    The last layers of both sides begin at zero, so that training begins at the linear resize.
    """

    def __init__(self, f: int, channels: int, width: int) -> None:
        super().__init__()
        self.f, self.C = f, channels
        stages = f.bit_length() - 1
        down: list[nn.Module] = [nn.Conv1d(1, width, KERNEL, padding=KERNEL // 2), nn.GELU()]
        up: list[nn.Module] = [nn.Conv1d(channels, width, KERNEL, padding=KERNEL // 2), nn.GELU()]
        for _ in range(stages):
            down += [nn.Conv1d(width, width, STRIDED, 2, padding=1), nn.GELU()]
            up += [nn.ConvTranspose1d(width, width, STRIDED, 2, padding=1), nn.GELU()]
        self.encoder = nn.Sequential(*down, nn.Conv1d(width, channels, KERNEL, padding=KERNEL // 2))
        self.decoder = nn.Sequential(*up, nn.Conv1d(width, 1, KERNEL, padding=KERNEL // 2))
        for side in (self.encoder, self.decoder):
            last = side[-1]
            assert isinstance(last, nn.Conv1d)
            nn.init.zeros_(last.weight[: 1 if last.out_channels > 1 else None])
            assert last.bias is not None
            nn.init.zeros_(last.bias)

    def encode(self, x: Float[Tensor, "b 1 t"]) -> Float[Tensor, "b C s"]:
        z = self.encoder(x)
        return z + F.pad(F.avg_pool1d(x, self.f), (0, 0, 0, self.C - 1))

    def decode(self, z: Float[Tensor, "b C s"]) -> Float[Tensor, "b 1 t"]:
        smooth = F.interpolate(z[:, :1], scale_factor=self.f, mode="linear", align_corners=False)
        return self.decoder(z) + smooth

    @property
    def described(self) -> dict[str, Any]:
        """What config.json says, enough to build it again."""
        width = self.encoder[0].out_channels
        return {"_class_name": CLASS_NAME, "f": self.f, "channels": self.C, "width": width}


def built(config: dict[str, Any]) -> SeriesAutoencoder:
    """The network of a config.json. Raises: KeyError, TypeError, ValueError for one that describes none."""
    f, channels, width = (int(config[name]) for name in ("f", "channels", "width"))
    if config["_class_name"] != CLASS_NAME or f < 2 or f & (f - 1) or min(channels, width) < 1:
        raise ValueError(f"{config} is not of a {CLASS_NAME}")
    return SeriesAutoencoder(f, channels, width)
