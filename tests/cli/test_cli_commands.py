"""The commands, on made-up results and an engine that makes results up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_up_results import made_up_cell, made_up_folder, made_up_result
from made_up_submissions import X, submit

from ddbench import registry
from ddbench.api.progress import Progress, terminal_bar
from ddbench.cli.info import type_name
from ddbench.cli.main import execute
from ddbench.interfaces.engine import Event, Job
from ddbench.result.io import write_result
from ddbench.run.folder import RunFolder

SUITE = """
ddbench: 1
name: tiny
version: 1
protocol: {name: tiny, students: 1, epochs: 1, columns: equal_steps}
grid:
  - datasets: fashion_mnist_small
    codecs: identity
    methods: [random, herding]
    budgets: {ipc: 1}
    seeds: [0, 1]
"""


class MadeUpEngine:
    """Writes a made-up result for each cell; those whose title holds `bad` words fail; may be interrupted."""

    bad: str = ""
    interrupt_after: int | None = None
    ran: list[str]

    def __init__(self) -> None:
        self.ran = []

    def run(self, job: Job, report: Callable[[Event], None]) -> None:
        folder = RunFolder.open(job.folder)
        for i, key in enumerate(job.keys):
            if i == self.interrupt_after:
                raise KeyboardInterrupt
            cell = folder.cell(key)
            failed = bool(self.bad) and self.bad in cell.title
            report(Event("started", key))
            report(Event("progress", key, "distil", 0.5))
            write_result(
                folder.cell_dir(key) / "result.json", made_up_result(cell, status="failed" if failed else "ok")
            )
            report(Event("failed" if failed else "finished", key, "out of ink" if failed else "1 s", 1.0))
            self.ran.append(key)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> MadeUpEngine:
    made = MadeUpEngine()
    build = registry.build

    def fake(kind: Any, *args: Any) -> Any:
        return made if kind == "engine" else build(kind, *args)

    monkeypatch.setattr(registry, "build", fake)
    return made


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(SUITE)
    return "tiny.yaml"


def test_run_writes_reports_and_resumes(engine: MadeUpEngine, suite: str, capsys) -> None:
    assert execute(["run", suite]) == 0
    text = capsys.readouterr().out
    assert "runs/tiny: 4 cells to run" in text
    assert "[4/4] finished" in text
    assert "identity" in text
    assert "table     runs/tiny/table.md" in text
    for name in ("table.md", "chart.png"):
        assert (Path("runs/tiny") / name).stat().st_size
    assert len(engine.ran) == 4
    assert execute(["run", suite]) == 0
    assert "0 cells to run, 4 finished before" in capsys.readouterr().out
    assert len(engine.ran) == 4


def test_run_counts_failures_and_retries_them(engine: MadeUpEngine, suite: str, capsys) -> None:
    engine.bad = "herding (signal) · seed 1"
    assert execute(["run", suite, "--no-report"]) == 1
    said = capsys.readouterr()
    assert "1 of 4 cells failed" in said.err
    assert "--retry-failed" in said.err
    assert not Path("runs/tiny/table.md").exists()
    assert execute(["run", suite, "--no-report"]) == 1
    assert len(engine.ran) == 4
    engine.bad = ""
    assert execute(["run", suite, "--no-report", "--retry-failed"]) == 0
    assert len(engine.ran) == 5


def test_an_interrupted_run_says_how_to_go_on(engine: MadeUpEngine, suite: str, capsys) -> None:
    engine.interrupt_after = 1
    assert execute(["run", suite, "--out", "here"]) == 130
    assert "run the same command again to resume" in capsys.readouterr().err
    engine.interrupt_after = None
    assert execute(["run", suite, "--out", "here"]) == 0
    assert len(engine.ran) == len(set(engine.ran)) == 4


def test_only_picks_cells_and_leaves_the_report_whole(engine: MadeUpEngine, suite: str, capsys) -> None:
    assert execute(["run", suite, "--only", "HERDING"]) == 0
    assert len(engine.ran) == 2
    assert execute(["run", suite, "--only", "random"]) == 0
    assert "herding" in Path("runs/tiny/table.md").read_text()
    assert execute(["run", suite, "--only", "nothing"]) == 2
    assert "No cell of the suite has 'nothing' in its title" in capsys.readouterr().err


def test_status_counts_and_explains(engine: MadeUpEngine, suite: str, capsys) -> None:
    engine.bad, engine.interrupt_after = "seed 1", 3
    execute(["run", suite])
    capsys.readouterr()
    runs = RunFolder.open(Path("runs/tiny"))
    (runs.cell_dir(engine.ran[0]) / "result.json").write_text("{")
    with runs.claim(next(k for k in runs.keys() if k not in engine.ran)):  # noqa: SIM118
        assert execute(["status", "runs/tiny"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("tiny in runs/tiny: 4 cells: 1 ok, 1 running, 1 failed, 1 unreadable")
    assert "seed 1: out of paper and ink" in text
    assert "just started" in text
    assert "cut short" in text
    assert execute(["status", "nowhere"]) == 3


def test_plan_shows_items_and_bytes(suite: str, capsys) -> None:
    assert execute(["plan", suite]) == 0
    text = capsys.readouterr().out
    assert "tiny, version 1: 4 cells" in text
    assert [line.split()[-5:] for line in text.splitlines() if line.startswith("1 ipc") and "random" in line] == [
        ["31,360", "31,360", "100.0", "%", "2"]
    ]


def test_plan_says_whose_time_rests_on_a_number_of_items_that_is_not_known(suite: str, capsys) -> None:
    jpeg = SUITE.replace("codecs: identity", "codecs: [identity, jpeg]").replace("[random, herding]", "random")
    for columns, said in (("equal_steps", 0), ("equal_epochs", 1)):
        Path("jpeg.yaml").write_text(jpeg.replace("equal_steps", columns))
        assert execute(["plan", "jpeg.yaml"]) == 0
        assert capsys.readouterr().out.count("Items of jpeg vary in size") == said
    Path("identity.yaml").write_text(SUITE.replace("equal_steps", "equal_epochs"))
    assert execute(["plan", "identity.yaml"]) == 0
    assert "vary in size" not in capsys.readouterr().out


def test_plan_says_where_arguments_come_from(suite: str, capsys) -> None:
    rules = "ddbench_recipes: 1\nname: mine\nversion: 3\nrules:\n"
    rule = "  - {when: {method: dm}, args: {lr: 2.0, real_batch: 16}, source: a note, found: adapted}\n"
    Path("mine.yaml").write_text(rules + rule)
    with_dm = SUITE.replace("[random, herding]", "[random, {dm: {iterations: 3, real_batch: 8}}]")
    Path("dm.yaml").write_text(with_dm + "    recipes: mine.yaml\n")
    assert execute(["plan", "dm.yaml"]) == 0
    text = capsys.readouterr().out
    assert text.count("Recipe mine 3, adapted in part: a note\n  lr=2\n  replaced by the suite: real_batch=16\n") == 1
    assert "  for dm × identity (signal) on fashion_mnist_small at 1 ipc\n" in text
    assert execute(["plan", suite]) == 0
    assert "Recipe" not in capsys.readouterr().out


def test_recipes_are_listed_described_and_checked(suite: str, capsys) -> None:
    assert execute(["list", "recipes"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["published", "reduced"]
    assert execute(["info", "recipe", "published"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("recipe published, version 1: ")
    assert "dm on mnist, fashion_mnist, svhn, cifar10, cifar100\n      iterations=20000 lr=1" in text
    where = (
        "dm(ema=0 pool=null) with identity in signal space at 1 ipc, 10 ipc, 50 ipc stored as float32 matched in auto("
    )
    assert f"published {where}norm=instance width=128) or convnet(" in text
    assert "depth=3 norm=instance padding=null pooling=avg width=128), adapted elsewhere: arXiv 2110.04181" in text
    assert execute(["info", "recipe", "publised"]) == 2
    assert "Did you mean 'published'?" in capsys.readouterr().err
    bad = "ddbench_recipes: 1\nname: mine\nrules:\n  - {when: {method: dm}, args: {rl: 1}, source: a, found: adapted}\n"
    Path("mine.yaml").write_text(bad)
    assert execute(["validate", "published", "recipes/published.yaml", suite]) == 0
    text = capsys.readouterr().out
    assert text.count("ok     ") == 3
    assert "recipes published, version 1, " in text
    assert execute(["validate", "mine.yaml"]) == 2
    assert "mine.yaml:4: method 'dm': unknown argument 'rl'" in capsys.readouterr().out


def test_validate_takes_each_kind_and_says_what_is_wrong(engine: MadeUpEngine, suite: str, capsys) -> None:
    execute(["run", suite, "--no-report"])
    folder = RunFolder.open(Path("runs/tiny"))
    for i, key in enumerate(engine.ran):
        submit(folder.cell_dir(key), folder.cell(key), (0.3 + 0.1 * i,), X + i)
    some = f"runs/tiny/cells/{engine.ran[0][:16]}/result.json"
    capsys.readouterr()
    assert execute(["validate", suite, "runs/tiny", some]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok"] * 3
    data = json.loads(Path(some).read_text())
    Path(some).write_text(json.dumps({**data, "key": "0" * 64}))
    Path("bad.yaml").write_text(SUITE.replace("random", "randon"))
    Path("empty").mkdir()
    assert execute(["validate", "bad.yaml", "runs/tiny", some, "nowhere", "empty"]) == 2
    text = capsys.readouterr().out
    assert text.count("wrong  ") == 5
    for said in ("Did you mean 'random'", "1 of 4 cells are not sound", "its key is", "neither a run folder"):
        assert said in text


def test_table_in_other_forms(tmp_path: Path, capsys) -> None:
    made_up_folder(tmp_path, [made_up_result(made_up_cell())])
    assert execute(["table", str(tmp_path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"][0]["rows"][0]["codec"] == "identity"
    assert execute(["table", str(tmp_path), "--format", "xml"]) == 2


def test_list_and_info(capsys) -> None:
    assert execute(["list", "codecs"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[1] == "ddbench"
    assert execute(["info", "codec", "downsample"]) == 0
    text = capsys.readouterr().out
    assert "factor (int, default 2)" in text
    assert execute(["info", "dataset", "fashion_mnist_small"]) == 0
    assert "10: " in capsys.readouterr().out
    assert execute(["info", "codec", "identiti"]) == 2
    assert "Did you mean 'identity'?" in capsys.readouterr().err


def test_type_names() -> None:
    assert type_name(int | None) == "int or null"
    assert type_name(tuple[int, ...]) == "list of int"


def test_doctor_names_a_broken_plugin(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from ddbench.cli import doctor
    from ddbench.errors import PluginError

    load = registry.load

    def broken(kind: Any, name: str) -> Any:
        if name == "pca":
            raise PluginError("The codec 'pca' of x cannot be imported: ImportError: no y")
        return load(kind, name)

    monkeypatch.setattr(registry, "KINDS", ("codec",))
    monkeypatch.setattr(doctor, "_data", lambda found: found.ok("not looked at"))
    monkeypatch.setattr(doctor, "_packages", lambda found: found.ok("not looked at"))
    assert execute(["doctor"]) == 0
    assert "All that ddbench needs is here." in capsys.readouterr().out
    monkeypatch.setattr(registry, "load", broken)
    assert execute(["doctor"]) == 3
    assert "WRONG The codec 'pca' of x cannot be imported" in capsys.readouterr().out


def test_progress_in_a_pipe_and_as_a_bar(capsys) -> None:
    events = [
        Event("started", "a"), Event("progress", "a", "distil", 0.5), Event("skipped", "a", "another process is at it"),
        Event("finished", "a", "1 s"), Event("started", "b"), Event("failed", "b", "no\nink"),
    ]  # fmt: skip
    with Progress({"a": "cell a", "b": "cell b"}, say=print) as progress:
        for event in events:
            progress(event)
    assert capsys.readouterr().out.splitlines() == [
        "started   cell a", "[1/2] finished cell a: 1 s", "started   cell b", "[2/2] failed cell b: no ink",
    ]  # fmt: skip
    assert progress.failed == {"b": "no\nink"}
    with Progress({"a": "cell a", "b": "cell b"}, terminal_bar(2)) as progress:
        for event in events:
            progress(event)
    said = capsys.readouterr()
    assert said.out == ""
    assert "[2/2] failed cell b: no ink" in said.err


def test_plan_names_the_row_that_takes_the_most_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plan", "quickstart"]) == 0
    assert "most for fashion_mnist_small · 10 ipc · pca × dm (signal)." in capsys.readouterr().out
