"""The weights of an autoencoder on disk: found, whole, and named by the digest of what they hold. Nothing is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ddbench.canonical import digest
from ddbench.errors import DataError
from ddbench_codecs.autoencoders.card import CARD, CodecCard
from ddbench_codecs.autoencoders.places import CONFIG, Place
from ddbench_codecs.autoencoders.tensor_files import Entry, header, sha256


class MissingWeights(DataError):
    """Weights that are not here at all, as opposed to damaged ones."""


@dataclass(frozen=True)
class Weights:
    """A folder with config.json and safetensors."""

    folder: Path
    config: dict[str, Any]
    card: CodecCard | None
    files: tuple[Path, ...]

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Tensors by name. Raises: DataError where a file is not whole."""
        return {present_name(name): entry for file in self.files for name, entry in header(file).items()}

    @property
    def size_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.files)

    @property
    def digest(self) -> str:
        """Of everything that results depend on, never of where it lies: architecture, weights, range, datasets."""
        # what begins with an underscore says who saved the model and where
        config = {k: v for k, v in self.config.items() if k == "_class_name" or not k.startswith("_")}
        told = [list(self.card.range), list(self.card.datasets)] if self.card else [[-1.0, 1.0], []]
        return digest([config, [sha256(f) for f in self.files], *told])


def find(place: Place) -> Weights:
    """The weights that are meant, from this machine alone.

    Raises: MissingWeights saying where it looked and how to get them; DataError where what is there cannot be used.
    """
    folder = next((f for f in (place.local, place.hub_folder) if f is not None and f.is_dir()), None)
    if folder is None:
        raise _missing(place, CONFIG)
    config, files = _config(place, folder), _files(place, folder)
    return Weights(folder, config, _card(folder), files)


def _config(place: Place, folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    if not file.is_file():
        raise _missing(place, CONFIG)
    found = _json(file)
    if "_class_name" not in found:
        raise DataError(f"{file} does not name a model class (`_class_name`): it is no diffusers model's.")
    return found


def _card(folder: Path) -> CodecCard | None:
    file = folder / CARD
    if not file.is_file():
        return None
    try:
        return CodecCard.model_validate(_json(file))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors())
        raise DataError(f"{file} is not a valid codec card: {faults}.") from error


def _files(place: Place, folder: Path) -> tuple[Path, ...]:
    single, index = folder / place.weights_file, folder / place.index_file
    if single.is_file():
        return (single,)
    if not index.is_file():
        raise _missing(place, place.weights_file)
    try:
        names = sorted(set(_json(index)["weight_map"].values()))
    except (KeyError, AttributeError, TypeError) as error:
        raise DataError(f"{index} does not say which file holds which weights (`weight_map`).") from error
    if odd := [name for name in names if not isinstance(name, str) or not name or Path(name).name != name]:
        raise DataError(f"{index} names {odd[0]!r}, which is no file beside it. Fetch or copy it again.")
    lacking = [name for name in names if not (folder / name).is_file()]
    if lacking:
        raise _missing(
            place, ", ".join(lacking), f"{index} names {len(names)} files; {len(lacking)} of them are not there"
        )
    return tuple(folder / name for name in names)


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as JSON: {error}. Fetch or copy it again.") from error
    if not isinstance(found, dict):
        raise DataError(f"{file} should hold a JSON object. Fetch or copy it again.")
    return found


def _missing(place: Place, what: str, why: str = "") -> MissingWeights:
    looked = [f for f in (place.local, place.hub_repository) if f is not None]
    said = [f"The weights of {place} are not here: {what} is wanted. Looked in: {', '.join(map(str, looked))}."]
    if why:
        said.append(f"{why}.")
    pickles = [p for f in (place.local, place.hub_folder) if f is not None for p in sorted(f.glob("*.bin"))]
    if pickles:
        said.append(
            f"{pickles[0]} is a pickle, which can run code when it is read, so it is not: convert it once, by "
            "diffusers' from_pretrained(..., use_safetensors=False).save_pretrained(folder), where you trust it."
        )
    if half := [p for f in looked for p in sorted(f.rglob("*.incomplete"))]:
        said.append(f"A download was not finished ({half[0]}).")
    if place.is_shipped:
        said.append("This release of the codecs has no weights of that name.")
        return MissingWeights(" ".join(said))
    way_out = "Copy the folder to the first place that was looked in (DDBENCH_MODELS names another folder of models)."
    if place.hub_id and not place.is_below_models:
        way_out = (
            f"{way_out} Where the name is that of a Hugging Face repository (OWNER/NAME) and there is a network, "
            "`ddbench prepare SUITE --download` fetches weights beforehand."
        )
    return MissingWeights(" ".join(said), way_out)


_NOW = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def present_name(name: str) -> str:
    """The name of a weight in present models; attention's were others in models saved before diffusers 0.15."""
    for old, new in _NOW.items():
        if ".attentions." in name and old in name:
            return name.replace(old, new)
    return name
