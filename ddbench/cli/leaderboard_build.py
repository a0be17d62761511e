"""`ddbench leaderboard build`: README.md and a static site from a folder of results. torch-free without --pictures."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.errors import ArtifactError

RESULTS, OUT = Path("leaderboard/results"), Path("leaderboard")


@click.command(
    epilog="\b\nExamples:\n  ddbench leaderboard build\n  ddbench leaderboard build runs/mine --out board --pictures"
)
@click.argument("results", type=click.Path(path_type=Path), default=RESULTS)
@click.option(
    "--out", type=click.Path(path_type=Path), default=OUT, show_default=True, help="Folder for README.md and site/."
)
@click.option("--pictures", is_flag=True, help="First draw missing pictures beside the results. Loads torch.")
@click.option(
    "--workers", type=click.IntRange(1), help="Processes that read and write.  [default: one a core, at most 4]"
)
def build(results: Path, out: Path, pictures: bool, workers: int | None) -> None:
    """Build README.md and a static site from the results below RESULTS (leaderboard/results).

    The same results give the same files, whatever the number of workers. Only files that changed are written, only
    files that an earlier build made are removed. Exit code 3 where files had to be left out; all others are built.
    """
    from ddbench.leaderboard.build import build as make

    if pictures:
        from ddbench.leaderboard.drawn import draw_missing

        for line in draw_missing(results):
            click.echo(line, err=True)
    built = make(results, out, workers)
    for line in built.left_out:
        click.echo(f"left out: {line}", err=True)
    for name in built.kept:
        click.echo(
            f"warning: {out / name} is no longer needed, but was changed since it was built; it stays.", err=True
        )
    click.echo(f"{built.results} results, {built.rows} rows, {built.boards} tables")
    click.echo(f"{out / 'README.md'}, {out / 'site' / 'index.html'}")
    click.echo(f"{built.written} files written, {built.unchanged} as they were, {built.removed} removed")
    if built.without_picture:
        click.echo(f"{built.without_picture} rows have no picture; --pictures draws them.")
    if built.left_out:
        raise click.exceptions.Exit(ArtifactError.exit_code)
