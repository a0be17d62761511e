"""Whether weights were trained on the dataset at hand, in any of its forms."""

from __future__ import annotations

from collections.abc import Iterable

from ddbench import registry
from ddbench.errors import DdbenchError


def in_domain(trained_on: Iterable[str], family: str) -> bool:
    """Whether one of the datasets (families or registry names) is of this family; the family '' is nobody's."""
    return bool(family) and any(name == family or _family(name) == family for name in trained_on)


def _family(name: str) -> str:
    """The family of a registered dataset; a name that is not registered here is its own."""
    try:
        return registry.build("dataset", name).card().family
    except DdbenchError:
        return name
