"""Random real items: the baseline of every table."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Int
from torch import Tensor

from ddbench.interfaces.method import Selector, SelectTask


class Random(Selector):
    """Uniform draws of each class without replacement, the same that initialise learned rows."""

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "protocols.md §11, 'random real'"

    def select(self, task: SelectTask, n: int) -> Int[Tensor, "k n"]:
        return task.draw(n)
