"""Rows of pictures in the format of the `datasets` library: which are kept, what they are called, how one is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from ddbench.datasets.pictures import opened
from ddbench.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from PIL.Image import Image

Row = tuple[str, int]
"""A split's name and a row's number in it."""


def opener(found: dict[str, Any], repo: str, column: str) -> Callable[[Row, int], Image]:
    """What opens a row's picture at a size that is wanted. Raises: DataError where the column holds no pictures."""
    coded = {name: undecoded(split, repo, column) for name, split in found.items()}

    def read(row: Row, wanted: int) -> Image:
        name, i = row
        stored, where = coded[name][i][column], f"row {i} of {name}"
        if stored is None or (stored["bytes"] is None and not stored["path"]):
            raise DataError(f"{where} has no picture.")
        if stored["bytes"] is None:
            return opened(stored["path"], wanted)
        return opened(where, wanted, stored["bytes"])

    return read


def undecoded(split: Any, repo: str, column: str) -> Any:
    """The column alone, its pictures as stored bytes. Raises: DataError where it holds no pictures."""
    import datasets

    feature = split.features[column]
    if not isinstance(feature, datasets.Image):
        raise DataError(f"The column {column!r} of {repo!r} holds no pictures (the feature Image) but {feature}.")
    return split.select_columns([column]).cast_column(column, datasets.Image(decode=False))


def chosen(names: Sequence[str], wanted: Sequence[str | int], repo: str) -> list[int]:
    """The labels of classes that are wanted by name or by label, in their order.

    Raises: DataError naming all that are not there, or are given twice.
    """
    index = {name: k for k, name in enumerate(names)}
    labels, faults = list[int](), list[str]()
    for one in wanted:
        k = one if isinstance(one, int) else index.get(one, -1)
        if not 0 <= k < len(names):
            near = f"labels go from 0 to {len(names) - 1}" if isinstance(one, int) else did_you_mean(one, names)
            faults.append(f"there is no class {one!r} ({near.rstrip('.')})")
        elif k in labels:
            faults.append(f"the class {one!r} is given twice (it is label {k}, {names[k]!r})")
        else:
            labels.append(k)
    if faults:
        raise DataError(f"Of the {len(names)} classes of {repo!r}, {'; '.join(faults)}. Mend the argument 'classes'.")
    return labels


def kept(labels: Sequence[int], wanted: Sequence[int]) -> tuple[list[int], list[int]]:
    """(rows whose label is wanted, their new labels: places in `wanted`)."""
    place = {label: k for k, label in enumerate(wanted)}
    rows = [i for i, label in enumerate(labels) if label in place]
    return rows, [place[labels[i]] for i in rows]


def stored_as(split: Any, column: str, rows: Sequence[int]) -> list[tuple[str, int]] | None:
    """(file name, bytes) of the pictures as they are stored, none of them read; None where one has no such name."""
    import pyarrow as pa
    from pyarrow import compute

    pc = cast("Any", compute)  # its functions are made when it is imported

    names, sizes = list[str | None](), list[int | None]()
    taken = pa.array(rows, pa.int64())
    for field, into, of in (("path", names, lambda x: x), ("bytes", sizes, pc.binary_length)):
        chunks = [of(pc.struct_field(chunk, field)) for chunk in split.data.column(column).chunks]
        into += pa.chunked_array(chunks).take(taken).to_pylist() if chunks else []
    pairs = [(os.path.basename(name), size) for name, size in zip(names, sizes) if name and size is not None]
    return pairs if len(pairs) == len(rows) else None
