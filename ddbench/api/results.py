"""Results of a folder or a run, as a sequence that filters, tabulates and turns into pandas. torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ddbench.errors import SpecError
from ddbench.report.rows import Row, tables
from ddbench.report.table import Collection, Format, collect, render
from ddbench.result.schema import Result

if TYPE_CHECKING:
    from pandas import DataFrame


class Results(Sequence[Result]):
    """Results in the order of their suite or folder, and the files that should be results but cannot be read."""

    def __init__(self, found: Sequence[Result], unreadable: Sequence[str] = (), folder: Path | None = None) -> None:
        self._found = tuple(found)
        self.unreadable = tuple(unreadable)
        """A sentence for each file that cannot be read."""
        self.folder = folder
        """The folder that they are from."""

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Result | Results:
        if isinstance(index, slice):
            return Results(self._found[index], (), self.folder)
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Result]:
        return iter(self._found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Results) and self._found == other._found

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    @property
    def ok(self) -> Results:
        """Those of cells that were finished."""
        return Results([r for r in self if r.status == "ok"], (), self.folder)

    @property
    def failures(self) -> Results:
        """Those of cells that failed, diverged or ran out of memory; `error` says why."""
        return Results([r for r in self if r.status != "ok"], (), self.folder)

    def where(self, **coordinates: Any) -> Results:
        """The results that have these coordinates: dataset, codec, method, space, storage, budget, seed, as a suite
        names them.

        `where(codec="dct")`, `where(codec={"downsample": {"factor": 2}}, budget={"ipc": 1}, seed=[0, 1])`: a plug-in is
        matched by its name and the arguments given, a list means any of its values. Raises: SpecError.
        """
        from ddbench.api.coordinates import matcher

        matches = matcher(coordinates)
        return Results([r for r in self if matches(r.cell)], (), self.folder)

    @property
    def rows(self) -> list[Row]:
        """The rows of the tables in their order: the results of one cell under all seeds."""
        return [row for table in tables(self) for row in table.rows]

    def row(self, **coordinates: Any) -> Row:
        """The one row that has these coordinates (see `where`), all its seeds: accuracies with intervals, bytes, steps.

        Raises: SpecError where there is none, or more than one.
        """
        rows = self.where(**coordinates).rows
        if len(rows) != 1:
            from ddbench.report.labels import codec_label, method_label

            asked = ", ".join(f"{name}={value!r}" for name, value in coordinates.items()) or "no coordinates"
            having = f"{len(rows)} rows have" if rows else "No row has"
            said = [f"{codec_label(r.cell)} × {method_label(r.cell)} at {r.cell.budget}" for r in rows or self.rows]
            listed = "; ".join(dict.fromkeys(said[:8])) + ("; …" if len(said) > 8 else "")
            way = "Name more coordinates" if rows else "There are"
            raise SpecError(f"{having} {asked}. {way}: {listed or 'no rows at all'}.")
        return rows[0]

    def table(self, form: Format = "terminal") -> str:
        """The tables that `ddbench table` prints, in one of its forms."""
        return render(Collection(self._found, self.unreadable), form)

    def records(self) -> list[dict[str, Any]]:
        """A mapping a student, failed cells one with no figures: coordinates, accuracy as a fraction, bytes, steps."""
        from ddbench.api.students import student_records

        return student_records(self)

    def to_pandas(self) -> DataFrame:
        """The records as a data frame, a line a student. Raises: PluginError where pandas is not installed."""
        try:
            import pandas
        except ImportError as error:
            from ddbench.errors import PluginError

            raise PluginError("to_pandas needs pandas, which is not installed: `pip install pandas`.") from error
        from ddbench.api.students import COLUMNS

        return pandas.DataFrame(self.records(), columns=list(COLUMNS))

    def __repr__(self) -> str:
        failed = len(self.failures)
        parts = [f"{len(self)} results", f"{failed} failed" if failed else ""]
        parts += [f"{len(self.unreadable)} unreadable" if self.unreadable else ""]
        where = f" of {self.folder}" if self.folder else ""
        return f"<ddbench.Results: {', '.join(p for p in parts if p)}{where}>"

    def _repr_html_(self) -> str:
        from ddbench.api.html import html

        return html(Collection(self._found, self.unreadable), repr(self))


def read(folder: str | PathLike[str]) -> Results:
    """The results below a folder: a run folder, a leaderboard's, a downloaded dataset repository.

    What cannot be read is told in `unreadable`. Raises: ArtifactError where there is no folder, or no result in it.
    """
    path = Path(folder)
    found = collect(path)
    return Results(found.results, found.unreadable, path)
