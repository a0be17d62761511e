"""From a path to the set that lies there, by what the path is: a folder of pictures, arrays, a release of tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ddbench.artifact.distilled import CARD, TENSORS
from ddbench.datasets.picture_folders import class_folders
from ddbench.errors import ArtifactError
from ddbench.imported.arrays import Names, read_npz, read_safetensors
from ddbench.imported.given import Labelled, SoftLabels, checked
from ddbench.imported.pictures import read_pictures
from ddbench.imported.torch_files import SUFFIXES, read_torch, read_torch_folder, released_images
from ddbench.interfaces.dataset import DatasetCard

FORMS = (
    "a set of ddbench (distilled.json, distilled.safetensors), a folder of pictures with one folder a class, an .npz "
    "or .safetensors file, a torch file of DC or DM (.pt), a folder of MTT (images_best.pt, labels_best.pt)"
)


@dataclass(frozen=True)
class Asked:
    """What the user says of a set, beside what its values mean."""

    names: Names = field(default_factory=Names)
    soft_labels: SoftLabels = "auto"
    resize: bool = False


def is_ours(path: Path) -> bool:
    """Whether a set of ddbench lies at the path: its folder, its card, or tensors with their card beside."""
    if path.is_dir():
        return (path / CARD).is_file()
    return path.name in (CARD, TENSORS) and (path.parent / CARD).is_file()


def read(path: Path, card: DatasetCard, asked: Asked) -> tuple[str, list[Labelled]]:
    """(what was read, the sets: several where the file holds several experiments).

    Raises: ArtifactError where there is nothing, or nothing sound.
    """
    if path.is_dir():
        return _folder(path, card, asked)
    if not path.is_file():
        raise ArtifactError(f"There is no file or folder {path}. Known are {FORMS}.")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return "arrays of an .npz file", _checked([read_npz(path, asked.names)], card, asked, path)
    if suffix == ".safetensors":
        return "arrays of a .safetensors file", _checked([read_safetensors(path, asked.names)], card, asked, path)
    if suffix in SUFFIXES:
        return "tensors of a torch file", _checked(read_torch(path), card, asked, path)
    raise ArtifactError(f"{path} is of no known form. Known are {FORMS}. Pickles of other kinds are not loaded.")


def _folder(path: Path, card: DatasetCard, asked: Asked) -> tuple[str, list[Labelled]]:
    if released_images(path) is not None:
        return "tensors of a released folder", _checked(read_torch_folder(path), card, asked, path)
    if class_folders(path):
        if not card.signal.fits_image_files:
            raise ArtifactError(
                f"{path} is a folder of pictures; the signals of {card.name!r}, of shape {card.signal.shape}, are none."
            )
        return "a folder of pictures", [read_pictures(path, card.class_names, card.signal, asked.resize)]
    raise ArtifactError(f"{path} holds neither class folders nor a set. Known are {FORMS}.")


def _checked(found: list, card: DatasetCard, asked: Asked, path: Path) -> list[Labelled]:
    several = len(found) > 1
    where: Callable[[int], str] = lambda i: f"{path}, experiment {i}," if several else str(path)  # noqa: E731
    return [checked(a, card.class_names, asked.soft_labels, where(i)) for i, a in enumerate(found)]
