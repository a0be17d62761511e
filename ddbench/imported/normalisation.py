"""What the numbers of a tensor mean: declared by the user, compared with what is there, never guessed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddbench.errors import ArtifactError, SpecError
from ddbench.imported.codec import Values
from ddbench.interfaces.signal import SignalSpec

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
KNOWN = "dataset, none, 255, imagenet, zca, or mean,std (one of each, or one a channel: m,m,m,s,s,s)"


@dataclass(frozen=True)
class Normalisation:
    """How values are to be read, as the arguments of the codec `imported` have it."""

    values: Values
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def declared(text: str, signal: SignalSpec) -> Normalisation:
    """What `--normalisation` says. Raises: SpecError where it says nothing that is known."""
    match text.strip().lower():
        case "dataset":
            return Normalisation("dataset")
        case "none":
            return Normalisation("raw")
        case "255":
            return Normalisation("bytes")
        case "imagenet" if signal.channels == 3:
            return Normalisation("constants", *IMAGENET)
        case "imagenet":
            raise SpecError(f"imagenet's constants are those of 3 channels; the dataset has {signal.channels}.")
        case "zca":
            raise SpecError(
                "Whitened values are codes: name the codec that whitens them, such as --codec '{zca: {refit: true}}', "
                "which fits the transform again on the training set."
            )
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SpecError(f"The normalisation {text!r} is not known. Give {KNOWN}.") from None
    half = len(numbers) // 2
    mean, std = numbers[:half], numbers[half:]
    if len(numbers) not in (2, 2 * signal.channels) or not all(map(torch.isfinite, torch.tensor(numbers))):
        raise SpecError(f"mean,std are 2 numbers, or {2 * signal.channels}; got {text!r}.")
    if min(std) <= 0:
        raise SpecError(f"The deviations of --normalisation should be positive; got {text!r}.")
    return Normalisation("constants", mean, std)


def reading(x: Tensor, text: str | None, signal: SignalSpec, where: str) -> Normalisation:
    """How to read the tensors. 8-bit ones need no word.

    Raises: SpecError where float tensors come without a declaration, saying what their range suggests; ArtifactError
    where what was declared cannot be.
    """
    if x.dtype == torch.uint8:
        if text not in (None, "none", "255"):
            raise SpecError(f"{where} holds 8-bit values, which are 0–255: --normalisation {text} cannot be.")
        if (signal.low, signal.high) != (0, 1):
            raise ArtifactError(f"{where} holds 8-bit values; the dataset's signals are no 8-bit data.")
        return Normalisation("bytes")
    if text is None:
        spread = f"mean {float(x.double().mean()):.3g}, deviation {float(x.double().std(correction=0)):.3g}"
        raise SpecError(
            f"{where} holds values from {float(x.min()):.4g} to {float(x.max()):.4g} ({spread}). Say what they are: "
            f"--normalisation {KNOWN}. {suggestion(x, signal)}".rstrip()
        )
    told = declared(text, signal)
    if told.values in ("raw", "bytes") and signal.low is not None and signal.high is not None:
        factor = 255 if told.values == "bytes" else 1
        low, high = factor * signal.low, factor * signal.high
        margin = (high - low) / 2
        outside = float(((x < low - margin) | (x > high + margin)).double().mean())
        if outside > 0.01:
            raise ArtifactError(
                f"{where}: {outside:.0%} of its values lie far outside {low:g} … {high:g}, so --normalisation {text} "
                f"cannot be. {suggestion(x, signal)}"
            )
    return told


def suggestion(x: Tensor, signal: SignalSpec) -> str:
    """What the range of the values looks like; '' where it says nothing."""
    low, high = float(x.min()), float(x.max())
    if (signal.low, signal.high) != (0, 1):
        return "Values in the dataset's own units are none, normalised ones dataset."
    if low >= 0 and high <= 1:
        return "They look like raw values: none."
    if low >= 0 and 1.5 < high <= 255:
        return "They look like 8-bit values kept as floats: 255."
    if low < 0:
        return "They look normalised: dataset, if by the dataset's own constants."
    return ""
