"""Weights fetched beforehand through huggingface_hub, and only when asked to."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, LocalEntryNotFoundError

from ddbench.errors import DataError
from ddbench_codecs.autoencoders.card import CARD
from ddbench_codecs.autoencoders.model import check_fit
from ddbench_codecs.autoencoders.places import CONFIG, Place, hub_cache
from ddbench_codecs.autoencoders.weights import MissingWeights, Weights, find


def fetched(place: Place, download: bool, tell: Callable[[float], None]) -> str:
    """Sees to it that the weights are here, whole and fitting; says where they are.

    Raises: DataError where they are not and may not, or cannot, be fetched.
    """
    try:
        return _said(_sound(place), "here")
    except DataError as error:
        # what was copied by hand is not replaced
        if not download or place.hub_id is None or place.local.is_dir():
            raise
        again = not isinstance(error, MissingWeights)
    _download(place, tell, again)
    return _said(_sound(place), "fetched")


def _sound(place: Place) -> Weights:
    weights = find(place)
    check_fit(weights)
    return weights


def _said(weights: Weights, how: str) -> str:
    return f"weights {how}, {weights.size_bytes / 1e6:.1f} MB in {weights.folder}"


def _download(place: Place, tell: Callable[[float], None], again: bool) -> None:
    def get(file: str) -> str:
        name = place.in_repository(file)
        try:
            return huggingface_hub.hf_hub_download(
                str(place.hub_id), name, revision=place.revision, cache_dir=hub_cache(), force_download=again
            )
        except GatedRepoError as error:
            raise DataError(
                f"{place} may be fetched only by who has accepted its licence: accept it on the page of {place.hub_id} "
                "and log in with `hf auth login`, then run the same command again."
            ) from error
        except Exception as error:  # networks fail in many ways; one that is lost is told as an entry not found here
            if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
                raise
            raise DataError(
                f"{name} of {place.hub_id} could not be fetched: {type(error).__name__}: {error}. Try again later, or "
                f"copy the folder to {place.local}."
            ) from error

    try:
        get(CONFIG)
        with suppress(EntryNotFoundError):  # most have none; before the weights, which are not to be used without it
            get(CARD)
        tell(0.01)
        try:
            get(place.weights_file)
        except EntryNotFoundError:
            parts = json.loads(Path(get(place.index_file)).read_text("utf-8"))["weight_map"]
            names = sorted(set(parts.values()))
            for i, name in enumerate(names):
                get(name)
                tell((i + 1) / len(names))
    except EntryNotFoundError as error:
        raise DataError(
            f"{place.hub_id} has no {place.in_repository(place.weights_file)}, and only safetensors are used: {error}. "
            "Convert what it has once, by diffusers' from_pretrained(..., use_safetensors=False), and save it to "
            f"{place.local}."
        ) from error
    tell(1.0)
