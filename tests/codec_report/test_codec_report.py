"""`ddbench codec report` from the command line: figures, resume, other datasets, mistakes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ddbench import registry
from ddbench.cli.main import execute
from ddbench.codec_report import files, work
from ddbench.codec_report.schema import CodecReport

QUICK = ["--items", "20", "--network", "auto: {width: 4}", "--epochs", "1", "--device", "cpu"]


def report(out: Path, *words: str, draw: bool = False) -> CodecReport:
    with pytest.MonkeyPatch.context() as patch:
        if not draw:  # matplotlib takes longer than all the rest
            patch.setattr(files, "chart", lambda *given: None)
            patch.setattr(files, "picture", lambda *given: None)
        assert execute(["codec", "report", *words, *QUICK, "--out", str(out)]) == 0
    return CodecReport.model_validate_json((out / "report.json").read_text())


def without_times(found: CodecReport) -> list[dict[str, Any]]:
    return [row.model_dump(exclude={"cost"}) for row in found.rows]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CodecReport]:
    out = tmp_path_factory.mktemp("made")
    words = ["--codec", "identity", "--codec", "dct: {m: 8}", "--codec", "jpeg", "--storage", "float32,uint8"]
    return out, report(out, "digits", *words, "--seed", "0", "--seed", "1", draw=True)


def test_identity_loses_nothing(made: tuple[Path, CodecReport]) -> None:
    row = made[1].rows[0]
    assert (row.label, row.storage, row.stored.per_item) == ("identity", "float32", 256)
    assert row.reconstruction.figures["psnr_db"].model_dump() == {"mean": None, "exact": 20}
    assert row.accuracy == made[1].originals
    assert row.lost is not None
    assert list(row.lost.by_seed.values()) == [0.0, 0.0]
    assert row.lost.half_width == 0.0
    assert row.frechet is not None
    assert row.frechet.distance == pytest.approx(0, abs=1e-6)
    assert [room.items for room in row.room] == [(1,) * 10, (10,) * 10]


def test_rows_are_codecs_by_storage(made: tuple[Path, CodecReport]) -> None:
    rows = made[1].rows
    assert [r.title for r in rows] == [
        "identity, float32", "identity, uint8", "dct keep=0.125 m=8, float32", "dct keep=0.125 m=8, uint8",
        "jpeg quality=50",
    ]  # fmt: skip
    by = {r.title: r for r in rows}
    assert by["identity, uint8"].stored.per_item == 64 + 8
    assert by["dct keep=0.125 m=8, float32"].stored.per_class == 8
    assert by["jpeg quality=50"].stored.least < by["jpeg quality=50"].stored.most
    assert by["dct keep=0.125 m=8, float32"].frechet.distance > by["identity, uint8"].frechet.distance  # pyright: ignore[reportOptionalMemberAccess]
    assert made[1].originals is not None
    for row in rows:
        assert row.accuracy is not None
        assert row.lost is not None
        assert row.lost.mean == pytest.approx(made[1].originals.mean - row.accuracy.mean)


def test_what_is_written_can_be_read(made: tuple[Path, CodecReport]) -> None:
    out, found = made
    lines = list(csv.DictReader((out / "report.csv").open()))
    assert [float(line["bytes_per_item"]) for line in lines] == [row.stored.per_item for row in found.rows]
    assert lines[0]["psnr_db"] == ""
    text = (out / "report.md").read_text()
    assert "| exact |" in text.replace("  ", "")
    for name in ("chart.png", "picture.png"):
        with Image.open(out / name) as image:
            assert image.width > 500
    assert (
        json.loads((out / "report.json").read_text())["rows"][0]["reconstruction"]["figures"]["psnr_db"]["mean"] is None
    )


def test_the_same_command_goes_on_and_a_new_folder_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["digits", "--codec", "identity", "--codec", "dct: {m: 8}", "--storage", "uint8"]
    measure, done = work.measure, []

    def interrupted(line: Any, *more: Any) -> Any:
        if done:
            raise KeyboardInterrupt
        done.append(line.label)
        return measure(line, *more)

    monkeypatch.setattr(work, "measure", interrupted)
    out = tmp_path / "a"
    assert execute(["codec", "report", *words, *QUICK, "--out", str(out)]) == 130
    assert "run the same command again" in capsys.readouterr().err
    assert not (out / "report.json").exists()
    monkeypatch.setattr(work, "measure", lambda line, *more: done.append(line.label) or measure(line, *more))
    first = report(out, *words)
    assert done == ["identity", "dct keep=0.125 m=8"]
    assert "2 rows, 2 codecs at uint8, 1 finished before" in capsys.readouterr().out
    (damaged,) = [p for p in (out / "rows").iterdir() if p.name.startswith(first.rows[0].key[:16])]
    damaged.write_bytes(damaged.read_bytes()[:-9])
    again = report(out, *words)
    assert done == ["identity", "dct keep=0.125 m=8", "identity"]
    assert again.rows[1] == first.rows[1]
    assert without_times(again) == without_times(first) == without_times(report(tmp_path / "b", *words))


def test_signals_that_are_not_maps_and_codecs_that_refuse_them(tmp_path: Path) -> None:
    found = report(tmp_path, "breast_cancer", "--no-student", "--storage", "float32", draw=True)
    assert list(found.measures) == ["nrmse"]
    assert {"identity", "zca eps=0.1 refit=false"} <= {row.label for row in found.rows}
    assert found.originals is None
    refused = {one.label: one.why for one in found.without}
    assert "transforms the axes behind the channels" in refused["dct keep=0.125"]
    assert not any(one.failed for one in found.without)
    assert (tmp_path / "picture.png").exists()


def test_a_codec_fitted_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A basis of other data, here of the same digits upside down, fits worse."""
    from ddbench.data import Data
    from ddbench.datasets.tabular import Digits
    from ddbench.interfaces.dataset import Split

    def turned(self: Digits) -> tuple[Split, Split]:
        splits = plain(self)
        return (Split(splits[0].signals.flip(-2), splits[0].labels), splits[1]) if self.other else splits

    plain, load = Digits.load, work._load
    monkeypatch.setattr(Digits, "other", False, raising=False)
    monkeypatch.setattr(Digits, "load", turned)

    def loaded(choice: Any, asked: Any) -> Data:
        monkeypatch.setattr(Digits, "other", choice is asked.fit_on)
        return load(choice, asked)

    monkeypatch.setattr(work, "_load", loaded)
    words = ["digits", "--codec", "pca: {components: 8}", "--no-student", "--storage", "float32"]
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache-1"))
    at_home = report(tmp_path / "a", *words)
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache-2"))
    elsewhere = report(tmp_path / "b", *words, "--fit-on", "digits")
    home, away = (r.rows[0].reconstruction.figures["psnr_db"].mean for r in (at_home, elsewhere))
    assert home is not None
    assert away is not None
    assert away < home - 1
    assert any("Fitted on digits" in note for note in elsewhere.rows[0].notes)


