"""A dataset of table rows in two sides: how it is made of sheets, described, loaded and shown. torch-free.

What is learned of a column (categories, means) is learned from the training rows alone, and belongs to the dataset's
card, as mean and deviation do: whoever evaluates a set knows it, so no stored set pays for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import fsum, sqrt
from typing import TYPE_CHECKING, Literal

from ddbench.canonical import digest
from ddbench.datasets.held_out import side_by_content
from ddbench.datasets.sheets import Sheet
from ddbench.datasets.table_columns import MISSING, Categories, Column, column_of, described, number
from ddbench.datasets.text_sets import some
from ddbench.errors import DataError, did_you_mean
from ddbench.interfaces.dataset import DatasetCard, Split
from ddbench.interfaces.signal import SignalSpec

if TYPE_CHECKING:
    from ddbench.interfaces.display import DisplayOf

SIGNIFICANT = 9
"""Digits kept of mean and deviation."""


@dataclass(frozen=True)
class Options:
    """How a sheet is read as a set."""

    label: str
    split: str = ""
    """A column that says train or test; '': a fifth for test, by content."""
    categorical: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    missing: tuple[str, ...] = ("",)
    unknown: Literal["error", "zeros"] = "error"


@dataclass(frozen=True)
class TableSide:
    values: tuple[tuple[float, ...], ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class TableSet:
    """Two sides of rows as numbers."""

    name: str
    class_names: tuple[str, ...]
    columns: tuple[Column, ...]
    train: TableSide
    test: TableSide

    def card(self, licence: str, augmentation: str, family: str = "") -> DatasetCard:
        mean, std = zip(*(moments(column) for column in zip(*self.train.values)))
        counts = Counter(self.train.labels)
        sides = [[list(side.values), list(side.labels)] for side in (self.train, self.test)]
        return DatasetCard(
            name=self.name,
            revision=digest([sides, list(self.class_names), [repr(column) for column in self.columns]])[:16],
            signal=SignalSpec((len(mean),), mean, std, augmentation=augmentation),
            class_names=self.class_names,
            train_size=len(self.train.labels),
            test_size=len(self.test.labels),
            licence=licence,
            smallest_class=min(counts.values()),
            signal_bytes=sum(1 if isinstance(column, Categories) else 4 for column in self.columns),
            family=family,
        )

    def load(self) -> tuple[Split, Split]:
        """(train, test), float32 `[n, d]`."""
        import torch

        train, test = (Split(torch.tensor(s.values), torch.tensor(s.labels)) for s in (self.train, self.test))
        return train, test

    def display(self) -> DisplayOf:
        return named_rows(self.columns)


def named_rows(columns: Sequence[Column]) -> DisplayOf:
    """Rows as colours, and in words by their columns' names."""
    from ddbench.display.rows import NamedRow

    return partial(NamedRow, partial(described, columns))


def moments(values: Sequence[float]) -> tuple[float, float]:
    """Population mean and deviation of a column; a column that does not vary has deviation 1."""
    mean = fsum(values) / len(values)
    deviation = sqrt(fsum((v - mean) ** 2 for v in values) / len(values))
    return float(f"{mean:.{SIGNIFICANT}g}"), float(f"{deviation:.{SIGNIFICANT}g}") or 1.0


def table_set(name: str, sheet: Sheet, test: Sheet | None, options: Options) -> TableSet:
    """The rows as a set. Raises: DataError with everything that is wrong, each with file and row."""
    features = _features(name, sheet, test, options)

    def cleaned(part: Sheet) -> Sheet:
        rows = tuple(tuple(MISSING if cell in options.missing else cell for cell in row) for row in part.rows)
        return Sheet(part.file, part.columns, rows, part.places)

    sheet, test = cleaned(sheet), None if test is None else cleaned(test)
    faults = _label_faults([sheet, *([test] if test else [])], options)
    train, held_out = (sheet, test) if test is not None else _halves(sheet, features, options, faults)
    known = {label for label in train.column(options.label) if label}
    classes = tuple(sorted(known, key=lambda label: (number(label) or 0.0, label) if _all_numbers(known) else label))
    if len(classes) < 2:
        faults.append(f"{len(classes)} class to learn from where two are needed")
    faults += _found(
        "is for test and of a class that no training row has", held_out,
        lambda label: bool(label) and label not in known, held_out.column(options.label),
    )  # fmt: skip
    if not held_out.rows and not faults:
        faults.append("no row is left for test")
    columns = _columns(train, held_out, features, options, faults)
    if not columns and not faults:
        faults.append("no column but the label varies")
    if faults:
        raise DataError(f"The table {name!r} cannot be used as it is: {'; '.join(faults)}. Mend it or leave rows out.")
    sides = (_side(part, columns, classes, options.label) for part in (train, held_out))
    return TableSet(name.replace("/", "_"), classes, columns, *sides)


