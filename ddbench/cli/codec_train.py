"""`ddbench codec train`: fits a codec's weights on datasets, for use on others."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ddbench.cli.main import INTERRUPTED
from ddbench.errors import SpecError

EXAMPLE = """\b
Examples:
  ddbench codec train autoencoder --dataset mnist --set f=4 --set channels=4 --out models/digits
  ddbench codec train autoencoder --dataset mnist --dataset 'photographs{size: 64}' --out models/mixed
"""


@click.command(epilog=EXAMPLE)
@click.argument("codec")
@click.option(
    "--dataset", "datasets", multiple=True, required=True, metavar="NAME[{ARGS}]", help="What to train on; several do."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An argument of the training.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The folder to write; it must not be there."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, or one such as cuda:1.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of the process.")
def train(
    codec: str, datasets: tuple[str, ...], settings: tuple[str, ...], out: Path, device: str, threads: int
) -> None:
    """Fit the weights of CODEC on the training splits of datasets, for use on other datasets.

    `ddbench info codec CODEC` lists the arguments. Interrupted, the same command goes on where it was.
    """
    args = _settings(settings)
    chosen = [_dataset(text) for text in datasets]
    import torch

    from ddbench.run.codec_training import Asked, train_codec
    from ddbench.run.phases import exact_float32
    from ddbench.run.worker import pick_device

    click.get_current_context().with_resource(exact_float32())
    where = pick_device(device)
    torch.set_num_threads(threads)
    asked = Asked(codec, args, chosen, _command(codec, datasets, settings, out))
    out = out.absolute()
    try:
        card = train_codec(asked, out, where, click.echo)
    except KeyboardInterrupt:
        click.echo("\nInterrupted. Run the same command again to go on from the last checkpoint.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    weight = sum(file.stat().st_size for file in out.iterdir())
    click.echo(f"{out}: {weight:,} bytes. {card['training_data']}")


def _settings(texts: tuple[str, ...]) -> dict[str, Any]:
    """The arguments of training. Raises: SpecError for what is not KEY=VALUE, or given twice."""
    args: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise SpecError(f"--set takes KEY=VALUE, for example f=4; got {text!r}.")
        if key.strip() in args:
            raise SpecError(f"--set gives {key.strip()!r} twice. Give it once.")
        args[key.strip()] = _value(value, f"--set {key.strip()}")
    return args


def _dataset(text: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments. Raises: SpecError for arguments that are not a YAML mapping."""
    name, brace, rest = text.partition("{")
    args = _value("{" + rest, f"--dataset {name.strip()}") if brace else {}
    if not isinstance(args, dict) or not name.strip():
        raise SpecError(f"--dataset takes NAME or NAME{{key: value, …}}; got {text!r}.")
    return name.strip(), args


def _value(text: str, label: str) -> Any:
    from ddbench.spec.yaml import parse

    document = parse(text if text.strip() else "null", label)
    if document.faults:
        raise document.error(document.faults)
    return document.data


def _command(codec: str, datasets: tuple[str, ...], settings: tuple[str, ...], out: Path) -> str:
    """The command line that makes these weights, without what changes from machine to machine."""
    words = ["ddbench", "codec", "train", codec]
    for flag, values in (("--dataset", datasets), ("--set", settings)):
        words += [word for value in values for word in (flag, value)]
    return shlex.join([*words, "--out", out.name])
