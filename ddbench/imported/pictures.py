"""Reading a folder of pictures by class: names matched to the dataset's classes, no link followed out of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from ddbench.datasets.picture_folders import class_folders
from ddbench.datasets.pictures import SUFFIXES, opened
from ddbench.errors import ArtifactError, DataError, did_you_mean
from ddbench.imported.given import MOST_BYTES, Labelled
from ddbench.interfaces.signal import SignalSpec


def read_pictures(folder: Path, class_names: tuple[str, ...], signal: SignalSpec, resize: bool) -> Labelled:
    """The pictures of a folder, class by class, in the order of their names; other files are passed over.

    Raises: ArtifactError with every mistake: folders of no class, files that are no pictures, other sizes (unless they
    are to be resized), links that lead out of the folder.
    """
    names = class_folders(folder)
    classes, faults = matched(names, class_names)
    root, contents, labels, size = folder.resolve(), [], [], 0
    for name in sorted(classes, key=lambda n: (classes[n], n)):
        for path in [] if _leads_out(folder / name, root) else _files(folder / name):
            if fault := _leads_out(path, root):
                faults.append(fault)
                continue
            size += path.stat().st_size
            if size > MOST_BYTES:
                raise ArtifactError(f"{folder} cannot be used: its files have more than {MOST_BYTES:,} bytes.")
            content = _bytes(path)
            if fault := _fault(path, content, signal, resize):
                faults.append(fault)
            contents.append(content)
            labels.append(classes[name])
    faults += filter(None, (_leads_out(folder / name, root) for name in classes))
    if not contents and not faults:
        faults.append("there is no picture in its class folders")
    if faults:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")
        raise ArtifactError(f"{folder} cannot be used: {shown}.")
    return Labelled(contents, torch.tensor(labels, dtype=torch.long))


def matched(folders: list[str], class_names: tuple[str, ...]) -> tuple[dict[str, int], list[str]]:
    """(class of each folder, what is wrong): by the class's name, by its index, or by both, as `7_sneaker`."""
    slugs = [slug(name) for name in class_names]
    by_name = {name: k for k, name in enumerate(slugs) if slugs.count(name) == 1}
    found: dict[str, int] = {}
    faults = []
    for folder in folders:
        numbered = re.fullmatch(r"(\d+)(?:[_-](.+))?", folder)
        k = by_name.get(slug(folder))
        if k is None and numbered:
            index, rest = int(numbered[1]), numbered[2]
            sound = index < len(class_names) and (rest is None or slug(rest) == slugs[index])
            k = index if sound else None
        if k is None:
            faults.append(
                f"the folder {folder!r} is no class of the dataset. {did_you_mean(folder, class_names)}".strip(". ")
            )
        elif k in found.values():
            other = next(name for name, at in found.items() if at == k)
            faults.append(f"the folders {other!r} and {folder!r} are one class, {class_names[k]!r}")
        else:
            found[folder] = k
    return found, faults


def slug(name: str) -> str:
    """What two spellings of a name have in common: its letters and digits in lower case."""
    return re.sub(r"[\W_]", "", name.casefold()) or name


def _leads_out(path: Path, root: Path) -> str:
    real = Path(os.path.realpath(path))
    return "" if real.is_relative_to(root) else f"{path} is a link that leads out of the folder"


def _files(folder: Path) -> list[Path]:
    """Picture files below a folder, sorted; hidden ones and folders behind links are passed over."""

    def refuse(error: OSError) -> None:
        raise ArtifactError(f"{error.filename} cannot be read: {error.strerror or error}.") from error

    found = []
    for base, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(base) / n for n in names if not n.startswith(".") and n.lower().endswith(SUFFIXES)]
    return sorted(found)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}.") from error


def _fault(path: Path, content: bytes, signal: SignalSpec, resize: bool) -> str:
    _, height, width = signal.shape
    try:
        size = opened(path, content=content).size
    except DataError as error:
        return str(error).rstrip(".")
    if resize or size == (width, height):
        return ""
    return f"{path} is {size[0]} × {size[1]}, the dataset's are {width} × {height} (--resize brings them to that size)"
