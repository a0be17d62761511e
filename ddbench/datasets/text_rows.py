"""Rows of text and label, wherever they were read, brought into a dataset; every mistake names its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.datasets.text_sets import TextSet, TextSide, halves
from ddbench.errors import DataError
from ddbench.interfaces.text import cut, tidy

MOST_NAMED = 5


@dataclass(frozen=True)
class Row:
    """A text with its label, and where it stands (file and row)."""

    where: str
    text: str
    label: str


def text_set(name: str, train: Sequence[Row], test: Sequence[Row] | None, length: int) -> TextSet:
    """The rows as a set; without test rows the training rows are divided by their content.

    Raises: DataError with everything that is wrong: empty texts, rows without a label, classes of the test rows that
    no training row has, classes that cannot be learned from and tested.
    """
    classes = tuple(sorted({row.label for row in train if row.label}))
    rows = [*train, *(test or ())]
    faults = [
        _fault("without a text", [row.where for row in rows if not cut(tidy(row.text), length)]),
        _fault("without a label", [row.where for row in rows if not row.label]),
        _fault(
            "for test of a class that no training text has",
            [f"{row.where} ({row.label!r})" for row in test or () if row.label and row.label not in classes],
        ),
    ]
    counts = Counter(row.label for row in train if row.label)
    if test is None and (single := [label for label in classes if counts[label] < 2]):
        alone = [f"{row.where} ({row.label!r})" for row in train if row.label in single]
        faults.append(_fault("the only one of its class, which needs two, one to learn from and one for test", alone))
    if len(classes) < 2:
        faults.append(f"{len(classes)} class where two are needed")
    if found := [fault for fault in faults if fault]:
        raise DataError(
            f"The texts of {name!r} cannot be used as they are: {'; '.join(found)}. Mend those rows or leave them out."
        )
    sides = (_side(train, classes, length), _side(test, classes, length)) if test is not None else None
    return TextSet(name.replace("/", "_"), classes, *(sides or halves(_side(train, classes, length))), length)


def label_of(value: Any) -> str:
    """A label as it was read from a table, as a string: '' where there is none."""
    if value is None or value != value:  # a missing number is not a number
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).split())


def _side(rows: Sequence[Row], classes: tuple[str, ...], length: int) -> TextSide:
    place = {label: k for k, label in enumerate(classes)}
    return TextSide(
        tuple(cut(tidy(row.text), length) for row in rows), tuple(place[row.label] for row in rows)
    )  # fmt: skip


def _fault(what: str, where: list[str]) -> str:
    if not where:
        return ""
    more = f" and {len(where) - MOST_NAMED} more" if len(where) > MOST_NAMED else ""
    return f"{len(where)} {'text is' if len(where) == 1 else 'texts are'} {what}: {', '.join(where[:MOST_NAMED])}{more}"
