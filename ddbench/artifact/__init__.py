"""The distilled set on disk: safetensors and a JSON card, written atomically, measured, read back.

Names are looked up when they are used, so that the card and the measuring of a file stay free of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.artifact.distilled import DistilledSet, load, save

__all__ = ["DistilledSet", "load", "save"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ddbench.artifact import distilled

    return getattr(distilled, name)
