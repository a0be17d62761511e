"""`ddbench.run`: a suite run from Python, in a script or a notebook. torch-free at import."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ddbench.api.progress import Progress, notebook_bar
from ddbench.api.results import Results
from ddbench.api.session import Options, Said, bring
from ddbench.api.suites import given
from ddbench.spec.suite import Suite


class DdbenchWarning(UserWarning):
    """Something that a reader of the results should know."""


def run(
    suite: str | PathLike[str] | Mapping[str, Any] | Suite,
    *,
    out: str | PathLike[str] | None = None,
    only: str | None = None,
    engine: str = "auto",
    slots: int | None = None,
    device: str = "auto",
    threads: int = 1,
    checkpoint_s: float = 30.0,
    retry_failed: bool = False,
    report: bool = False,
    progress: bool = True,
) -> Results:
    """Brings every cell of a suite to a result and returns the results; what is finished is not run again.

    `suite` is a shipped suite's name, a path, a mapping as a suite's YAML has it, or a `Suite`; `out` the run folder,
    by default `runs/NAME`; `only` picks the cells whose title holds it. `engine="inline"` runs in this process, the
    default in worker processes. `report` writes table, chart and pictures into the folder. A cell that fails is a
    result too: see `Results.failures`.

    Raises: DdbenchError for what was asked wrongly or is missing, in one sentence. KeyboardInterrupt passes through;
    the same call goes on from there.
    """
    options = Options(engine, slots, device, threads, checkpoint_s, retry_failed, only)
    brought = bring(given(suite, only), None if out is None else Path(out), options, _said(progress))
    if report:
        from ddbench.report.files import write_report

        for trouble in write_report(brought.folder, brought.found()).troubles:
            _warn(trouble)
    found = brought.found(brought.wanted)
    for text in found.unreadable:
        _warn(text)
    return Results(found.results, found.unreadable, brought.folder.path)


def _said(shown: bool) -> Said:
    def progress(titles: Mapping[str, str]) -> Progress:
        return Progress(titles, notebook_bar(len(titles)) if shown else None)

    def note(text: str) -> None:
        if shown:
            sys.stdout.write(text + "\n")

    return Said(note, _warn, progress, "retry_failed=True")


def _warn(text: str) -> None:
    warnings.warn(text, DdbenchWarning, stacklevel=2)
