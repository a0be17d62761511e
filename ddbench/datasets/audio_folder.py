"""Any folder of sounds with one folder a class, as log-mel spectrograms or as waveforms."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from ddbench.canonical import canonical, digest
from ddbench.datasets.held_out import side_by_content
from ddbench.datasets.locations import DATA_VARIABLE, below_data_root, data_root
from ddbench.datasets.picture_folders import class_folders, contents
from ddbench.datasets.series_sets import SeriesSet, Side
from ddbench.datasets.sound_files import SUFFIXES, samples
from ddbench.errors import DataError, RunError
from ddbench.files import write_atomic
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.display import DisplayOf
from ddbench.interfaces.plugin import PluginConfig
from ddbench.touched import cache_root

if TYPE_CHECKING:
    import numpy as np

TEST_FOLDERS = ("test", "val")
AUGMENTATION = {"log_mel": "timemask_bandmask", "wave": "jitter_magnitude_timemask"}
SHOWN = 5
"""Broken files that an error names."""
READING = "1"
"""Changes whenever the same files and arguments would give other signals."""


class AudioConfig(PluginConfig):
    """Arguments of `audio_folder`."""

    name: str = Field("sounds", description="The folder below the data folder; it names the dataset.")
    rate: int = Field(16000, ge=100, le=384000, description="Samples a second; a file of another rate is an error.")
    resample: bool = Field(False, description="Bring files of another rate to `rate` instead.")
    seconds: float = Field(1.0, gt=0, le=60, description="Longest sound; of a longer file only its beginning is taken.")
    front: Literal["log_mel", "wave"] = Field(
        "log_mel", description="log_mel: logarithms of a mel filter bank, frame by frame; wave: the samples."
    )
    bands: int = Field(40, ge=2, le=256, description="Mel bands.")
    window_s: float = Field(0.025, gt=0, le=1, description="Seconds of a frame (Hann window).")
    hop_s: float = Field(0.010, gt=0, le=1, description="Seconds from frame to frame.")
    augmentation: str | None = Field(
        None, description="Operations joined by _; default: timemask_bandmask (SpecAugment), of waves those of series."
    )

    @field_validator("name")
    @classmethod
    def _below_the_data_folder(cls, name: str) -> str:
        return below_data_root(name)

    @property
    def processing(self) -> str:
        """All arguments that decide what a file becomes."""
        return canonical([READING, self.model_dump(exclude={"name", "augmentation"})])


@dataclass(frozen=True)
class Sounds:
    """The files of one side, in order, with their class and the digest of their content."""

    files: tuple[Path, ...]
    labels: tuple[str, ...]
    known: tuple[str, ...]


class AudioFolder(Dataset):
    """A folder of WAV or FLAC files by class: NAME/train/CLASS/* and NAME/test/CLASS/* (or val), or NAME/CLASS/*.

    A single tree is split by the files' content: a fifth of each class for test, equal files on one side. Shorter
    sounds are padded behind a mask, where they differ in length.
    """

    version = "1"
    source = "the user's own sounds; log-mel front end: Davis & Mermelstein 1980"
    Config = AudioConfig
    config: AudioConfig

    @classmethod
    def fetch(cls, config: AudioConfig, download: bool, tell: Callable[[float], None]) -> str:
        found = cls(config).sounds()
        return f"{len(found.train.labels)} + {len(found.test.labels)} sounds"

    def card(self) -> DatasetCard:
        return self.sounds().card()

    def load(self) -> tuple[Split, Split]:
        return self.sounds().load()

    def display(self) -> DisplayOf | None:
        from ddbench.display import Spectrogram

        return Spectrogram if self.config.front == "log_mel" else None

    def sounds(self) -> SeriesSet:
        """The files by a scan, as signals. Raises: DataError naming files that cannot be used, or what is lacking."""
        root = data_root() / self.config.name
        if not root.is_dir():
            raise DataError(
                f"There is no folder {root}. Put the sounds there as train/CLASS/*.wav and test/CLASS/*.wav, or as "
                f"CLASS/*.wav ({DATA_VARIABLE} names another data folder)."
            )
        folders = class_folders(root)
        held = [name for name in TEST_FOLDERS if name in folders]
        if "train" in folders and held:
            classes = class_folders(root / "train")
            if stray := sorted(set(classes) ^ set(class_folders(root / held[0]))):
                raise DataError(f"The classes {', '.join(stray)} are not in both of {root / 'train'} and "
                                f"{root / held[0]}.")  # fmt: skip
            train, test = (_scan(root / part, classes, least=1) for part in ("train", held[0]))
        else:
            classes = folders
            train, test = _halves(_scan(root, classes, least=2))
        return _signals(self.config.model_dump_json(), tuple(classes), train, test)


def _scan(root: Path, classes: list[str], least: int) -> Sounds:
    files = {name: sorted(p for p in (root / name).rglob("*") if _is_sound(p)) for name in classes}
    few = [name for name in classes if len(files[name]) < least]
    if len(classes) < 2 or few:
        what = f"{few[0]} has {len(files[few[0]])}" if few else f"it has {len(classes)} class folders"
        raise DataError(
            f"{root} should have two class folders or more, each with {least} or more of {' and '.join(SUFFIXES)} "
            f"files; {what}."
        )
    listed = [(path, name) for name in classes for path in files[name]]
    paths = tuple(path for path, _ in listed)
    return Sounds(paths, tuple(name for _, name in listed), tuple(contents(paths)))


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")


def _halves(whole: Sounds) -> tuple[Sounds, Sounds]:
    """(train, test) of a single tree, by the files' content; equal files stay together."""
    first: dict[str, int] = {}
    number = {name: k for k, name in enumerate(dict.fromkeys(whole.labels))}
    group = [first.setdefault(d, i) for i, d in enumerate(whole.known)]
    test = side_by_content([number[name] for name in whole.labels], whole.known, group)

    def part(held: bool) -> Sounds:
        index = [i for i, t in enumerate(test) if t is held]
        labels, known = (tuple(values[i] for i in index) for values in (whole.labels, whole.known))
        return Sounds(tuple(whole.files[i] for i in index), labels, known)

    return part(False), part(True)


@lru_cache(maxsize=4)
def _signals(config_json: str, classes: tuple[str, ...], train: Sounds, test: Sounds) -> SeriesSet:
    config = AudioConfig.model_validate_json(config_json)
    known = digest([train.known, train.labels, test.known, test.labels, config.processing])
    arrays = _kept(cache_root() / "audio" / f"{known}.npz", (*train.files, *test.files), config)
    sides = []
    for sounds, found in ((train, arrays[: len(train.files)]), (test, arrays[len(train.files) :])):
        sides.append(Side(found, sounds.labels, [str(path) for path in sounds.files]))
    augmentation = AUGMENTATION[config.front] if config.augmentation is None else config.augmentation
    name = config.name.replace("/", "_")
    return SeriesSet(name, known[:16], classes, sides[0], sides[1], "the user's to say", augmentation)


def _kept(path: Path, files: tuple[Path, ...], config: AudioConfig) -> list[np.ndarray]:
    """The signals of the files, from the cache where they are there."""
    import numpy as np

    names = [str(i) for i in range(len(files))]
    with suppress(OSError, ValueError, KeyError, zipfile.BadZipFile), np.load(path, allow_pickle=False) as kept:
        return [kept[name] for name in names]
    made, faults = [], []
    for file in files:
        try:
            made.append(_signal(file, config))
        except DataError as error:
            faults.append(error)
    if faults:
        more = f" And {len(faults) - SHOWN} more." if len(faults) > SHOWN else ""
        raise DataError(" ".join(map(str, faults[:SHOWN])) + more)
    stream = io.BytesIO()
    np.savez(stream, **dict(zip(names, made)))
    with suppress(OSError, RunError):  # a cache that cannot be written is no reason to fail
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, stream.getvalue())
    return made


def _signal(file: Path, config: AudioConfig) -> np.ndarray:
    from ddbench.datasets.log_mel import LogMel

    x = samples(file, config.rate, config.resample)[: max(1, round(config.seconds * config.rate))]
    if config.front == "wave":
        return x.astype("float32")[None]
    return LogMel(config.rate, config.bands, config.window_s, config.hop_s)(x)
