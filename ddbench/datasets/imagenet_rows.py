"""Which rows of a copy of ImageNet-1k, in the format of the `datasets` library, are a subset's ten classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from ddbench.canonical import digest
from ddbench.datasets.hub_rows import kept, stored_as
from ddbench.datasets.picture_sets import Side
from ddbench.errors import DataError

Class = tuple[int, str, str]
"""Place among the sorted 1000 WordNet ids, WordNet id, name."""
N_CLASSES = 1000
STRANGE = 2
"""Of a subset's ten classes so many may have names that share no word with those known here."""
WNID = re.compile(r"n\d{8}")
FILE = re.compile(r"n\d{8}_\d+|ILSVRC2012_val_\d{8}")
"""What ImageNet calls a picture; some copies put the WordNet id behind it."""


def labels_of(classes: Sequence[Class], names: Sequence[str], repo: str) -> list[int]:
    """The copy's labels of the classes: by WordNet id where it names them so, else by place among exactly 1000.

    Raises: DataError saying what was found in place of either.
    """
    if sum(bool(WNID.fullmatch(name)) for name in names) * 2 > len(names):
        lacking = [f"{wnid} ({name})" for _, wnid, name in classes if wnid not in names]
        if lacking:
            raise DataError(f"The labels of {repo!r} are {len(names)} WordNet ids; {', '.join(lacking)} are not there.")
        return [names.index(wnid) for _, wnid, _ in classes]
    if len(names) != N_CLASSES:
        raise DataError(
            f"{repo!r} has {len(names)} classes, {', '.join(map(repr, names[:3]))}, …. A copy of ImageNet-1k is asked "
            f"for: classes named by WordNet id, or {N_CLASSES} of them in the order of their WordNet ids. Of a part of "
            "it under other names, name the classes with `hub_images` and its argument 'classes'."
        )
    strange = [
        f"label {i} is {names[i]!r}, not {name!r}"
        for i, _, name in classes
        if names[i] != str(i) and not _words(names[i]) & _words(name)
    ]
    if len(strange) > STRANGE:
        raise DataError(
            f"The {N_CLASSES} classes of {repo!r} are not in the order of their WordNet ids: {'; '.join(strange)}. "
            "Take a copy in that order, or one whose classes are named by WordNet id."
        )
    return [i for i, *_ in classes]


def sides(
    splits: tuple[str, str], found: dict[str, Any], image: str, labels: dict[str, list[int]], wanted: Sequence[int],
    classes: Sequence[Class], known: Callable[[], list[str]],
) -> tuple[tuple[Side, Side], list[str]]:  # fmt: skip
    """The classes' rows of (train, test) as a tree of files has them, and what is missing.

    Rows are known by ImageNet's own file name and size where the copy keeps both, as files are: the same pictures are
    the same data wherever they lie. Else they are known by `known` and their number.
    """
    missing: list[str] = []

    def side(split: str) -> Side:
        rows, renumbered = kept(labels[split], wanted)
        present = set(renumbered)
        missing.extend(f"{split}/{wnid} ({name})" for k, (_, wnid, name) in enumerate(classes) if k not in present)
        stored = stored_as(found[split], image, rows)
        _check_names(stored or [], [classes[k] for k in renumbered], split)
        names = _files(stored)
        if names is None:
            whole = digest(known())[:16]
            names = [f"{whole} {split} {image} {i}" for i in rows]
        else:
            names = [f"{classes[k][1]}/{name}" for name, k in zip(names, renumbered, strict=True)]
        return Side(tuple((split, i) for i in rows), tuple(renumbered), tuple(names)).sorted()

    return (side(splits[0]), side(splits[1])), missing


def _check_names(stored: Sequence[tuple[str, int]], classes: Sequence[Class], split: str) -> None:
    """Raises: DataError where a file's own name says another WordNet id than its label: then the order is another."""
    for (name, _), (i, wnid, _) in zip(stored, classes):
        if (said := WNID.findall(name)) and wnid not in said:
            raise DataError(
                f"A picture of {split} with the label {i}, which is {wnid} in the order of WordNet ids, is called "
                f"{name}: the labels are in another order. Take a copy in that order, or one whose classes are named "
                "by WordNet id."
            )


def _files(stored: list[tuple[str, int]] | None) -> list[str] | None:
    """Name and size as a tree of the published files has them; None where one is not called so."""
    called = [(FILE.match(name), size) for name, size in stored or ()]
    if stored is None or not all(match for match, _ in called):
        return None
    return [f"{match[0]}.JPEG {size}" for match, size in called if match]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))
