"""Reading torch files as DC, DM and MTT released them, without executing what is pickled in them.

DC, DM: one file, {'data': [[images, labels] of each experiment], 'accs_all_exps': scores, which are ignored}.
MTT and its kin: a folder with images_best.pt and labels_best.pt, and lr_best.pt where the step size was kept. IDC: one
file, [images, labels].
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.errors import ArtifactError
from ddbench.imported.arrays import LABELS, RATE, SIGNALS, check_archive, check_size, rate_of
from ddbench.imported.given import MOST_BYTES, Arrays

SUFFIXES = (".pt", ".pth")
_GLOBAL = re.compile(r"GLOBAL (\S+)")
_BROKEN = (
    RuntimeError, OSError, ValueError, EOFError, KeyError, TypeError, IndexError, AttributeError, AssertionError,
    MemoryError, OverflowError, NotImplementedError, UnicodeDecodeError, pickle.UnpicklingError,
)  # fmt: skip
"""What torch's reader raises for files that are damaged or none of torch's."""


class _Ignored:
    """Stands for numpy's numbers, in which the scores of DC's files are kept: they are not looked at."""

    def __init__(self, *of: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_NUMBERS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")


def read_torch(path: Path) -> list[Arrays]:
    """The sets in a file, one an experiment. Raises: ArtifactError naming file and fault."""
    held = load_torch(path)
    if isinstance(held, Tensor):
        return [_beside(path, held)]
    if isinstance(held, dict) and isinstance(held.get("data"), list | tuple):
        if not held["data"]:
            raise ArtifactError(f"{path} holds no experiment: its 'data' are empty.")
        return [_pair(path, pair, f"experiment {i} of 'data'") for i, pair in enumerate(held["data"])]
    if isinstance(held, dict):
        x, y, rate = (next((held[n] for n in names if n in held), None) for names in (SIGNALS, LABELS, RATE))
        return [_pair(path, (x, y), "the file", rate if isinstance(rate, float | Tensor) else None)]
    return [_pair(path, held, "the file")]


def read_torch_folder(folder: Path) -> list[Arrays]:
    """The set in a folder of MTT's layout: its best images, or those of the last iteration."""
    images = released_images(folder)
    assert images is not None, "asked for folders that hold images"
    return read_torch(images)


def released_images(folder: Path) -> Path | None:
    """images_best.pt of a folder, else its images_N.pt of the largest N; None where it holds neither."""
    best = folder / "images_best.pt"
    if best.is_file():
        return best
    numbered = [(int(m[1]), p) for p in folder.glob("images_*.pt") if (m := re.fullmatch(r"images_(\d+)\.pt", p.name))]
    return max(numbered)[1] if numbered else None


def load_torch(path: Path) -> Any:
    """What a torch file holds: tensors, numbers, text, lists and mappings.

    Raises: ArtifactError for anything else, naming the Python global that the file asks for.
    """
    check_size(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                check_archive(path, archive)
        with torch.serialization.safe_globals([(_Ignored, name) for name in _NUMBERS]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except zipfile.BadZipFile as error:
        raise ArtifactError(f"{path} is no torch file, or was cut short: {error}.") from error
    except _BROKEN as error:
        said = str(error)
        if asked := _GLOBAL.search(said):
            raise ArtifactError(
                f"{path} asks Python to load {asked[1]!r}, so it is a pickle that may run code. It was not loaded: "
                "save its tensors as .npz or .safetensors where you trust it."
            ) from error
        first = said.splitlines()[0] if said else type(error).__name__
        raise ArtifactError(f"{path} is no torch file that holds tensors, or was cut short: {first}") from error


def _beside(images: Path, x: Tensor) -> Arrays:
    """Images whose labels, and step size where there is one, lie in files of their own: images_N, labels_N, lr_N."""
    match = re.fullmatch(r"(?:images|data)(?:_zca)?(.*)", images.stem)
    labels = images.with_name(f"labels{match[1]}{images.suffix}") if match else None
    if labels is None or not labels.is_file():
        wanted = labels.name if labels is not None else "labels_best.pt beside images_best.pt"
        raise ArtifactError(f"{images} holds one tensor and no labels, and there is no {wanted} beside it.")
    y = load_torch(labels)
    if not isinstance(y, Tensor):
        raise ArtifactError(f"{labels} holds {_told(y)}; a tensor of labels is needed.")
    assert match is not None
    rates = [images.with_name(f"{name}{match[1]}{images.suffix}") for name in RATE]
    rate = next((load_torch(path) for path in rates if path.is_file()), None)
    if rate is not None and not isinstance(rate, float | Tensor):
        raise ArtifactError(f"{images.parent} has a step size that is {_told(rate)}; one number is needed.")
    return Arrays(_bounded(images, x), _bounded(labels, y), lr=rate_of(images, rate))


def _pair(path: Path, pair: Any, what: str, rate: Tensor | float | None = None) -> Arrays:
    if isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(part, Tensor) for part in pair):
        return Arrays(_bounded(path, pair[0]), _bounded(path, pair[1]), lr=rate_of(path, rate))
    found = " and ".join(map(_told, pair)) if isinstance(pair, list | tuple) and len(pair) == 2 else _told(pair)
    raise ArtifactError(f"{path}: {what} should be images and labels, two tensors; found {found}.")


def _bounded(path: Path, tensor: Tensor) -> Tensor:
    """The tensor in memory of its own: a file may hold one number and say that it is a million."""
    if tensor.numel() * tensor.element_size() > MOST_BYTES:
        raise ArtifactError(f"{path} holds a tensor of shape {tuple(tensor.shape)}, more than {MOST_BYTES:,} bytes.")
    if tensor.is_sparse or tensor.is_quantized or tensor.device.type != "cpu":
        raise ArtifactError(f"{path} holds a tensor that is not a plain one (sparse, quantised or without values).")
    return tensor.detach().contiguous()


def _told(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
