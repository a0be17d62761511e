"""Training of a codec's weights into a folder that appears whole or not at all, with a card of what was done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ddbench import data, registry
from ddbench.canonical import canonical, digest
from ddbench.errors import PluginError, RunError
from ddbench.files import write_atomic
from ddbench.interfaces.codec_training import Trainable, TrainingSet, Work
from ddbench.interfaces.dataset import DatasetCard
from ddbench.version import __version__

CARD = "codec_card.json"
CARD_VERSION = 1
CHECKPOINT_S = 60.0
PACKAGES = ("torch", "diffusers")
"""Whose versions may change the weights, where they are installed."""


@dataclass(frozen=True)
class Asked:
    """One training: the codec, its arguments, the datasets with theirs, and the command that asks for it."""

    codec: str
    args: Mapping[str, Any]
    datasets: Sequence[tuple[str, Mapping[str, Any]]]
    command: str


def trainable(codec: str) -> Trainable:
    """The codec's class. Raises: PluginError where there is nothing of it to train."""
    plugin = registry.load("codec", codec)
    if not isinstance(plugin, Trainable):
        raise PluginError(
            f"The codec {codec!r} has no weights to train beforehand: those that it has are published ones, or fitted "
            "on each dataset and stored in the set. Name a codec whose `ddbench info codec NAME` shows arguments of "
            "training, such as autoencoder."
        )
    return plugin


def train_codec(asked: Asked, out: Path, device: torch.device, tell: Callable[[str], None]) -> dict[str, Any]:
    """Trains, writes the folder `out` and returns its card. The same call goes on where an interrupted one was.

    Raises: RunError where `out` is there already or cannot be written; what the trainer and the datasets raise.
    """
    codec = trainable(asked.codec)
    config = registry.configured(codec.TrainConfig, asked.args, f"Training the codec {asked.codec!r}")
    if os.path.lexists(out):
        raise RunError(f"{out} is there already, and weights are never replaced. Give another folder, or remove it.")
    sets, cards = _load(asked, tell)
    unique = digest([asked.codec, config.model_dump(mode="json"), [[s.name, s.revision] for s in sets]])[:12]
    checkpoint = out.with_name(f".{out.name}.{unique}.checkpoint")
    work = Work(device, checkpoint, CHECKPOINT_S, tell)
    into = _new_folder(out, unique)
    try:
        trained = codec.train(config, sets, work, into)
        about = _about(asked, out.name, cards, sets) | trained.card
        about["trained"] = trained.record | {"versions": _versions(), "command": asked.command}
        write_atomic(into / CARD, json.dumps(about, indent=2) + "\n")
        _appear(into, out)
    finally:
        shutil.rmtree(into, ignore_errors=True)
    checkpoint.unlink(missing_ok=True)
    return about


def _load(asked: Asked, tell: Callable[[str], None]) -> tuple[list[TrainingSet], list[DatasetCard]]:
    sets, cards = [], []
    for name, args in asked.datasets:
        loaded = data.load(registry.build("dataset", name, dict(args)))
        title = name + (canonical(args).replace('"', "") if args else "")
        cards.append(loaded.card)
        sets.append(TrainingSet(title, loaded.card.revision, loaded.card.signal, loaded.train))
        tell(f"{title}: {len(loaded.train)} training signals of shape {' × '.join(map(str, loaded.card.signal.shape))}")
    return sets, cards


def _about(asked: Asked, name: str, cards: Sequence[DatasetCard], sets: Sequence[TrainingSet]) -> dict[str, Any]:
    """What a reader of rows has to know of the weights."""
    parts = [f"{s.name} ({len(s.train)})" for s in sets]
    said = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return {
        "ddbench_codec": CARD_VERSION,
        "name": name,
        "codec": asked.codec,
        "training_data": f"Trained on signals of the training splits of {said}; no labels, no test split.",
        "datasets": sorted({card.family for card in cards}),
        "licence": "; ".join(dict.fromkeys(f"{card.name}: {card.licence}" for card in cards)),
    }


def _versions() -> dict[str, str]:
    found = {"ddbench": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _new_folder(out: Path, unique: str) -> Path:
    """An empty folder beside `out`, in place of what a killed training left. Raises: RunError for no such place."""
    into = out.with_name(f".{out.name}.{unique}.tmp")
    try:
        if into.is_dir():
            shutil.rmtree(into)
        into.mkdir(parents=True)
        probe = into / "probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise RunError(
            f"The folder {out} cannot be made: {error.strerror or error}. Give --out a place that is writable."
        ) from error
    return into


def _appear(into: Path, out: Path) -> None:
    try:
        for file in into.iterdir():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        os.rename(into, out)
    except OSError as error:
        raise RunError(f"{out} could not be written: {error.strerror or error}. Run the same command again.") from error
