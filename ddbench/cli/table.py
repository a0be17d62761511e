"""`ddbench table`: the results of folders as tables. torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from ddbench.errors import ArtifactError, SpecError
from ddbench.report.table import FORMATS, Collection, Format, collect, parquet, refused, render, unsaid_by_csv
from ddbench.report.view import View, view

PARQUET = "parquet"
SUFFIXES = {".txt": "terminal", ".md": "markdown", ".tex": "latex", ".csv": "csv", ".json": "json", ".parquet": PARQUET}
SHIPPED = Path("shipped")
"""Stands for the published figures that come with the package."""

EXAMPLES = """\b
Examples:
  ddbench table runs/quickstart
  ddbench table runs/quickstart --where codec=identity,dct --sort method
  ddbench table runs/a runs/b --rows method,codec --cols dataset,budget --column equal_steps --out table.tex
"""


@click.command(epilog=EXAMPLES)
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1, metavar="FOLDER...")
@click.option(
    "--format", "form", type=click.Choice([*FORMATS, PARQUET]),
    help="Form; by default the one that the name of --out asks for, else terminal.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file; Parquet needs it.")
@click.option(
    "--rows", default="", metavar="NAMES", help="Pivot: dimensions that lead the lines, such as method,codec."
)
@click.option("--cols", default="", metavar="NAMES", help="Pivot: dimensions across, such as dataset,budget.")
@click.option("--column", metavar="NAME", help="Column of accuracies, such as equal_steps.")
@click.option(
    "--where", multiple=True, metavar="NAME=VALUES", help="Only rows with one of the values; may be repeated."
)
@click.option("--sort", metavar="NAME", help="accuracy, bytes, items, seconds or a dimension; -NAME turns it round.")
@click.option("--decimals", type=click.IntRange(0, 6), default=1, show_default=True, help="Of accuracies in percent.")
@click.option("--scores", is_flag=True, help="Gains over random, recovery, area under accuracy against log-bytes.")
@click.option("--dd-ranking", is_flag=True, help="LRS and ARS of DD-Ranking, and what results lack for them.")
@click.option(
    "--reported", type=click.Path(path_type=Path), is_flag=False, flag_value=SHIPPED, metavar="[FILE]",
    help="Published figures beside, never ranked: the shipped ones, or those of a CSV file.",
)  # fmt: skip
def table(
    folders: tuple[Path, ...],
    form: str | None,
    out: Path | None,
    reported: Path | None,
    rows: str,
    cols: str,
    column: str | None,
    where: tuple[str, ...],
    sort: str | None,
    decimals: int,
    scores: bool,
    dd_ranking: bool,
) -> None:
    """Print the results below one or several FOLDERs.

    Rows of different datasets, protocols or versions stand in different tables; so do test and validation figures.
    CSV, JSON and Parquet give exact numbers, accuracies as fractions.

    Dimensions: dataset, budget, codec, storage, method, space, network, column, student, student_spaces; filters know
    protocol and split too.
    """
    if reported is not None and not folders and reported.is_dir():
        folders, reported = (reported,), SHIPPED  # `--reported FOLDER`: the option took what was meant as folder
    if not folders:
        raise click.UsageError("Give a folder of results, such as runs/quickstart.")
    form = form or (SUFFIXES.get(out.suffix.lower(), "terminal") if out else "terminal")
    if form == PARQUET and out is None:
        raise SpecError("Parquet is no text. Say where to write it: --out table.parquet.")
    figures = True if reported == SHIPPED else reported or False
    asked = view(where, rows, cols, column, sort, decimals, scores, dd_ranking, figures)
    found = collect(*folders)
    _write(found, form, out, asked)
    left_out = refused(found, asked)
    if out is not None and form not in ("csv", PARQUET):
        for line in left_out:
            click.echo(line, err=True)
    if found.unreadable:
        raise click.exceptions.Exit(ArtifactError.exit_code)
    if left_out:
        raise click.exceptions.Exit(SpecError.exit_code)


def _write(found: Collection, form: str, out: Path | None, asked: View) -> None:
    made = parquet(found, asked) if form == PARQUET else render(found, cast(Format, form), asked)
    if form == "csv":
        for line in unsaid_by_csv(found, asked):
            click.echo(line, err=True)
    if out is None:
        click.echo(made, nl=False)
        return
    from ddbench.files import write_atomic

    write_atomic(out, made)
    click.echo(f"Wrote {out}.", err=True)
    if form in ("csv", PARQUET) or not found.unreadable:
        return
    for line in found.unreadable:
        click.echo(f"unreadable: {line}", err=True)