def test_fit_on_other_signals_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["codec", "report", "digits", "--fit-on", "fashion_mnist_small", "--out", str(tmp_path)]) == 2
    assert "the shape (1, 28, 28), those of 'digits' (1, 8, 8)" in capsys.readouterr().err


def test_mistakes_are_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["digit", "--codec", "dtc", "--codec", "dct: {n: 4}", "--codec", "dct: [", "--storage", "float23,uint8"]
    words += ["--budget", "ipc:0", "--budget", "icp:1", "--network", "auto: {width: 0}", "--fit-on", "mnits"]
    assert execute(["codec", "report", *words, "--out", str(tmp_path / "x")]) == 2
    said = capsys.readouterr().err
    for part in ("'digits'", "'dct'", "unknown argument 'n'", "not valid YAML", "'float32'", "greater than 0", "'ipc'",
                 "argument 'width'", "'mnist'"):  # fmt: skip
        assert part in said, part
    assert not (tmp_path / "x").exists()


def test_a_file_where_the_folder_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("")
    assert execute(["codec", "report", "digits", "--out", str(tmp_path / "x")]) == 3
    assert "is a file, not a folder" in capsys.readouterr().err


def test_a_codec_that_raises_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(registry.load("codec", "dct"), "decode", broken)
    words = ["digits", "--codec", "dct", "--codec", "identity", "--storage", "float32", "--no-student"]
    assert execute(["codec", "report", *words, *QUICK, "--out", str(tmp_path)]) == 1
    found = CodecReport.model_validate_json((tmp_path / "report.json").read_text())
    assert [row.label for row in found.rows] == ["identity"]
    assert [(one.label, one.failed, one.why) for one in found.without] == [
        ("dct keep=0.125, float32", True, "ZeroDivisionError: by zero")
    ]
    assert "Failed:" in capsys.readouterr().out


def test_what_is_fitted_is_shared_with_cells(tmp_path: Path) -> None:
    """Students of a row and of the report find the same fit: the entry's name has the same coordinates."""
    report(tmp_path, "digits", "--codec", "pca: {components: 4}", "--no-student", "--storage", "float32")
    from ddbench.codec_report.lines import built
    from ddbench.data import load
    from ddbench.interfaces.codec import Target
    from ddbench.run.cell import fit_on
    from ddbench.spec.cell import Choice
    from ddbench.store import listening

    data, choice = load(registry.build("dataset", "digits")), Choice(name="pca", args={"components": 4})
    codec = built(choice, Target(data.card.signal, 10, 256 * 10, "float32", data.card.family))
    touched: list[Any] = []
    with listening(touched.append):
        fitted = fit_on(Choice(name="digits"), "test", choice, codec, data)
    assert [t.kind for t in touched] == ["found"]
    assert isinstance(fitted["basis"], torch.Tensor)


def test_missing_weights_are_the_reason_that_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path / "models"))
    words = ["codec", "report", "digits", "--codec", "autoencoder: {model: nowhere}", "--no-student"]
    assert execute([*words, "--out", str(tmp_path / "x")]) == 3
    said = capsys.readouterr().err
    assert "No codec can be measured: files that they need are missing or damaged." in said
    assert "The weights of nowhere are not here" in said
    assert execute([*words, "--codec", "text", "--out", str(tmp_path / "x")]) == 3
    assert "do not take the signals of 'digits'" in capsys.readouterr().err
