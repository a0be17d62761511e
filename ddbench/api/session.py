"""A suite brought to results: what `ddbench run` and `ddbench.run` do alike. torch-free at import."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.api.progress import Progress
from ddbench.errors import ArtifactError, SpecError, VersionError
from ddbench.interfaces.engine import Engine, Job
from ddbench.report.table import Collection

if TYPE_CHECKING:
    from ddbench.api.suites import Given
    from ddbench.result.schema import Result
    from ddbench.run.folder import RunFolder
    from ddbench.spec.cell import Cell

DEFAULT_ENGINE = "local"
FAILURES = ("failed", "out_of_memory", "diverged")
POLL_S = 1.0
IDLE_ROUNDS = 2
"""Rounds in which no cell was brought to a result before the run gives up."""


class Interrupted(KeyboardInterrupt):
    """A run was interrupted; what is finished stays in its folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"What is finished is in {folder}; run the same again to resume.")
        self.folder = folder


@dataclass(frozen=True)
class Options:
    """Which cells run, where and how."""

    engine: str = "auto"
    slots: int | None = None
    device: str = "auto"
    threads: int = 1
    checkpoint_s: float = 30.0
    retry_failed: bool = False
    only: str | None = None


@dataclass(frozen=True)
class Said:
    """Where words go while a suite runs."""

    note: Callable[[str], None]
    warn: Callable[[str], None]
    progress: Callable[[Mapping[str, str]], Progress]
    """From the titles of the cells, by key, to what takes the engine's events."""
    retry: str
    """How the reader asks for failed cells to be run again."""


@dataclass(frozen=True)
class Brought:
    """The run folder, all cells of the suite, and those that were wanted."""

    folder: RunFolder
    cells: Sequence[Cell]
    wanted: Sequence[Cell]

    def found(self, cells: Sequence[Cell] | None = None) -> Collection:
        """The results of some cells, by default of all in the folder, and what should be results but cannot be read."""
        results, unreadable = [], []
        for key in self.folder.keys() if cells is None else [cell.key for cell in cells]:
            try:
                result = self.folder.result(key)
            except ArtifactError as error:
                unreadable.append(str(error))
                continue
            if result is not None:
                results.append(result)
        return Collection(tuple(results), tuple(unreadable))


def bring(given: Given, out: Path | None, options: Options, said: Said) -> Brought:
    """Runs the cells of a suite that have no result yet.

    Raises: DdbenchError where the suite, a name or the machine does not allow it; Interrupted.
    """
    from ddbench.planning.expand import expand_wanted
    from ddbench.planning.mandatory import missing_mandatory
    from ddbench.run.folder import RunFolder

    cells, passed_over = expand_wanted(given.suite, options.only)
    wanted = filtered(cells, options.only)
    for sentence in missing_mandatory(cells):
        said.warn(f"mandatory row absent: {sentence}")
    chosen = _engine(options)
    name = given.suite.name
    runs = RunFolder.create(out or Path("runs") / name, name, given.text, cells, part=passed_over)
    try:
        _bring(chosen, runs, wanted, options, said)
    except KeyboardInterrupt as error:
        raise Interrupted(runs.path) from error
    return Brought(runs, cells, wanted)


def filtered(cells: Sequence[Cell], only: str | None) -> list[Cell]:
    """The cells whose title holds the text. Raises: SpecError where none does."""
    from ddbench.spec.cell import holds

    found = [c for c in cells if holds(c.title, only)]
    if not found:
        example = f" A title looks like {cells[0].title!r}." if cells else ""
        raise SpecError(f"No cell of the suite has {only!r} in its title.{example}")
    return found


def lacks_data(result: Result) -> bool:
    """Whether a cell failed for its data: missing, damaged, or not what the dataset says."""
    error = result.error
    return result.status == "failed" and error is not None and (error.phase, error.kind) == ("data", "DataError")


def _bring(chosen: Engine, runs: RunFolder, wanted: Sequence[Cell], options: Options, said: Said) -> None:
    todo = _to_do(runs, wanted, options.retry_failed, said)
    idle = 0
    while todo and idle < IDLE_ROUNDS:
        job = Job(runs.path, [c.key for c in todo], options.device, options.threads, options.checkpoint_s)
        with said.progress({cell.key: cell.title for cell in todo}) as progress:
            chosen.run(job, progress)
        left = _left_by_others(runs, todo, said)
        idle = idle + 1 if len(left) == len(todo) else 0
        todo = left


def _to_do(runs: RunFolder, wanted: Sequence[Cell], retry_failed: bool, said: Said) -> list[Cell]:
    """The cells that still need a result; says how many have one."""
    todo, done, failed = [], 0, 0
    for cell in wanted:
        state = runs.state(cell.key)
        if state in FAILURES and (retry_failed or _lacked_data(runs, cell)):
            runs.forget(cell.key)
            todo.append(cell)
        elif state == "ok" or state in FAILURES:
            done += 1
            failed += state != "ok"
        else:
            if state == "unreadable":
                _refuse_other_versions(runs, cell.key)
                said.warn(f"the result of {cell.title} cannot be read; it is computed again.")
            todo.append(cell)
    words = f"{runs.path}: {len(todo)} cells to run"
    if done:
        words += f", {done} finished before"
    if failed:
        words += f" ({failed} of them failed; {said.retry} runs them again)"
    said.note(words)
    return todo


def _lacked_data(runs: RunFolder, cell: Cell) -> bool:
    result = runs.result(cell.key)
    return result is not None and lacks_data(result)


def _refuse_other_versions(runs: RunFolder, key: str) -> None:
    """Raises: VersionError where the result is of a version that this ddbench does not know: it may be sound."""
    try:
        runs.result(key)
    except VersionError:
        raise
    except ArtifactError:
        return


def _engine(options: Options) -> Engine:
    """The engine that was asked for; devices are looked at now, before anything is done."""
    from ddbench import registry
    from ddbench.run.worker import pick_device

    for name in options.device.split(","):
        pick_device(name)
    name = DEFAULT_ENGINE if options.engine == "auto" else options.engine
    return registry.build("engine", name, {} if options.slots is None else {"slots": options.slots})


def _left_by_others(runs: RunFolder, todo: Sequence[Cell], said: Said) -> list[Cell]:
    """Cells that another process had and that it left without a result; waits for those that it is still at."""
    held = [c for c in todo if runs.state(c.key) == "running"]
    if held:
        said.note(f"{len(held)} cells are with another process; waiting for them (Ctrl-C leaves them to it).")
    while any(runs.state(c.key) == "running" for c in held):
        time.sleep(POLL_S)
    return [c for c in todo if runs.state(c.key) == "waiting"]
