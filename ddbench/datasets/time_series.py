"""Time series of the UCR and UEA archives: any pair of `.ts` files, and the problems that the aeon package ships."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from ddbench.canonical import digest
from ddbench.datasets.locations import DATA_VARIABLE, below_data_root, data_root
from ddbench.datasets.series_sets import SeriesSet, Side
from ddbench.datasets.ts_format import Gaps, TsFile, read_ts
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split
from ddbench.interfaces.plugin import PluginConfig

SERIES = "jitter_magnitude_timemask"
"""The archive has no augmentation of its own; these keep every value in its place."""
LICENCE = "none stated; UCR/UEA archive, research"
READING = "1"
"""Changes whenever the same files would give other series."""


class TsConfig(PluginConfig):
    gaps: Gaps = Field("refuse", description="Missing values: refuse names them; interpolate fills them linearly.")
    augmentation: str = Field(SERIES, description="Operations of the augmentation, joined by _; '' for none.")


class TsFileConfig(TsConfig):
    """Arguments of `ts_file`."""

    name: str = Field(
        "series", description="Below the data folder: NAME/P_TRAIN.ts and NAME/P_TEST.ts, P the last part of NAME."
    )

    @field_validator("name")
    @classmethod
    def _below_the_data_folder(cls, name: str) -> str:
        return below_data_root(name)


class AeonConfig(TsConfig):
    """Arguments of `aeon_series`."""

    problem: Literal[
        "JapaneseVowels", "ACSF1", "ArrowHead", "BasicMotions", "GunPoint", "ItalyPowerDemand", "OSULeaf",
        "PickupGestureWiimoteZ", "UnitTest",
    ] = Field("JapaneseVowels", description="The problem, as the archive calls it.")  # fmt: skip


class TsFileSet(Dataset):
    """Two `.ts` files of one's own. Series of varying length are padded behind a mask, as long as the longest."""

    version = "1"
    source = "the user's own series, or www.timeseriesclassification.com"
    Config = TsFileConfig

    def folder(self) -> Path:
        folder = data_root() / self.config.name
        if not folder.is_dir():
            raise DataError(
                f"There is no folder {folder}. Put {folder.name}_TRAIN.ts and {folder.name}_TEST.ts there "
                f"({DATA_VARIABLE} names another data folder)."
            )
        return folder

    @classmethod
    def fetch(cls, config: PluginConfig, download: bool, tell: Callable[[float], None]) -> str:
        cls(config).card()
        return ""

    def series(self) -> SeriesSet:
        folder, config = self.folder(), self.config
        files = [folder / f"{folder.name}_{side}.ts" for side in ("TRAIN", "TEST")]
        try:
            stamps = tuple((file.stat().st_size, file.stat().st_mtime_ns) for file in files)
        except OSError as error:
            raise DataError(f"{error.filename} is not there: both {files[0].name} and {files[1].name} are.") from error
        return _read(files[0], files[1], stamps, config.gaps, config.augmentation)

    def card(self) -> DatasetCard:
        return self.series().card()

    def load(self) -> tuple[Split, Split]:
        return self.series().load()


class AeonSeries(TsFileSet):
    """A problem of the UCR/UEA archive that the aeon package ships: JapaneseVowels and others. Nothing is downloaded.

    JapaneseVowels: 270 + 370 utterances of nine speakers, twelve cepstral coefficients over 7 to 29 frames.
    """

    version = "1"
    source = "Bagnall et al. 2018 (arXiv 1811.00075), Dau et al. 2018 (arXiv 1810.07758); aeon (arXiv 2406.14231)"
    Config = AeonConfig

    def folder(self) -> Path:
        found = find_spec("aeon")  # finds the package without importing it, and so without numba
        if found is None or found.origin is None:
            raise DataError(
                f"The series of {self.config.problem!r} are in the package aeon, which is not installed.",
                "Install it: pip install 'ddbench[series]'.",
            )
        folder = Path(found.origin).parent / "datasets" / "data" / self.config.problem
        if not folder.is_dir():
            raise DataError(f"The installed aeon does not ship {self.config.problem!r}: there is no folder {folder}.")
        return folder


@lru_cache(maxsize=8)
def _read(train: Path, test: Path, stamps: object, gaps: Gaps, augmentation: str) -> SeriesSet:
    """The set of two files; `stamps` change when they do."""
    files = [read_ts(path, gaps) for path in (train, test)]
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (train, test)]
    name = train.name.removesuffix("_TRAIN.ts")
    revision = digest([contents, gaps, READING])[:16]
    train_side, test_side = map(_side, files)
    return SeriesSet(name, revision, files[0].class_names, train_side, test_side, LICENCE, augmentation)


def _side(file: TsFile) -> Side:
    return Side(file.series, file.labels, [f"{file.path}, line {i}," for i in file.lines])
