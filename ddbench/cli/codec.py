"""`ddbench codec`: what is done with a codec alone. Imports nothing heavy, so that help is instant."""

from __future__ import annotations

import click

from ddbench.cli.lazy import Entry, LazyGroup

COMMANDS = {
    "train": Entry("ddbench.cli.codec_train:train", "Fit a codec's weights on datasets, for use on others."),
    "report": Entry(
        "ddbench.cli.codec_report:report", "Measure what codecs alone lose on a dataset, and what they cost."
    ),
}


EXAMPLE = """\b
Example:
  ddbench codec train autoencoder --dataset mnist --set f=4 --out models/digits
"""


@click.group(cls=LazyGroup, entries=COMMANDS, epilog=EXAMPLE)
def codec() -> None:
    """Train a codec, or report on codecs."""
