"""`ddbench leaderboard`: the published tables. Imports nothing heavy, so that help is instant."""

from __future__ import annotations

import click

from ddbench.cli.lazy import Entry, LazyGroup

COMMANDS = {
    "build": Entry("ddbench.cli.leaderboard_build:build", "Build README.md and a static site from results."),
}


@click.group(cls=LazyGroup, entries=COMMANDS, epilog="\b\nExample:\n  ddbench leaderboard build")
def leaderboard() -> None:
    """Tables and pages that anyone can re-check, from a folder of results."""
