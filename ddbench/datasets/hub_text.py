"""Texts in the format of the `datasets` library: from the Hugging Face hub, or a local copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field

from ddbench.datasets import hub
from ddbench.datasets.locations import allow_downloads
from ddbench.datasets.text_rows import Row, text_set
from ddbench.datasets.text_sets import TextConfig, TextSet
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split

if TYPE_CHECKING:
    from ddbench.interfaces.display import DisplayOf


class HubTextConfig(TextConfig):
    repo: str = Field(
        "texts", description="A dataset's name on the hub, or a folder below the data folder: saved by save_to_disk, "
        "or Parquet files called SPLIT.parquet or SPLIT-*.parquet."
    )  # fmt: skip
    revision: str = Field(
        "", description="Commit or tag of the hub's dataset; required there, so that data stay the same."
    )
    text: str = Field("text", description="The column of texts.")
    label: str = Field("label", description="The column of labels: a ClassLabel, whole numbers from 0, or strings.")
    train: str = Field("train", description="The split to learn from.")
    test: str = Field("test", description="The split that students are scored on.")


class HubText(Dataset):
    """A labelled set of texts that the `datasets` library reads. Nothing is downloaded unless that is allowed."""

    version = "1"
    source = "Q. Lhoest et al., Datasets: A Community Library for Natural Language Processing, arXiv:2109.02846"
    Config = HubTextConfig
    config: HubTextConfig

    @classmethod
    def fetch(cls, config: HubTextConfig, download: bool, tell: Callable[[float], None]) -> str:
        found = cls(config).texts(download)
        return f"{len(found.train.texts)} + {len(found.test.texts)} texts"

    def texts(self, download: bool = False) -> TextSet:
        """Raises: DataError where a split is missing, or naming the rows of what is wrong."""
        config = self.config
        splits = hub.splits(config.repo, config.revision, (config.train, config.test), download)
        hub.check_columns(splits, config.repo, config.text, config.label)
        labels, names = hub.labels(splits, config.repo, config.label, config.train)
        sides: list[list[Row]] = []
        for name in (config.train, config.test):
            texts = list(splits[name][config.text])
            if odd := [i for i, text in enumerate(texts) if text is not None and not isinstance(text, str)]:
                raise DataError(
                    f"The column {config.text!r} of {config.repo!r} holds no text in row {odd[0]} of {name!r}."
                )
            rows = enumerate(zip(texts, labels[name]))
            sides.append([Row(f"{name} row {i}", text or "", names[k]) for i, (text, k) in rows])
        return text_set(config.repo, sides[0], sides[1], config.length)

    def card(self) -> DatasetCard:
        config = self.config
        return self.texts().card("as its publisher states", config.augmentation, config.family)

    def load(self) -> tuple[Split, Split]:
        return self.texts(allow_downloads()).load()

    def display(self) -> DisplayOf:
        from ddbench.display.texts import Text

        return Text
