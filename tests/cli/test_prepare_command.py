"""`ddbench prepare`: shared work once, beforehand, by the cells' own code; what is missing is told and comes later."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ddbench_methods import mtt_experts
from picture_trees import clipart_tree

from ddbench.cli import main
from ddbench.cli.main import execute
from ddbench.cli.prepare import _Meter
from ddbench.datasets.tabular import Digits
from ddbench.engines.allocator import ALLOCATOR
from ddbench.errors import DataError
from ddbench.planning import facts
from ddbench.planning.expand import expand
from ddbench.planning.load import load_suite
from ddbench.run import cell as cell_module
from ddbench.run.folder import RunFolder
from ddbench.store import Touched, listening

SUITE = """
ddbench: 1
name: tiny
protocol: {students: 1, epochs: 1, columns: equal_steps, networks: {auto: {width: 8}}}
grid:
  - datasets: digits
    codecs: [identity, {pca: {components: 4}}]
    methods:
      - random
      - mtt: {iterations: 1, syn_steps: 1, experts: 2, expert_epochs_total: 1, max_start: 1, expert_epochs: 1, lr: 1.0}
    spaces: [signal, code]
    budgets: {ipc: 20}
    seeds: [0, 1]
    network: {auto: {width: 8}}
    exclude: {method: random, space: code}
"""
RUN = ["run", "tiny.yaml", "--engine", "inline", "--device", "cpu", "--no-report"]
PREPARE = ["prepare", "tiny.yaml", "--device", "cpu"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tiny.yaml").write_text(SUITE)
    cell_module._load.cache_clear()
    facts._card.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Digits are missing until the fixture's value is called."""
    whole = Digits.load

    def missing(self):
        raise DataError("The dataset 'digits' needs digits.csv. Looked in: here. Put it there.")

    monkeypatch.setattr(Digits, "load", missing)

    def back() -> None:
        monkeypatch.setattr(Digits, "load", whole)
        cell_module._load.cache_clear()

    return back


def made(of: list[Touched]) -> list[str]:
    return [t.path.parent.name for t in of if t.kind == "made"]


def test_what_is_prepared_is_found_by_every_cell(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(PREPARE) == 0
    text = capsys.readouterr().out
    assert "tiny, 12 cells. To prepare: data 1, codec fits 1, work of methods (experts) 3" in text
    assert text.count("made 2 (") == 3
    assert text.count("fit of pca") == 1
    assert "In all made 7 entries" in text
    assert len(list((place / "experts").glob("*.safetensors"))) == 6
    touched: list[Touched] = []
    with listening(touched.append):
        assert execute(RUN) == 0
    assert made(touched) == []
    assert {t.path for t in touched if t.kind == "found"} == set(place.rglob("*.safetensors"))
    assert execute(PREPARE) == 0
    assert "In all made 0 entries" in capsys.readouterr().out


def test_a_run_alone_makes_the_same(place: Path) -> None:
    execute(PREPARE)
    prepared = {p.name: p.read_bytes() for p in place.rglob("*.safetensors")}
    for file in place.rglob("*.safetensors"):
        file.unlink()
    assert execute([*RUN, "--only", "seed 1"]) == 0
    assert {p.name: p.read_bytes() for p in place.rglob("*.safetensors")} == prepared


def test_only_prepares_what_the_named_cells_need(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([*PREPARE, "--only", "identity × mtt"]) == 0
    assert "codec fits" not in capsys.readouterr().out
    assert not (place / "fit").exists()
    assert execute([*PREPARE, "--only", "nothing"]) == 2


def test_missing_data_are_told_and_prepared_once_they_are_there(
    no_data: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(PREPARE) == 3
    said = capsys.readouterr().err
    assert said.count("needs digits.csv. Looked in: here") == 1
    assert said.count("waits for the data of digits") == 4
    assert "5 of 5 are not ready: 5 without data" in said
    no_data()
    assert execute(PREPARE) == 0


DRAWINGS = """
ddbench: 1
name: drawings
protocol: {students: 1, epochs: 1, columns: equal_steps, networks: {auto: {width: 4}}}
grid:
  - datasets: [{clipart10: {size: 8}}, {clipart10: {size: 16}}]
    codecs: [identity, {pca: {components: 2}}]
    methods: random
    budgets: {ipc: 40}
  - {datasets: {clipart10: {size: 8}}, codecs: {autoencoder: {model: nowhere}}, methods: random, budgets: {ipc: 1}}
"""


def test_pictures_are_decoded_once_before_anything_is_planned(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path / "models"))
    shares: list[float] = []
    monkeypatch.setattr(_Meter, "begin", lambda *_: shares.append)
    Path("tiny.yaml").write_text(DRAWINGS.rsplit("  - {", 1)[0])
    clipart_tree(tmp_path / "data" / "openclipart" / "png")
    assert execute(PREPARE) == 0
    said = capsys.readouterr()
    for size in (8, 16):
        assert said.out.index(f"pictures at 3 x {size} x {size}") < said.out.index("To prepare")
    maps = {p.name: p.stat().st_mtime_ns for p in place.rglob("*.u8")}
    found = {p.name: p.stat().st_size for p in place.rglob("*.u8") if "all" not in p.name}
    assert sum(found.values()) == 3 * (8**2 + 16**2) * 50, "both sizes, training and test"
    assert shares.count(1.0) >= 2
    assert execute(PREPARE) == 0
    assert {p.name: p.stat().st_mtime_ns for p in place.rglob("*.u8")} == maps
    assert execute(["plan", "tiny.yaml"]) == 0


def test_what_nothing_can_be_planned_without_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ddbench.datasets.clipart.SYSTEM_FOLDER", tmp_path / "nowhere")
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path / "models"))
    Path("tiny.yaml").write_text(DRAWINGS)
    for command in (["plan", "tiny.yaml"], PREPARE):
        assert execute(command) == 3
        said = capsys.readouterr().err
        assert said.count("needs the drawings of") == 1
        assert said.count("The weights of nowhere are not here") == 1
        assert said.count("Copy the folder to") == 1
    execute(["plan", "tiny.yaml"])
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ")[0] for line in lines[1:3]] == ["tiny.yaml:6,10:", "tiny.yaml:10:"]
    Path("tiny.yaml").write_text(DRAWINGS.replace("ipc: 1}", "ipc: -1}"))
    assert execute(["plan", "tiny.yaml"]) == 2, "a mistake of the file, whatever else is missing"


