"""What a set made elsewhere holds once it is read, and all that can be wrong with its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ddbench.errors import ArtifactError

MOST_BYTES = 2**31 - 1
"""The most that a set may take: more is no distilled set, or a file that lies about its size."""
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.uint8)
SoftLabels = Literal["auto", "probabilities", "logits"]


@dataclass(frozen=True)
class Arrays:
    """Tensors and labels as they stood in the file: nothing is checked yet."""

    x: Tensor
    y: Tensor
    """Classes `[M]`, or soft labels `[M, K]`."""
    soft: Tensor | None = None
    """Soft labels of a file that holds classes as well."""
    lr: float | None = None
    """A learned step size that came with the set."""


@dataclass(frozen=True)
class Labelled:
    """A checked set: tensors `[M, *shape]` as they were given, or the contents of picture files."""

    items: Tensor | list[bytes]
    classes: Int[Tensor, " m"]
    soft: Float[Tensor, "m k"] | None = None
    soft_labels: Literal["none", "probabilities", "logits"] = "none"
    lr: float | None = None


def checked(arrays: Arrays, class_names: tuple[str, ...], soft_labels: SoftLabels, where: str) -> Labelled:
    """The set, sound. Raises: ArtifactError with every mistake in it."""
    x, y, soft = arrays.x, arrays.y, arrays.soft
    K = len(class_names)
    faults = [*_signal_faults(x), *_rate_faults(arrays.lr)]
    if soft is None and y.dim() == 2 and y.shape[1] > 1 and not _one_hot(y):
        soft, y = y, None
    elif y.dim() == 2:
        y = y.argmax(1) if y.shape[1] > 1 else y.squeeze(1)
    kind: Literal["none", "probabilities", "logits"] = "none"
    if soft is not None:
        soft_faults = _soft_faults(soft, K, len(x))
        if not soft_faults:
            kind, why = _kind(soft, soft_labels)
            soft_faults = [why] if why else []
        if y is None:
            y = torch.zeros(len(x), dtype=torch.long) if soft_faults else soft.argmax(1)
        faults += soft_faults
    assert y is not None, "classes, or those of the soft labels"
    faults += _class_faults(y, K, len(x))
    if faults:
        raise ArtifactError(f"{where} cannot be used: {'; '.join(faults)}.")
    return Labelled(x, y.long(), soft, kind, arrays.lr)


def _signal_faults(x: Tensor) -> list[str]:
    if x.dim() < 2 or not len(x):
        return [f"its signals have shape {tuple(x.shape)}; one row an item is needed, of at least one value"]
    if x.numel() * x.element_size() > MOST_BYTES:
        return [f"its signals take {x.numel() * x.element_size():,} bytes; the most is {MOST_BYTES:,}"]
    if x.dtype not in DTYPES:
        known = ", ".join(_name(t) for t in DTYPES)
        return [f"its signals are {_name(x.dtype)}; known are {known}. Convert them, so that their bytes are counted"]
    if x.is_floating_point() and (spoilt := int((~x.flatten(1).isfinite().all(1)).sum())):
        return [f"{spoilt} of its {len(x)} signals hold values that are not finite (NaN or infinite)"]
    return []


def _class_faults(y: Tensor, K: int, items: int) -> list[str]:
    if y.dim() != 1 or len(y) != items:
        return [f"its labels have shape {tuple(y.shape)}; classes [{items}] or soft labels [{items}, {K}] are needed"]
    if y.is_complex() or (y.is_floating_point() and not bool((y.isfinite() & (y == y.round())).all())):
        return ["its labels are no whole numbers"]
    if not items:
        return []  # told of the signals
    low, high = int(y.min()), int(y.max())
    if low >= 0 and high < K:
        return []
    hint = ". They seem to count from 1: subtract 1" if (low, high) == (1, K) else ""
    return [f"its labels run from {low} to {high}; the dataset has classes 0 to {K - 1}{hint}"]


def _soft_faults(soft: Tensor, K: int, items: int) -> list[str]:
    if tuple(soft.shape) != (items, K):
        return [f"its soft labels have shape {tuple(soft.shape)}; [{items}, {K}] is needed"]
    if soft.dtype not in DTYPES or soft.dtype == torch.uint8:
        return [f"its soft labels are {_name(soft.dtype)}, not a floating-point type"]
    return [] if bool(soft.isfinite().all()) else ["its soft labels hold values that are not finite"]


def _rate_faults(lr: float | None) -> list[str]:
    return [] if lr is None or 0 < lr < float("inf") else [f"its learned step size is {lr}; it should be positive"]


def _kind(soft: Tensor, asked: SoftLabels) -> tuple[Literal["probabilities", "logits"], str]:
    """(what soft labels are, what is wrong with that)."""
    values = soft.double()
    sums = values.sum(1)
    distributions = bool((values >= 0).all() and ((sums - 1).abs() < 1e-2).all())
    if asked == "probabilities" and not distributions:
        return asked, f"its soft labels are no probabilities: rows sum to {sums.min():.3g} … {sums.max():.3g}"
    if asked == "auto" and not distributions:
        return "logits", (
            f"its soft labels are no probabilities (rows sum to {sums.min():.3g} … {sums.max():.3g}): if they are "
            "logits, say --soft-labels logits"
        )
    return ("logits" if asked == "logits" else "probabilities"), ""


def _one_hot(y: Tensor) -> bool:
    """Whether each row names one class and nothing else: such labels are classes, and cost nothing."""
    if y.dim() != 2 or y.is_complex() or not y.numel():
        return False
    return bool(((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
