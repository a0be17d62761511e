"""`ddbench verify`: fresh students on published sets, and whether they agree with what the results claim."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.errors import ArtifactError, DdbenchError, SpecError, printable

if TYPE_CHECKING:
    from ddbench.result.verification import Verification

NOT_ALL_AGREE = 1


@click.command(epilog="\b\nExample:\n  ddbench verify runs/quickstart --students 2")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--students", type=click.IntRange(1), help="Students of each network and column.  [default: up to 3]")
@click.option("--same-students", is_flag=True, help="Repeat the claim's own students instead of training others.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write KEY-RUN.json into FOLDER (a maintainer's leaderboard/verifications) instead of beside the result.",
)
@click.option("--by", default="unnamed", show_default=True, help="Who verifies; needed with --into.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, or one such as cuda:1.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of the process.")
def verify(
    paths: tuple[Path, ...], students: int | None, same_students: bool, into: Path | None, by: str, device: str,
    threads: int,
) -> None:  # fmt: skip
    """Train fresh students on the distilled set of each result in PATH and say whether the claim holds.

    A PATH is a result.json or a folder of them. Students are others than the claim's, and few; the claim holds where
    its difference from them lies within a prediction interval (99 % for a whole result). verification.json is written
    beside each result. Run again to resume. Exit code 1 where a result does not agree, 3 where one cannot be verified.
    """
    from ddbench.submission.folder import result_files

    if into is not None and by == "unnamed":
        raise SpecError("--into writes for others to rely on. Say who verifies: --by NAME.")
    files = [file for path in paths for file in (result_files(path) if path.is_dir() else [path])]
    if not files:
        raise ArtifactError(f"{', '.join(map(str, paths))}: there is no result.json. Give a result or a run folder.")
    import torch

    from ddbench.run.phases import exact_float32
    from ddbench.run.worker import pick_device
    from ddbench.submission.verify import How
    from ddbench.submission.verify import verify as verified

    torch.set_num_threads(threads)
    click.get_current_context().with_resource(exact_float32())
    how = How(students, same_students, by, str(pick_device(device)))
    told: Counter[str] = Counter()
    for file in files:
        try:
            out = None if into is None else _named(file, into)
            found = verified(file, how, out, _meter(file))
        except DdbenchError as error:
            told["failed"] += 1
            click.echo(printable(f"{'failed':14}{file}: {error}"))
        else:
            told[found.verdict] += 1
            click.echo(printable(f"{found.verdict:14}{file}: {_said(found)}"))
    if told["failed"]:
        raise click.exceptions.Exit(ArtifactError.exit_code)
    if told["disagrees"] or told["inconclusive"]:
        raise click.exceptions.Exit(NOT_ALL_AGREE)


def _named(file: Path, into: Path) -> Path:
    """Where a leaderboard keeps the verification of a result."""
    from ddbench.result.io import read_result
    from ddbench.result.verification import RUN_ID

    result = read_result(file)
    if not re.fullmatch(RUN_ID, result.run_id):
        raise ArtifactError(f"{file} has a run id that cannot be a part of a file's name.")
    into.mkdir(parents=True, exist_ok=True)
    return into / f"{result.key}-{result.run_id}.json"


def _said(found: Verification) -> str:
    parts = []
    for c in found.comparisons:
        figure = f"{c.column} {c.network}" + " own labels" * (c.labels == "own") + " on codes" * (c.space == "code")
        parts.append(
            f"{figure}: claimed {100 * c.claimed:.1f} % ({c.students_claimed}), found {100 * c.found:.1f} % "
            f"({c.students_found}), {100 * (c.found - c.claimed):+.1f} within ± {100 * c.half_width:.1f}: {c.verdict}"
        )
    return "; ".join(parts)


def _meter(file: Path) -> Callable[[float], None]:
    """Tells the progress of one result where a person watches."""
    if not sys.stderr.isatty():
        return lambda fraction: None

    def tell(fraction: float) -> None:
        click.echo(f"\r{fraction:4.0%} {file}", nl=False, err=True)
        if fraction >= 1:
            click.echo("\r\x1b[K", nl=False, err=True)

    return tell