def test_cells_that_lacked_data_are_run_by_the_next_run(
    no_data: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*RUN, "--only", "random"]) == 3
    said = capsys.readouterr().err
    assert "4 of them lack their data" in said
    assert "--retry-failed" not in said
    assert execute([*RUN, "--only", "random"]) == 3
    no_data()
    assert execute([*RUN, "--only", "random"]) == 0
    runs, cells = RunFolder.open(Path("runs/tiny")), expand(load_suite("tiny.yaml"))
    assert {runs.state(c.key) for c in cells if c.method.name == "random"} == {"ok"}


def test_what_fails_is_named_and_the_rest_is_made(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tiny.yaml").write_text(SUITE.replace("lr: 1.0", "lr: 1.0, expert_lr: 1.0e+30"))
    assert execute(PREPARE) == 1
    said = capsys.readouterr()
    assert said.err.count("Lower expert_lr") == 3
    assert "3 of 5 are not ready: 3 failed" in said.err
    assert "made 1 (" in said.out
    assert not list((place / "experts").glob("*.safetensors"))


def test_an_interruption_keeps_what_is_finished(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train, trained = mtt_experts.train_experts, []

    def interrupted(task, config, which, tell):
        if len(trained) == 1:
            raise KeyboardInterrupt
        trained.extend(which)
        return train(task, config, which, tell)

    monkeypatch.setattr(mtt_experts, "train_experts", interrupted)
    assert execute(PREPARE) == 130
    assert "run the same command again to resume" in capsys.readouterr().err
    assert len(list((place / "experts").glob("*.safetensors"))) == 1
    monkeypatch.setattr(mtt_experts, "train_experts", train)
    assert execute(PREPARE) == 0
    assert "made 1 (" in capsys.readouterr().out


def test_a_cache_that_cannot_be_written_is_told_before_any_work(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write_text("a file where the folder should be")
    assert execute(PREPARE) == 3
    said = capsys.readouterr()
    assert "cannot be written, so nothing would be kept" in said.err
    assert "DDBENCH_CACHE" in said.err
    assert "data of digits" not in said.out


def test_damaged_files_are_named_and_made_anew(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(PREPARE)
    fit, expert = next((place / "fit").glob("*.safetensors")), next((place / "experts").glob("*.safetensors"))
    whole = expert.read_bytes()
    expert.write_bytes(fit.read_bytes())
    capsys.readouterr()
    assert execute(PREPARE) == 0
    assert f"note: {expert} was made anew: it is the entry {fit.stem[:12]}" in capsys.readouterr().err
    assert expert.read_bytes() == whole


def test_a_cell_notes_what_was_made_anew(place: Path) -> None:
    execute(PREPARE)
    for file in (place / "fit").glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:100])
    assert execute([*RUN, "--only", "random"]) == 0
    runs, cells = RunFolder.open(Path("runs/tiny")), expand(load_suite("tiny.yaml"))
    notes = [n for c in cells if (r := runs.result(c.key)) for n in r.notes if "made anew" in n]
    assert len(notes) == 1
    assert notes[0].startswith("The cache's fit/")
    assert "cut short" in notes[0]
    assert str(place) not in notes[0]


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator's variables are glibc's")
def test_the_command_starts_in_the_environment_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Replaced(Exception):
        pass

    def replaced(program: str, words: list[str], environment: dict[str, str]) -> None:
        assert program == words[0] == sys.executable
        assert words[1:] == ["-m", "ddbench.cli.main", *PREPARE]
        assert environment.items() >= ALLOCATOR.items() - {("MALLOC_TOP_PAD_", ALLOCATOR["MALLOC_TOP_PAD_"])}
        assert environment["MALLOC_TOP_PAD_"] == "7", "what the user set stays"
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        raise Replaced

    for name in ALLOCATOR:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MALLOC_TOP_PAD_", "7")
    monkeypatch.setattr(sys, "argv", ["ddbench", *PREPARE, "--only", "random"])
    monkeypatch.setattr(main.os, "execve", lambda *to: replaced(to[0], to[1][:-2], to[2]))
    with pytest.raises(Replaced):
        main.main()
    with pytest.raises(SystemExit) as done:  # in it, the command runs
        main.main()
    assert done.value.code == 0


def test_progress_is_told_with_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ddbench.cli import prepare as command

    now = [0.0]
    monkeypatch.setattr(command.time, "monotonic", lambda: now[0])
    meter = _Meter(terminal=False)
    tell = meter.begin(1, 2, "experts")
    for now[0], fraction in ((1.0, 0.1), (12.0, 0.25), (13.0, 0.3), (24.0, 0.5)):
        tell(fraction)
    assert capsys.readouterr().err.splitlines() == [
        "[1/2] experts: 25%, 12 s, about 36 s left",
        "[1/2] experts: 50%, 24 s, about 24 s left",
    ]
    shown = _Meter(terminal=True)
    shown.begin(1, 2, "experts")
    shown.clear()
    assert capsys.readouterr().err == "[1/2] experts\r" + " " * 13 + "\r"
