"""`ddbench compare`: the paired difference of two sets of rows. torch-free."""

from __future__ import annotations

import click

from ddbench.errors import ArtifactError
from ddbench.report.compare.comparison import compare as compared
from ddbench.report.compare.render import FORMATS, Format, render
from ddbench.report.compare.selection import sides
from ddbench.report.rows import ON_CODES
from ddbench.spec.cell import OWN_RECIPE, Labels

COLUMNS = ("equal_steps", "equal_epochs", "equal_steps" + ON_CODES, "equal_epochs" + ON_CODES, OWN_RECIPE)

EPILOG = """\b
Examples:
  ddbench compare runs/quickstart "dct × dm" "identity × dm"
  ddbench compare runs/quickstart "× dm" "× random" --column equal_epochs
  ddbench compare runs/mine runs/theirs --only "1 ipc" --format markdown
"""


@click.command(epilog=EPILOG)
@click.argument("what", nargs=-1, metavar="[FOLDER] A B")
@click.option("--column", type=click.Choice(COLUMNS), default="equal_steps", show_default=True, help="Training column.")
@click.option(
    "--labels", type=click.Choice(("hard", "own")), default="hard", show_default=True,
    help="What students learned: classes, or the soft labels that the set stores.",
)  # fmt: skip
@click.option("--only", metavar="TEXT", help="Compare only cells whose title holds TEXT.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="terminal", show_default=True, help="Form.")
def compare(what: tuple[str, ...], column: str, labels: Labels, only: str | None, form: Format) -> None:
    """Say how far A is above B, paired over the cells and seeds that both have.

    A and B are two run folders, or texts that select cells of one FOLDER by title, as `ddbench run --only` does; parts
    between commas must all be there: "dct × dm, keep=0.125". A pair shares dataset, budget, protocol, student network,
    seed and student index, and whatever else A and B have in common. Protocols and versions are never pooled.
    """
    chosen = sides(what, only)
    click.echo(render(compared(chosen, column, labels), form), nl=False)
    if chosen.unreadable:
        raise click.exceptions.Exit(ArtifactError.exit_code)
