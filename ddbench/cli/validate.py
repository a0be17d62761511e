"""`ddbench validate`: whether a suite, recipes, a result, a run folder or a distilled set is what it should be."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.errors import ArtifactError, DdbenchError, SpecError

FAULTY = 2


@click.command(epilog="\b\nExample:\n  ddbench validate quickstart runs/quickstart")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def validate(paths: tuple[str, ...]) -> None:
    """Check each PATH: a suite or recipes file (or the name of a shipped one), a result.json, a run folder, a
    distilled set.

    Says of each whether it is sound or what is wrong. Exit code 2 where any is not sound.
    """
    faulty = 0
    for text in paths:
        try:
            click.echo(f"ok     {text}: {check(text)}")
        except DdbenchError as error:
            faulty += 1
            click.echo(f"wrong  {text}: {error}")
    if faulty:
        raise click.exceptions.Exit(FAULTY)


def check(text: str) -> str:
    """What the file or folder is, in words. Raises: DdbenchError saying what is wrong with it."""
    path = Path(text)
    if path.is_dir():
        if (path / "suite.json").exists():
            return _run_folder(path)
        if (path / "distilled.json").exists():
            return _artifact(path)
        raise ArtifactError("this folder is neither a run folder (suite.json) nor a distilled set (distilled.json).")
    if path.suffix == ".safetensors" or path.name == "distilled.json":
        return _artifact(path)
    if path.suffix == ".json":
        return _result(path)
    return _yaml(text)


def _yaml(text: str) -> str:
    """A suite or recipes; of the names of shipped ones, suites' come first."""
    from ddbench.planning.recipes import check_recipes
    from ddbench.spec.find import find_recipes, find_suite
    from ddbench.spec.yaml import read

    for find in (find_suite, find_recipes):
        try:
            document = read(find(text), text)
        except SpecError:
            continue
        if isinstance(document.data, dict) and "ddbench_recipes" in document.data:
            recipes = check_recipes(document)
            return f"recipes {recipes.name}, version {recipes.version}, {len(recipes.rules)} rules"
    return _suite(text)


def _suite(text: str) -> str:
    from ddbench.planning.expand import expand
    from ddbench.planning.load import load_suite

    suite = load_suite(text)
    return f"suite {suite.name}, version {suite.version}, {len(expand(suite))} cells"


def _result(path: Path) -> str:
    from ddbench.result.io import read_result

    result = read_result(path)
    return f"result ({result.status}) of {result.cell.title}"


def _artifact(path: Path) -> str:
    from ddbench.artifact import load

    distilled = load(path)
    card, lacking = distilled.card, distilled.lacking
    if lacking:
        found = f"not decoded: {', '.join(lacking)} are fitted again on the training set, not stored"
    else:
        found = f"{len(distilled.decode()[0])} signals"
    return (
        f"distilled set of {card.dataset} with {card.codec}: {sum(card.counts)} items, {found}, "
        f"{distilled.used_bytes:,} bytes"
    )


def _run_folder(path: Path) -> str:
    from ddbench.run.folder import RunFolder

    runs = RunFolder.open(path)
    keys, faults, done = runs.keys(), [], 0
    for key in keys:
        try:
            runs.cell(key)
            done += _checked_result(runs.cell_dir(key))
        except DdbenchError as error:
            faults.append(str(error))
    if faults:
        listed = "".join(f"\n         {fault}" for fault in faults)
        raise ArtifactError(f"{len(faults)} of {len(keys)} cells are not sound:{listed}")
    return f"run folder of {runs.suite_name}, {done} of {len(keys)} cells have a result"


def _checked_result(where: Path) -> bool:
    """Whether a cell's folder has a result; one that names a distilled set must agree with it."""
    from ddbench.result.io import read_result

    if not (where / "result.json").exists():
        return False
    result = read_result(where / "result.json")
    if result.artifact is not None and result.bytes is not None:
        from ddbench.artifact import load

        distilled = load(where / result.artifact.file)
        if distilled.card.sha256 != result.artifact.sha256:
            raise ArtifactError(f"{where / result.artifact.file} is not the set that the result names (its digest).")
        if distilled.used_bytes != result.bytes.used:
            found, said = distilled.used_bytes, result.bytes.used
            raise ArtifactError(f"{where / result.artifact.file} holds {found} bytes; the result says {said}.")
    return True
