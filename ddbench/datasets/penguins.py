"""Palmer penguins: a small table of numbers, categories and gaps, from the package palmerpenguins."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.datasets.sheets import read_sheet
from ddbench.datasets.table_sets import Options, TableSet, table_set
from ddbench.errors import DataError
from ddbench.interfaces.dataset import Dataset, DatasetCard, Split

if TYPE_CHECKING:
    from ddbench.interfaces.display import DisplayOf

OPTIONS = Options(label="species", ignore=("year",), missing=("", "NA"), unknown="zeros")


class Penguins(Dataset):
    """344 penguins of three species: four measurements, island and sex; 11 rows lack some of them."""

    version = "1"
    source = "K. Gorman, T. Williams, W. Fraser, PLoS ONE 9(3) e90081, 2014; A. Horst et al., palmerpenguins, 2020"

    def table(self) -> TableSet:
        """Raises: DataError where the package is not installed."""
        found = find_spec("palmerpenguins")  # finds the package without importing it, and so without pandas
        if found is None or found.origin is None:
            raise DataError(
                "The penguins are in the package palmerpenguins, which is not installed.",
                "Install it: pip install 'ddbench[tables]'.",
            )
        return _table(Path(found.origin).parent / "data" / "penguins.csv")

    def card(self) -> DatasetCard:
        return self.table().card("CC0-1.0", "jitter")

    def load(self) -> tuple[Split, Split]:
        return self.table().load()

    def display(self) -> DisplayOf:
        return self.table().display()


@lru_cache(maxsize=1)
def _table(file: Path) -> TableSet:
    return table_set("penguins", read_sheet(file), None, OPTIONS)