def _features(name: str, sheet: Sheet, test: Sheet | None, options: Options) -> tuple[str, ...]:
    """The columns that are learned from. Raises: DataError with every column that is asked for and not there."""
    faults = []
    asked = {"label": [options.label], "split": [options.split] if options.split else []}
    asked |= {"categorical": options.categorical, "ignore": options.ignore}
    for argument, names in asked.items():
        faults += [
            f"{sheet.file} has no column {column!r}, which the argument {argument!r} names. "
            f"{did_you_mean(column, sheet.columns)}"
            for column in names
            if column not in sheet.columns
        ]
    aside = {options.label, options.split, *options.ignore}
    features = tuple(column for column in sheet.columns if column not in aside)
    if test is not None and (lacks := [c for c in (*features, options.label) if c not in test.columns]):
        faults.append(f"{test.file} lacks {some([repr(c) for c in lacks])}, which {sheet.file} has.")
    if faults:
        raise DataError(f"The table {name!r} cannot be read: {' '.join(faults)}")
    return features


def _label_faults(sheets: Sequence[Sheet], options: Options) -> list[str]:
    return [
        fault
        for sheet in sheets
        for fault in _found("has no label", sheet, lambda label: not label, sheet.column(options.label))
    ]


def _halves(
    sheet: Sheet, features: Sequence[str], options: Options, faults: list[str]
) -> tuple[Sheet, Sheet]:  # fmt: skip
    """(train, test) by the split column, else by content: equal rows stay together, each side in the order of digests.

    Faults are added to the list.
    """
    if options.split:
        sides = sheet.column(options.split)
        faults += _found("is for neither train nor test", sheet, lambda s: s not in ("train", "test"), sides)
        return tuple(sheet.take(i for i, s in enumerate(sides) if s == side) for side in ("train", "test"))  # pyright: ignore[reportReturnType]
    labels = sheet.column(options.label)
    counts = Counter(label for label in labels if label)
    alone = "is the only one of its class, which needs two, one to learn from and one for test"
    faults += _found(alone, sheet, lambda label: counts[label] == 1, labels)
    number_of = {label: i for i, label in enumerate(sorted(set(labels)))}
    read = sheet.ordered(features).rows
    digests = [digest([cell if (value := number(cell)) is None else value for cell in row]) for row in read]
    first: dict[str, int] = {}
    groups = [first.setdefault(one, i) for i, one in enumerate(digests)]
    test = side_by_content([number_of[label] for label in labels], digests, groups)
    order = sorted(range(len(labels)), key=lambda i: (digests[i], labels[i]))
    return sheet.take(i for i in order if not test[i]), sheet.take(i for i in order if test[i])


def _columns(
    train: Sheet, test: Sheet, features: Sequence[str], options: Options, faults: list[str]
) -> tuple[Column, ...]:  # fmt: skip
    """What each column is; those that do not vary in the training rows are left out. Faults are added to the list."""
    columns = []
    for name in features:
        try:
            column = column_of(name, train.column(name), name in options.categorical)
        except ValueError as error:
            why, rows = error.args
            cells = train.column(name)
            faults.append(f"{why} {some([f'{train.places[i]} ({cells[i]!r})' for i in rows])}".rstrip())
            continue
        if column is None:
            continue
        columns.append(column)
        if not isinstance(column, Categories):
            faults += _found(f"has no number in the column {name!r}", test, column.refuses, test.column(name))
        elif options.unknown == "error":
            what = f"has a category of {name!r} that no training row has (unknown: zeros lets them pass)"
            faults += _found(what, test, column.refuses, test.column(name))
    return tuple(columns)


def _side(sheet: Sheet, columns: Sequence[Column], classes: tuple[str, ...], label: str) -> TableSide:
    cells = [sheet.column(column.name) for column in columns]
    rows = zip(*([column.encode(cell) for cell in column_cells] for column, column_cells in zip(columns, cells)))
    values = tuple(tuple(value for part in row for value in part) for row in rows)
    return TableSide(values, tuple(classes.index(name) for name in sheet.column(label)))


def _found(what: str, sheet: Sheet, wrong: Callable[[str], bool], cells: Sequence[str]) -> list[str]:
    """One sentence for all rows whose cell is wrong, none where none is."""
    where = [
        f"{sheet.places[i]} ({cell!r})" if cell else sheet.places[i] for i, cell in enumerate(cells) if wrong(cell)
    ]
    return [f"{len(where)} row{'s' if len(where) > 1 else ''}, each of which {what}: {some(where)}"] if where else []


def _all_numbers(labels: set[str]) -> bool:
    return all(number(label) is not None for label in labels)
