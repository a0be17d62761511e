"""The operation families that there are, by name: the package's own, and those that others bring by entry point."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from ddbench.augment.families import FAMILIES, Family
from ddbench.errors import PluginError

GROUP = "ddbench.augmentations"


@cache
def known() -> Mapping[str, Family]:
    """Raises: PluginError naming the entry point that is no family, takes a name that is taken, or cannot be loaded."""
    found = dict(FAMILIES)
    for point in entry_points(group=GROUP):
        told = f"The augmentation {point.name!r} ({point.value})"
        if not re.fullmatch(r"[a-z0-9]+", point.name):
            raise PluginError(f"{told} should be named by small letters and digits: strategies join names by _.")
        try:
            family = point.load()
        except Exception as error:
            raise PluginError(f"{told} cannot be imported: {type(error).__name__}: {error}.") from error
        if not isinstance(family, Family):
            raise PluginError(f"{told} should be a ddbench.augment.families.Family, found {type(family).__name__}.")
        if point.name in found and found[point.name] is not family:
            raise PluginError(f"{told} has the name of another augmentation. Rename it.")
        found[point.name] = family
    return found
