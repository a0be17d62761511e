"""`ddbench publish`: results, distilled sets and a card, to a dataset repository or a folder; at first only shown."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.errors import ArtifactError, printable


@click.command(
    epilog="\b\nExamples:\n  ddbench publish runs/quickstart --to hf:me/quickstart-sets\n"
    "  ddbench publish leaderboard/results --to folder:published --skip-invalid --yes"
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, metavar="PLACE", help="hf:owner/name, or folder:PATH.")
@click.option("--yes", is_flag=True, help="Really send it; without this, only show what would go.")
@click.option("--skip-invalid", is_flag=True, help="Leave out results that are refused, and send the others.")
@click.option("--card/--no-card", "with_card", default=True, help="Write a README.md there: the dataset card.")
@click.option("--license", "licence", metavar="ID", help="Licence that the card names, such as mit or cc-by-4.0.")
@click.option("--private", is_flag=True, help="Make the repository a private one, if it is made now.")
@click.option("--revision", metavar="BRANCH", help="Branch of the repository, made where it is not there.  [main]")
def publish(
    folder: Path, target: str, yes: bool, skip_invalid: bool, with_card: bool, licence: str | None, private: bool,
    revision: str | None,
) -> None:  # fmt: skip
    """Publish the results below FOLDER with their distilled sets, pictures and a dataset card.

    Nothing else goes: no logs, checkpoints or locks. Local paths and host names are taken out of free text, and said;
    damaged results are refused by name. Publishing again sends what changed; nothing is ever deleted there.
    """
    from ddbench.publish.card import card
    from ddbench.publish.gather import gather
    from ddbench.publish.places import place_of

    place = place_of(target, folder, revision, private)
    made = gather(folder)
    if with_card:
        made.items.append(card(made, place.name, licence, place.fetch))
    if not yes:
        click.echo(f"To {place.title}:")
        for item in made.items:
            click.echo(f"{item.size:>14,}  {item.path}")
    total = sum(item.size for item in made.items)
    click.echo(f"{len(made.items)} files, {total:,} bytes, {len(made.results)} results")
    _say("taken out (local paths, host names)", made.changed)
    _say("left out", made.left)
    _say("refused", made.refused)
    if not yes and with_card:
        text = made.items[-1].read().decode()
        click.echo("\nThe card:\n" + "\n".join(f"  | {line}".rstrip() for line in text.splitlines()))
    if made.refused and not skip_invalid:
        raise ArtifactError(
            f"{len(made.refused)} results are refused. Mend them, or give --skip-invalid for the others."
        )
    if not made.results:
        raise ArtifactError("No result is sound, so there is nothing to publish.")
    if not yes:
        click.echo("\nNothing was sent, and nobody was asked what is there already. With --yes, what differs is sent.")
        return
    done = place.send(made.items)
    click.echo(f"{len(done.sent)} files sent, {len(done.unchanged)} unchanged: {done.where}")


def _say(what: str, lines: list[str]) -> None:
    for line in lines:
        click.echo(printable(f"{what}: {line}"), err=True)
