"""`ddbench export`: a distilled set, decoded, in a form that others read."""

from __future__ import annotations

from pathlib import Path

import click

FORMS = ("images", "parquet", "safetensors")


@click.command(
    epilog="\b\nExamples:\n"
    "  ddbench export runs/quickstart/cells/0a1b2c3d4e5f6071 --format images --out pictures\n"
    "  ddbench export runs/quickstart/cells/0a1b2c3d4e5f6071 --format parquet --out for_the_hub"
)
@click.argument("path", metavar="SET", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMS), required=True, help="What is written.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder; must be empty or not there.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier export in that folder.")
def export(path: Path, form: str, out: Path, overwrite: bool) -> None:
    """Write the decoded items of SET, the folder of a cell or of a distilled set, with a dataset card.

    images: 8-bit PNG files, a folder a class. parquet: what the datasets library loads. safetensors: float32 tensors.
    """
    from ddbench.export.export import export as write

    found = write(path, form, out, overwrite)
    click.echo(f"{out}: {len(found.y)} items of {found.stored.card.n_classes} classes as {form}, and README.md")
