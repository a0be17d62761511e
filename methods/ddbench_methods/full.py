"""The whole training set: the ceiling of every table."""

from __future__ import annotations

from typing import ClassVar

from ddbench.interfaces.method import Ceiling


class Full(Ceiling):
    """Students on all real items, under the protocol's own settings for the whole set; exempt from the budget."""

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "protocols.md §11, 'full data'"
