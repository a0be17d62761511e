"""The ten-class subsets of ImageNet-1k that the literature uses: which classes, in which order, under which names."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

LISTS = Path(__file__).parent / "files" / "imagenet_subsets.yaml"


@cache
def subsets() -> dict[str, tuple[tuple[str, str], ...]]:
    """(WordNet id, class name) in label order, of each subset."""
    return {name: tuple((wnid, label) for _, wnid, label in one["classes"]) for name, one in _known().items()}


@cache
def aliases() -> dict[str, str]:
    """Every name of a subset, and the subset's own name."""
    return {alias: name for name, one in _known().items() for alias in (name, *one["aliases"])}


@cache
def places() -> dict[str, int]:
    """The label of each listed WordNet id among ImageNet-1k's thousand: its place in their sorted order."""
    return {wnid: index for one in _known().values() for index, wnid, _ in one["classes"]}


@cache
def _known() -> dict[str, Any]:
    return yaml.safe_load(LISTS.read_text(encoding="utf-8"))
