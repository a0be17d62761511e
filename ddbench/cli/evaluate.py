"""`ddbench evaluate`: scores any distilled set, made here or elsewhere, as a row like every other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.api.progress import Progress, terminal_bar
from ddbench.errors import SpecError

if TYPE_CHECKING:
    from ddbench.budget import Budget
    from ddbench.imported.cells import Ready
    from ddbench.imported.evaluate import Request
    from ddbench.run.folder import RunFolder
    from ddbench.spec.cell import EvaluationProtocol, Training

FAILED = 1
INTERRUPTED = 130


@click.command(
    epilog="\b\nExamples:\n"
    "  ddbench evaluate runs/quickstart/cells/0a1b2c3d4e5f6071 --protocol fashion_mnist_reduced\n"
    "  ddbench evaluate pictures/ --dataset fashion_mnist --name 'mine'\n"
    "  ddbench evaluate res_DM_CIFAR10_ConvNet_10ipc.pt --dataset cifar10 --normalisation dataset\n"
    "  ddbench evaluate logged_files/ --dataset cifar10 --codec '{zca: {refit: true}}' --recipe mtt.yaml"
)
@click.argument("path", metavar="SET", type=click.Path(path_type=Path))
@click.option("--dataset", help="NAME, or {NAME: {argument: value}}; a set of ddbench says it itself.")
@click.option("--name", help="What the row is called.  [default: the file's name]")
@click.option(
    "--normalisation", metavar="WHAT",
    help="What float values are: dataset, none (raw), 255, imagenet, or mean,std. 8-bit values and pictures need none.",
)  # fmt: skip
@click.option("--codec", help="The values are codes of this codec: NAME, or {NAME: {argument: value}}.")
@click.option("--signals", metavar="NAME", help="Array that holds the signals.  [default: x, images, data, …]")
@click.option("--labels", metavar="NAME", help="Array that holds the labels.  [default: y, labels, …]")
@click.option(
    "--soft-labels", type=click.Choice(["auto", "probabilities", "logits"]), default="auto", show_default=True,
    help="What soft labels are.",
)  # fmt: skip
@click.option("--resize", is_flag=True, help="Bring images of another size to the dataset's.")
@click.option("--protocol", metavar="WHICH", help="A suite, SUITE:NAME of its protocols, or a YAML file of its fields.")
@click.option(
    "--recipe", type=click.Path(path_type=Path),
    help="The set's own recipe, a YAML file of training fields (lr, epochs, …): a column of its own.",
)  # fmt: skip
@click.option("--budget", help="{ipc: N} or {bytes_per_class: N}.  [default: the fewest whole signals that hold it]")
@click.option("--network", help="Network that the set was made with, if known.  [default: auto]")
@click.option("--students", type=click.IntRange(1), help="Students of each network.  [default: the protocol's]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the students.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, …")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/evaluated"), show_default=True, help="Folder."
)
def evaluate(
    path: Path, dataset: str | None, name: str | None, normalisation: str | None, codec: str | None,
    signals: str | None, labels: str | None, soft_labels: str, resize: bool, protocol: str | None, recipe: Path | None,
    budget: str | None, network: str | None, students: int | None, seed: int, device: str, threads: int, out: Path,
) -> None:  # fmt: skip
    """Evaluate SET: a set of ddbench, a folder of images by class, an .npz or .safetensors file, or tensors as DC, DM
    and MTT released them.

    Students are trained as in every row, and its bytes are those of what is given. A learned step size that comes with
    the set, or --recipe, adds a column with the set's own recipe. What is finished stays: the same command resumes.
    """
    from ddbench.imported.arrays import Names
    from ddbench.imported.evaluate import Request, ready
    from ddbench.imported.read import Asked
    from ddbench.planning.protocols import choice_of, protocol_of

    def own(protocol: EvaluationProtocol, lr: float | None) -> Training | None:
        from ddbench.planning import protocols

        if recipe is not None:
            return protocols.recipe_of(recipe, protocol, lr)
        return None if lr is None else protocols.recipe(protocol, lr)

    request = Request(
        path=path,
        dataset=choice_of(dataset, "--dataset") if dataset is not None else None,
        name=name,
        asked=Asked(Names(signals, labels), soft_labels, resize),  # pyright: ignore[reportArgumentType]
        normalisation=normalisation,
        codec=choice_of(codec, "--codec") if codec is not None else None,
        protocol=protocol_of(protocol) if protocol is not None else None,
        students=students,
        recipe=own,
        budget=_budget(budget) if budget is not None else None,
        network=choice_of(network, "--network") if network is not None else None,
        seed=seed,
    )
    _run(request, ready(request), out, device, threads)


def _budget(text: str) -> Budget:
    from pydantic import ValidationError

    from ddbench.budget import Budget
    from ddbench.spec.yaml import parse

    try:
        return Budget.model_validate(parse(text, "--budget").data)
    except ValidationError:
        raise SpecError(f"--budget takes {{ipc: N}} or {{bytes_per_class: N}}; got {text!r}.") from None


def _run(request: Request, found: list[Ready], out: Path, device: str, threads: int) -> None:
    from ddbench import registry
    from ddbench.imported.folder import folder_for
    from ddbench.interfaces.engine import Job
    from ddbench.run.worker import pick_device

    pick_device(device)
    for one in found:
        click.echo(f"{request.path}: {sum(one.card.counts)} items of {one.card.n_classes} classes, {one.cell.title}")
        for note in one.notes:
            click.echo(f"  {note}")
    runs = folder_for(out, found)
    todo = {one.cell.key: one.cell.title for one in found if _is_open(runs, one)}
    if todo:
        try:
            bar = terminal_bar(len(todo)) if sys.stderr.isatty() and sys.stdout.isatty() else None
            with Progress(todo, bar, click.echo) as progress:
                registry.build("engine", "local", {"slots": 1}).run(
                    Job(runs.path, list(todo), device, threads), progress
                )
        except KeyboardInterrupt:
            click.echo(f"\nInterrupted. What is finished is in {out}; run the same command again to resume.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
    else:
        click.echo(f"{out} has the result already.")
    _tell(runs, found)


def _is_open(runs: RunFolder, one: Ready) -> bool:
    """Whether the cell needs a result; a failed one is dropped, and tried again."""
    from ddbench.imported.folder import place

    state = runs.state(one.cell.key)
    if state in ("failed", "out_of_memory", "diverged", "unreadable"):
        runs.forget(one.cell.key)
        place(runs, one)
    return state != "ok"


def _tell(runs: RunFolder, found: list[Ready]) -> None:
    from ddbench.report.table import Collection, failures, render

    results = [result for one in found if (result := runs.result(one.cell.key)) is not None]
    if results:
        click.echo("\n" + render(Collection(tuple(results))))
    for one in found:
        click.echo(f"result    {runs.cell_dir(one.cell.key) / 'result.json'}")
    failed = failures(Collection(tuple(results)))
    if failed or len(results) < len(found):
        raise click.exceptions.Exit(FAILED)
