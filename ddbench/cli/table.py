"""`ddbench table`: the results of a folder as tables. torch-free."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.errors import ArtifactError
from ddbench.report.table import FORMATS, Format, collect, render


@click.command(epilog="\b\nExample:\n  ddbench table runs/quickstart --format markdown")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="terminal", show_default=True, help="Form.")
def table(folder: Path, form: Format) -> None:
    """Print the results below FOLDER.

    Rows of different datasets, protocols or versions stand in different tables; so do test and validation figures.
    CSV and JSON give exact numbers, accuracies as fractions.
    """
    found = collect(folder)
    click.echo(render(found, form), nl=False)
    if found.unreadable:
        raise click.exceptions.Exit(ArtifactError.exit_code)
