"""A subset's classes in a copy of ImageNet-1k that the `datasets` library reads, whatever it calls them."""

from __future__ import annotations

from pathlib import Path

from ddbench.datasets.hub_rows import HubRows
from ddbench.datasets.imagenet_lists import places, subsets
from ddbench.datasets.picture_sets import Side
from ddbench.errors import DataError

THOUSAND = 1000


def is_copy(folder: Path) -> bool:
    """Whether a folder is a set of the `datasets` library rather than a tree of pictures by class."""
    if (folder / "dataset_dict.json").exists():
        return True
    return next(folder.glob("*.parquet"), next(folder.glob("data/*.parquet"), None)) is not None


def of_copy(rows: HubRows, subset: str) -> tuple[Side, Side]:
    """(train, test) of the subset's classes, in its order. Raises: DataError naming what the copy lacks."""
    classes = subsets()[subset]
    train, test = rows.sides(labels(rows.class_names, subset, rows.repo))
    missing = [
        f"{split}: {wnid} ({name})"
        for split, side in ((rows.train, train), (rows.test, test))
        for found in [set(side.labels)]
        for k, (wnid, name) in enumerate(classes)
        if k not in found
    ]
    if missing:
        raise DataError(f"{rows.repo!r} has no picture of these classes of {subset!r}: {', '.join(missing)}.")
    return train, test


def labels(names: tuple[str, ...], subset: str, repo: str) -> list[int]:
    """The copy's labels of the subset's classes.

    By WordNet id where the copy's classes are called so; else by place, where they are a thousand in the usual order.
    Words are looked at to see that they are. Raises: DataError where neither is so.
    """
    classes = subsets()[subset]
    if any(wnid in names for wnid, _ in classes):
        if lacking := [f"{wnid} ({name})" for wnid, name in classes if wnid not in names]:
            raise DataError(f"{repo!r} has no classes {', '.join(lacking)}, which {subset!r} takes.")
        return [names.index(wnid) for wnid, _ in classes]
    if len(names) != THOUSAND:
        raise DataError(
            f"{repo!r} is no copy of ImageNet-1k that is known here: it has {len(names):,} classes, such "
            f"as {', '.join(names[:3])}, where a thousand in the order of WordNet ids, or WordNet ids, were expected."
        )
    found = [places()[wnid] for wnid, _ in classes]
    told = [(names[i], name) for i, (_, name) in zip(found, classes, strict=True) if not names[i].isdigit()]
    strange = [f"{theirs!r} for {name!r}" for theirs, name in told if not _akin(theirs, name)]
    if len(strange) > len(classes) // 2:
        raise DataError(
            f"The thousand classes of {repo!r} are in another order than that of their WordNet ids: they have "
            f"{'; '.join(strange[:3])}. Rename them by WordNet id."
        )
    return found


def _akin(theirs: str, name: str) -> bool:
    """Whether a class called `theirs` (`tench, Tinca tinca`) may be `name`: they share a word."""
    a, b = (set(text.lower().replace("-", " ").replace(",", " ").replace("_", " ").split()) for text in (theirs, name))
    return bool(a & b)
