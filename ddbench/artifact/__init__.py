"""The distilled set on disk: safetensors and a JSON card, written atomically, measured, read back."""

from ddbench.artifact.distilled import DistilledSet, load, save

__all__ = ["DistilledSet", "load", "save"]
