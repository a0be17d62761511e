"""ddbench: the open benchmark for dataset distillation."""

from ddbench.version import __version__

__all__ = ["__version__"]
