"""`ddbench validate`: whether suites, recipes, results, run folders, distilled sets or submissions are sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.errors import ArtifactError, DdbenchError, SpecError, printable

if TYPE_CHECKING:
    from ddbench.submission.findings import Checked, Finding


@dataclass(frozen=True)
class Options:
    """What the command's options ask for."""

    against: Path | None = None
    tolerance: float = 0.0
    complete: bool = False
    decode: bool = False


@click.command(
    epilog="\b\nExample:\n  ddbench validate quickstart runs/quickstart"
    "\n  ddbench validate leaderboard/results --against published/results"
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="OLD",
    help="Folder of results as they were published: none may be gone or changed in the PATHs.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    metavar="FRACTION",
    help="With --against: change of an accuracy that still counts as none.  [default: 1e-9]",
)
@click.option("--complete", is_flag=True, help="Take absent mandatory rows and seeds of results for faults too.")
@click.option("--decode", is_flag=True, help="Decode the distilled sets of results too (imports torch, needs codecs).")
def validate(
    paths: tuple[str, ...], against: Path | None, tolerance: float | None, complete: bool, decode: bool
) -> None:  # fmt: skip
    """Check each PATH: a suite or recipes file (or the name of a shipped one), a result.json, a run folder, a
    distilled set, a folder of submitted results.

    Of results it checks schema, key, units, students, the set's digest and its bytes, measured, and duplicates. Says
    of each PATH whether it is sound, or everything that is wrong. Exit code 3 where results or sets are not sound, 2
    where a suite, recipes or what was asked are not.
    """
    from ddbench.submission.against import TOLERANCE

    if tolerance is not None and against is None:
        raise click.UsageError("--tolerance goes with --against OLD.")
    options = Options(against, TOLERANCE if tolerance is None else tolerance, complete, decode)
    codes = set()
    for text in paths:
        try:
            said = f"ok     {text}: {check(text, options)}"
        except DdbenchError as error:
            codes.add(error.exit_code)
            said = f"wrong  {text}: {error}"
        click.echo(printable(said))
    if codes:
        raise click.exceptions.Exit(min(codes))


def check(text: str, options: Options) -> str:
    """What the file or folder is, in words. Raises: DdbenchError saying what is wrong with it."""
    path = Path(text)
    if options.against is not None and not path.is_dir():
        raise SpecError(f"--against compares folders of results; {text} is no folder.")
    if path.is_dir():
        if (path / "suite.json").exists():
            return _run_folder(path, options)
        if (path / "distilled.json").exists() and not (path / "result.json").exists():
            return _artifact(path)
        return _submission(path, options)
    if path.suffix == ".safetensors" or path.name == "distilled.json":
        return _artifact(path)
    if path.suffix == ".json":
        return _result(path, options)
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


def _result(path: Path, options: Options) -> str:
    from ddbench.submission.folder import check_file

    checked = check_file(path, decode=options.decode)
    _refuse(checked.of("wrong"))
    result = checked.entries[0].result
    measured = f", {result.bytes.used:,} bytes measured" if result.bytes and result.artifact else ""
    return f"result ({result.status}) of {result.cell.title}{measured}"


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


def _submission(path: Path, options: Options) -> str:
    from ddbench.submission.folder import check_folder, result_files

    if not result_files(path):
        raise ArtifactError(
            "this folder is neither a run folder (suite.json) nor a distilled set (distilled.json), and holds no "
            "result.json."
        )
    checked = check_folder(path, decode=options.decode)
    _refuse(_refused(checked, options), beside=checked)
    return f"{checked.files} results{_measured(checked)}{_noted(checked)}"


def _run_folder(path: Path, options: Options) -> str:
    from ddbench.run.folder import RunFolder
    from ddbench.submission.findings import Checked, Finding
    from ddbench.submission.folder import check_folder, result_files

    runs = RunFolder.open(path)
    keys, findings = runs.keys(), []
    for key in keys:
        try:
            runs.cell(key)
        except DdbenchError as error:
            findings.append(Finding("wrong", f"{runs.cell_dir(key).relative_to(path)}/cell.json", str(error)))
    checked = check_folder(path, decode=options.decode) if result_files(path) else Checked((), 0, ())
    findings += _refused(checked, options)
    unsound = len({Path(f.where).parent for f in findings})
    _refuse(findings, f"{unsound} of {len(keys)} cells are not sound", checked)
    done = len({e.result.key for e in checked.entries} & set(keys))
    told = f"run folder of {runs.suite_name}, {done} of {len(keys)} cells have a result"
    return told + (_measured(checked) + _noted(checked) if done else "")


def _refused(checked: Checked, options: Options) -> list[Finding]:
    """What is wrong with a folder of results by the options."""
    from ddbench.submission.against import changes
    from ddbench.submission.folder import check_folder

    found = checked.of("wrong") + (checked.of("incomplete") if options.complete else [])
    if options.against is not None:
        found += changes(checked, check_folder(options.against, measured=False), options.tolerance)
    return found


def _refuse(findings: Sequence[Finding], what: str = "", beside: Checked | None = None) -> None:
    """Raises: ArtifactError that lists the findings, and what was noted `beside`, where there are any."""
    if findings:
        head = what or f"{len(findings)} fault{'' if len(findings) == 1 else 's'}"
        noted = [] if beside is None else [f for f in beside.findings if f.kind != "wrong" and f not in findings]
        raise ArtifactError(f"{head}:" + "".join(f"\n         {line}" for line in [*findings, *noted]))


def _measured(checked: Checked) -> str:
    sets = [e.result for e in checked.entries if e.result.artifact is not None]
    return f", {len(sets)} distilled sets measured ({sum(r.bytes.used for r in sets if r.bytes):,} bytes)"


def _noted(checked: Checked) -> str:
    return "".join(f"\n         {finding}" for finding in checked.findings if finding.kind != "wrong")
