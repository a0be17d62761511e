"""Building a leaderboard: the same bytes every time, nothing of anyone else's touched, damage named and left out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from made_up_results import made_up_cell, made_up_result, quickstart_like

from ddbench.cli.main import execute
from ddbench.errors import ArtifactError, RunError, SpecError
from ddbench.leaderboard.build import build
from ddbench.leaderboard.output import MANIFEST
from ddbench.result.io import write_result
from ddbench.result.schema import Result
from ddbench.spec.cell import EvaluationProtocol

RESULTS = quickstart_like()


def made_up_folder(folder: Path, results: Sequence[Result]) -> Path:
    """As a run leaves it, without waiting for the disk."""
    for result in results:
        at = folder / "cells" / result.key[:16]
        at.mkdir(parents=True, exist_ok=True)
        (at / "result.json").write_text(result.model_dump_json(indent=1) + "\n")
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return made_up_folder(tmp_path / "board" / "results", RESULTS)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_results_give_the_same_bytes_wherever_they_lie(results: Path, tmp_path: Path) -> None:
    build(results, tmp_path / "board")
    other = tmp_path / "elsewhere" / "results"
    for result in reversed(RESULTS):
        made_up_folder(other, [result])
    build(other, other.parent)
    assert contents(tmp_path / "board") == contents(other.parent)


def test_a_second_build_writes_nothing_and_a_changed_row_its_own_pages(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = build(results, out)
    assert first.written == len(contents(out)) - 1  # the manifest is not counted
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    second = build(results, out)
    assert (second.written, second.removed) == (0, 0)
    assert times == {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}

    shutil.rmtree(next((results / "cells").iterdir()))
    third = build(results, out)
    assert 0 < third.written < 10


def test_a_removed_row_loses_its_pages_and_nothing_else_is_removed(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(results, out)
    (out / "notes.md").write_text("mine")
    (out / "site" / "rows" / "mine.html").write_text("mine")
    before = contents(out)
    for result in RESULTS:
        if result.cell.codec.name == "jpeg":
            shutil.rmtree(results / "cells" / result.key[:16])
    built = build(results, out)
    after = contents(out)
    assert built.removed == len(before.keys() - after.keys()) == 4  # two budgets, a page and a suite each
    assert after["notes.md"] == after["site/rows/mine.html"] == b"mine"
    assert not any(b"jpeg quality" in data or b">jpeg" in data for data in after.values())


def test_an_obsolete_page_that_somebody_changed_stays(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(results, out)
    page = next(p for p in (out / "site" / "rows").glob("*.html") if "jpeg" in p.read_text())
    page.write_text("my own notes")
    for result in RESULTS:
        if result.cell.codec.name == "jpeg":
            shutil.rmtree(results / "cells" / result.key[:16])
    assert build(results, out).kept == [f"site/rows/{page.name}"]
    assert page.read_text() == "my own notes"


def test_a_file_of_somebody_else_is_not_overwritten(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("my project")
    with pytest.raises(RunError, match=r"README\.md was not made by this command"):
        build(results, out)
    assert (out / "README.md").read_text() == "my project"


def test_links_out_of_the_folder_are_refused(results: Path, tmp_path: Path) -> None:
    out, away = tmp_path / "out", tmp_path / "away"
    out.mkdir()
    away.mkdir()
    (out / "site").symlink_to(away)
    with pytest.raises(RunError, match="is a link"):
        build(results, out)
    assert not list(away.iterdir())


@pytest.mark.parametrize("name", ["../victim", "/tmp/victim", "site/../../victim", "other/x", "site/manifest.json"])
def test_a_manifest_that_names_foreign_files_is_refused(results: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    (out / "site").mkdir(parents=True)
    (tmp_path / "victim").write_text("here")
    (out / MANIFEST).write_text(json.dumps({"files": {name: None}}))
    with pytest.raises(ArtifactError, match="not a manifest"):
        build(results, out)
    assert (tmp_path / "victim").read_text() == "here"


def test_a_build_that_was_killed_is_taken_up(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ddbench.leaderboard import output

    whole, out = tmp_path / "whole", tmp_path / "out"
    build(results, whole)
    writes = 0
    write = output.write_atomic

    def dies(*args: object, **kwargs: object) -> None:
        nonlocal writes
        writes += 1
        if writes > 20:
            raise KeyboardInterrupt
        write(*args, **kwargs)

    monkeypatch.setattr(output, "write_atomic", dies)
    with pytest.raises(KeyboardInterrupt):
        build(results, out)
    monkeypatch.undo()
    # What is taken up may be another set of results: pages written before the end are still its own.
    shutil.rmtree(results / "cells" / RESULTS[0].key[:16])
    build(results, whole)
    build(results, out)
    assert contents(out) == contents(whole)


def test_unsound_files_are_named_and_the_rest_is_built(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = (results / "cells" / RESULTS[0].key[:16] / "result.json").read_text()
    hostile = {
        "cut": sound[:500],
        "nan": sound.replace('"seconds": 2.0', '"seconds": NaN'),
        "percent": sound.replace('"accuracy": 0.', '"accuracy": 50.'),
        "negative": sound.replace('"used": 31360', '"used": -1'),
        "schema": sound.replace('"schema_version": 1', '"schema_version": 99'),
        "twin": sound,
        "surrogate": sound.replace('"run-0"', '"\\ud800"'),
        "deep": "[" * 100_000,
        "binary": "\0",
    }
    for name, text in hostile.items():
        (results / name).mkdir()
        (results / name / "result.json").write_text(text)
    (tmp_path / "secret").write_text(sound.replace('"run-0"', '"run-9"'))
    (results / "link").mkdir()
    (results / "link" / "result.json").symlink_to(tmp_path / "secret")
    assert execute(["leaderboard", "build", str(results), "--out", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    for name in [*hostile, "link"]:
        assert f"left out: {results / name}" in said, name
    assert "Traceback" not in said
    index = (tmp_path / "out" / "site" / "index.html").read_text()
    assert "twin/result.json" in index
    assert str(tmp_path) not in index + (tmp_path / "out" / "README.md").read_text()
    assert len(list((tmp_path / "out" / "site" / "rows").glob("*.html"))) == 15


def test_nothing_to_build_and_out_among_the_results(tmp_path: Path, results: Path) -> None:
    with pytest.raises(ArtifactError, match="no folder"):
        build(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"holds no result\.json"):
        build(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(SpecError, match="lies in it"):
        build(results, results / "board")


def test_what_may_not_stand_together_does_not(tmp_path: Path) -> None:
    protocols = {
        "a": EvaluationProtocol(students=2, name="a"),
        "b": EvaluationProtocol(students=3, name="a"),
        "validation": EvaluationProtocol(students=2, name="a", evaluate_on="validation"),
    }
    results = [made_up_result(made_up_cell(seed=s, protocol=p)) for p in protocols.values() for s in range(2)]
    results += [made_up_result(made_up_cell("pca", seed=s, protocol=protocols["a"])) for s in range(2)]
    results += [made_up_result(made_up_cell(codec_version="2", protocol=protocols["a"]))]
    free = made_up_result(made_up_cell("vq", protocol=protocols["a"]))
    assert free.bytes is not None
    results.append(free.model_copy(update={"bytes": free.bytes.model_copy(update={"refitted": 10})}))
    made_up_folder(tmp_path / "results", results)
    built = build(tmp_path / "results", tmp_path / "out")
    pages = [p.read_text() for p in sorted((tmp_path / "out" / "site" / "boards").glob("*.html"))]
    assert built.boards == len(pages) == 5
    assert sum("VALIDATION" in p or "validation split" in p for p in pages) == 1
    assert sum("NOT RANKED" in p for p in pages) == 1
    assert any("absent mandatory rows" in p for p in pages) is False  # nothing is learned here


def test_withdrawn_rows_keep_their_page_and_leave_the_ranking(results: Path, tmp_path: Path) -> None:
    keys = [r.key for r in RESULTS if (r.cell.codec.name, r.cell.method.name) == ("dct", "dm") and r.cell.budget]
    flags = "".join(
        f'  - {{key: {k}, kind: withdrawn, reason: "<b>a bug</b>", date: "2026-01-01", by: us}}\n' for k in keys
    )
    (results.parent / "flags.yaml").write_text(f"ddbench_flags: 1\nflags:\n{flags}")
    build(results, tmp_path / "out")
    site = tmp_path / "out" / "site"
    boards = {p.name: p.read_text() for p in (site / "boards").glob("*.html")}
    assert sorted("dct × dm" in b.replace(' <span class="quiet">×</span> ', " × ") for b in boards.values()) == [0, 1]
    pages = [p.read_text() for p in (site / "rows").glob("*.html")]
    assert sum("&lt;b&gt;a bug&lt;/b&gt;" in p for p in pages) == 2
    assert "Withdrawn" in (tmp_path / "out" / "README.md").read_text()


def test_failed_cells_are_told(tmp_path: Path) -> None:
    results = [made_up_result(made_up_cell(seed=0)), made_up_result(made_up_cell(seed=1), status="diverged")]
    made_up_folder(tmp_path / "results", [*results, made_up_result(made_up_cell("pca"), status="failed")])
    build(tmp_path / "results", tmp_path / "out")
    index = (tmp_path / "out" / "site" / "index.html").read_text()
    assert index.count("out of paper and ink") == 2
    assert "1 of 2†" in next((tmp_path / "out" / "site" / "boards").iterdir()).read_text()


def test_pictures_are_taken_from_beside_the_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    from ddbench.result.schema import Artifact

    for codec in ("identity", "pca", "dct", "text"):
        result = made_up_result(made_up_cell(codec))
        result = result.model_copy(update={"artifact": Artifact(file="distilled.safetensors", sha256="0" * 64)})
        (tmp_path / "results" / codec).mkdir(parents=True)
        write_result(tmp_path / "results" / codec / "result.json", result)
    Image.new("RGB", (30, 20)).save(tmp_path / "results" / "identity" / "picture.png")
    (tmp_path / "results" / "identity" / "picture.txt").write_text("sea\n  <b>tide</b> & wind\n")
    Image.new("RGB", (30, 20)).save(tmp_path / "results" / "text" / "picture.png")
    (tmp_path / "results" / "text" / "picture.txt").write_text("x" * 20_001)
    (tmp_path / "results" / "pca" / "picture.png").write_text("<script>")
    (tmp_path / "results" / "dct" / "picture.png").symlink_to("/etc/hostname")
    assert execute(["leaderboard", "build", str(tmp_path / "results"), "--out", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    assert "no PNG" in said
    assert "is a link" in said
    assert "text/picture.txt has 20,001 bytes; words of a picture have at most 20,000" in said
    (picture,) = (tmp_path / "out" / "site" / "pictures").iterdir()
    page = (tmp_path / "out" / "site" / "rows" / f"{picture.stem}.html").read_text()
    assert f'src="../pictures/{picture.name}" width="30" height="20"' in page
    assert "sea\n  &lt;b&gt;tide&lt;/b&gt; &amp; wind\n</pre>" in page


def test_the_build_imports_no_torch(results: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from ddbench.cli.main import execute; "
        f"code = execute(['leaderboard', 'build', {str(results)!r}, '--out', {str(tmp_path / 'out')!r}]); "
        "print(code, 'torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "0 False False"
