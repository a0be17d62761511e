"""`--only` asks for the data of the wanted cells alone, and plans say what they can where some are missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from picture_trees import picture

from ddbench.cli.main import execute
from ddbench.datasets.image_folder import ImageFolder
from ddbench.planning import facts
from ddbench.run import cell as cell_module

SUITE = """
ddbench: 1
name: two
protocol: {students: 1, epochs: 1, columns: equal_steps, networks: {auto: {width: 8}}}
grid:
  - datasets: [digits, {image_folder: {name: pets, size: 16}}]
    codecs: [identity, {autoencoder: {model: "mine/vae"}}]
    methods: [random, {dm: {iterations: 1, real_batch: 2}}]
    spaces: signal
    budgets: {ipc: 1}
    network: {auto: {width: 8}}
    exclude: [{dataset: digits, codec: autoencoder}]
"""
RUN = ["run", "two.yaml", "--engine", "inline", "--device", "cpu", "--no-report"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("CACHE", "DATA", "MODELS"):
        monkeypatch.setenv(f"DDBENCH_{name}", str(tmp_path / name.lower()))
    (tmp_path / "two.yaml").write_text(SUITE)
    cell_module._load.cache_clear()
    facts._card.cache_clear()
    return tmp_path


def add_pictures(place: Path) -> None:
    for k, name in enumerate(("cat", "dog")):
        for part, n in (("train", 3), ("test", 2)):
            for i in range(n):
                picture(place / "data" / "pets" / part / name / f"{i}.png", k, seed=i)


def test_cells_run_though_others_data_are_missing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(RUN) == 3
    said = capsys.readouterr().err
    assert "There is no folder" in said
    assert "The weights of mine/vae are not here" in said
    assert execute([*RUN, "--only", "digits"]) == 0, capsys.readouterr()
    assert execute([*RUN, "--only", "pets"]) == 3
    capsys.readouterr()
    assert execute(["status", "runs/two"]) == 0
    assert "2 cells: 2 ok" in capsys.readouterr().out

    add_pictures(place)
    assert execute([*RUN, "--only", "pets 1 ipc"]) == 2, "no title holds it"
    assert "No cell of the suite has 'pets 1 ipc' in its title" in capsys.readouterr().err
    assert execute([*RUN, "--only", "· IDENTITY ×"]) == 0, capsys.readouterr()
    (place / "data" / "pets").rename(place / "data" / "gone")
    facts._card.cache_clear()
    assert execute([*RUN, "--only", "digits"]) == 0
    capsys.readouterr()
    assert execute(["status", "runs/two"]) == 0
    assert "4 cells: 4 ok" in capsys.readouterr().out, "cells whose data are gone stay in the folder's index"
    assert execute([*RUN[:-1], "--only", "digits"]) == 0
    assert "image_folder" in (place / "runs" / "two" / "table.md").read_text(), "and in its report"


def test_plans_say_what_they_can(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["plan", "two.yaml"]) == 3
    told = capsys.readouterr()
    assert "two, version 1: 2 cells" in told.out
    assert "most for digits · 1 ipc · identity × dm (signal)." in told.out
    assert "Cells one after the other take" in told.out
    assert "Not planned, for want of data or weights:" in told.err
    assert "two.yaml:6: There is no folder" in told.err
    assert "The weights of mine/vae are not here" in told.err

    assert execute(["plan", "two.yaml", "--only", "digits"]) == 0
    told = capsys.readouterr()
    assert "2 cells" in told.out
    assert told.err == ""
    assert execute(["plan", "two.yaml", "--only", "nothing like it"]) == 2
    assert execute(["plan", "two.yaml", "--only", "autoencoder"]) == 3
    capsys.readouterr()

    (place / "two.yaml").write_text(SUITE.replace("methods: [random", "methods: [randm"))
    assert execute(["plan", "two.yaml"]) == 2, "a mistake comes before what is missing"
    assert "Did you mean 'random'" in capsys.readouterr().err


def test_prepare_fetches_for_wanted_cells_alone(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    fetch = ImageFolder.fetch
    monkeypatch.setattr(ImageFolder, "fetch", lambda *a: (asked.append("pets"), fetch(*a))[1])
    prepare = ["prepare", "two.yaml", "--device", "cpu"]
    assert execute([*prepare, "--only", "digits"]) == 0, capsys.readouterr()
    assert asked == []
    assert execute(prepare) == 3
    assert asked == ["pets"]
    capsys.readouterr()
    assert execute([*prepare, "--only", "nowhere"]) == 2
    assert "No cell of the suite has 'nowhere'" in capsys.readouterr().err
    asked.clear()
    full = SUITE.replace("methods: [random,", "methods: [random, full,")
    (place / "two.yaml").write_text(full)
    add_pictures(place)
    assert execute([*prepare, "--only", "full"]) == 0, "a ceiling takes no codec, hence no weights"
    assert asked == ["pets"]
