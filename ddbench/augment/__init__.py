"""Augmentations on normalised signals: random draws on the CPU, applied to any batch on any device."""

from __future__ import annotations

from ddbench.augment.dsa import Draw, apply, draw, families, stream

__all__ = ["Draw", "apply", "draw", "families", "stream"]
