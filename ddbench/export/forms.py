"""The files of an export: pictures by class, Parquet of the datasets library, safetensors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from ddbench.errors import SpecError
from ddbench.export.opened import Opened
from ddbench.imported.codec import png, to_levels
from ddbench.interfaces.signal import SignalSpec


@dataclass(frozen=True)
class Form:
    """A form in which sets are exported."""

    write: Callable[[Opened, Path], None]
    told: Callable[[Opened], str]
    """How its files are read, in Markdown."""
    data_files: str = ""
    """Which files the hub's viewer shows; '' where it finds them itself, or has no view of them."""
    only_images: bool = False


def check(name: str, signal: SignalSpec) -> None:
    """Raises: SpecError for a form that does not hold such signals."""
    if FORMS[name].only_images and not signal.fits_image_files:
        others = " and ".join(other for other, form in FORMS.items() if not form.only_images)
        raise SpecError(
            f"Signals of shape {signal.shape} are no pictures, so there are no {name} of them. Take {others}."
        )


def levels(found: Opened) -> Tensor:
    """uint8 pictures `[P, c, h, w]`, rounded and clipped."""
    return to_levels(found.raw)


def clipped_share(found: Opened) -> float:
    """The share of raw values that 8 bits cannot hold since they lie outside [0, 1]."""
    raw = found.raw
    return float(((raw < -0.5 / 255) | (raw > 1 + 0.5 / 255)).double().mean())


def class_folder(k: int, names: tuple[str, ...]) -> str:
    """The folder of class k: its index, so that folders sort as classes do, and its name."""
    safe = re.sub(r"[^\w-]+", "_", names[k]).strip("_")[:60]
    index = f"{k:0{len(str(len(names) - 1))}d}"
    return index if safe in ("", index) else f"{index}_{safe}"


def write_images(found: Opened, folder: Path) -> None:
    names = found.stored.card.class_names
    count = [0] * len(names)
    width = max(4, len(str(len(found.y))))
    for picture, k in zip(levels(found), found.y.tolist()):
        place = folder / class_folder(k, names)
        place.mkdir(exist_ok=True)
        (place / f"{count[k]:0{width}d}.png").write_bytes(png(picture))
        count[k] += 1


def write_parquet(found: Opened, folder: Path) -> None:
    from datasets import Array2D, Array3D, ClassLabel, Dataset, Features, Image, Sequence, Value
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    card = found.stored.card
    label = ClassLabel(names=list(card.class_names))
    if card.signal.fits_image_files:
        first, kind = "image", Image()
        values = [{"bytes": png(picture), "path": None} for picture in levels(found)]
    else:
        arrays = {2: Array2D, 3: Array3D}.get(len(card.signal.shape))
        kind = arrays(card.signal.shape, "float32") if arrays else Sequence(Value("float32"))
        first, values = "signal", _rows(found.raw, len(card.signal.shape))
    columns: dict[str, object] = {first: values, "label": found.y.tolist()}
    features = {first: kind, "label": label}
    if found.soft is not None:
        columns["soft_label"] = found.soft.tolist()
        features["soft_label"] = Sequence(Value("float32"))
    (folder / "data").mkdir()
    made = Dataset.from_dict(columns, features=Features(features))
    made.to_parquet(folder / "data" / "train-00000-of-00001.parquet")


def _rows(raw: Float[Tensor, "p *shape"], axes: int) -> list[object]:
    """Arrays of the datasets library's own kinds; other shapes flat, in C order."""
    values = raw if axes in (1, 2, 3) else raw.flatten(1)
    return [row.numpy() for row in values]


def write_safetensors(found: Opened, folder: Path) -> None:
    from safetensors.torch import save_file

    tensors = {"x": found.x.contiguous(), "y": found.y.long()}
    if found.soft is not None:
        tensors["soft_labels"] = found.soft.float().contiguous()
    card = found.stored.card
    about = {"dataset": card.dataset, "revision": card.revision, "codec": card.codec.name, "normalisation": "dataset"}
    save_file({name: t.clone() for name, t in tensors.items()}, folder / "items.safetensors", about)


def _told_images(found: Opened) -> str:
    return (
        "A folder a class, the class's index before its name; 8-bit PNG files, values rounded, "
        f"{100 * clipped_share(found):.2f} % of them clipped to [0, 1].\n\n"
        '```python\nfrom torchvision.datasets import ImageFolder\n\nitems = ImageFolder("here")\n```'
    )


def _told_parquet(found: Opened) -> str:
    as_png = found.stored.card.signal.fits_image_files
    what = "`image` (8-bit PNG, values rounded and clipped)" if as_png else "`signal` (raw)"
    more = ", `soft_label` (probabilities)" if found.soft is not None else ""
    return (
        f"Columns {what}, `label`{more}.\n\n"
        "```python\nfrom datasets import load_dataset\n\n"
        'items = load_dataset("parquet", data_files="here/data/*.parquet")["train"]\n```'
    )


def _told_safetensors(found: Opened) -> str:
    signal = found.stored.card.signal
    more = ", `soft_labels` (probabilities)" if found.soft is not None else ""
    return (
        f"Tensors `x` {list(found.x.shape)}, `y`{more}. Signals are float32 and normalised: raw = x · std + mean, mean "
        f"{[round(m, 6) for m in signal.mean][:8]}, std {[round(s, 6) for s in signal.std][:8]} a channel.\n\n"
        '```python\nfrom safetensors.torch import load_file\n\nitems = load_file("here/items.safetensors")\n```'
    )


FORMS = {
    "images": Form(write_images, _told_images, only_images=True),
    "parquet": Form(write_parquet, _told_parquet, "data/*.parquet"),
    "safetensors": Form(write_safetensors, _told_safetensors),
}
