"""`ddbench publish --to hf:`: through huggingface_hub itself, to a stand-in of the hub on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from published_runs import PRIVATE, run_folder
from stand_in_hub import TOKEN, Hub, stand_in

import ddbench
from ddbench.cli.main import execute
from ddbench.publish import hub as module

TO = ["--to", "hf:me/sets"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with stand_in() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        yield made


@pytest.fixture
def run(tmp_path: Path) -> str:
    run_folder(tmp_path / "run")
    return str(tmp_path / "run")


def test_a_dry_run_asks_nobody(hub: Hub, run: str, capsys: pytest.CaptureFixture[str]):
    assert execute(["publish", run, *TO]) == 0
    said = capsys.readouterr().out
    assert hub.asked == []
    assert "Nothing was sent" in said
    assert "  | pretty_name: sets" in said
    assert "10 files, " in said


def test_what_goes_is_what_was_shown_and_goes_once(hub: Hub, run: str, tmp_path: Path, capsys):
    assert execute(["publish", run, *TO]) == 0
    shown = [line.split()[-1] for line in capsys.readouterr().out.split("\n\n")[0].splitlines()[1:-1]]
    assert execute(["publish", run, *TO, "--yes", "--private"]) == 0
    said = capsys.readouterr()
    files = hub.files["me/sets", "main"]
    assert sorted(files) == sorted([".gitattributes", *shown])
    assert "10 files sent, 0 unchanged: " in said.out
    assert hub.private == {"me/sets": True}
    assert hub.commits[-1][-1] == "README.md"
    for path, data in files.items():
        (tmp_path / "here" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / path).write_bytes(data)
    assert len(ddbench.results(tmp_path / "here")) == 3
    for ending in (".json", ".md"):
        assert not any(PRIVATE.encode() in data for path, data in files.items() if path.endswith(ending))
    # again: nothing new, no commit
    assert execute(["publish", run, *TO, "--yes"]) == 0
    assert "0 files sent, 10 unchanged" in capsys.readouterr().out
    assert len(hub.commits) == 1


def test_another_branch_and_only_what_changed(hub: Hub, run: str, capsys):
    assert execute(["publish", run, *TO, "--yes", "--revision", "trial"]) == 0
    assert set(hub.files["me/sets", "main"]) == {".gitattributes"}
    assert execute(["publish", run, *TO, "--yes", "--revision", "trial", "--license", "mit"]) == 0
    assert "1 files sent, 9 unchanged" in capsys.readouterr().out
    assert hub.commits[-1] == ["README.md"]
    assert b"license: mit\n" in hub.files["me/sets", "trial"]["README.md"]


def test_many_files_go_in_several_commits(hub: Hub, run: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FILES_A_COMMIT", 4)
    assert execute(["publish", run, *TO, "--yes"]) == 0
    assert [len(c) for c in hub.commits] == [4, 4, 2]


def test_somebody_elses_readme_stays(hub: Hub, run: str, capsys):
    hub.files["me/sets", "main"] = {"README.md": b"mine"}
    assert execute(["publish", run, *TO, "--yes"]) == 3
    assert "me/sets has a README.md that `ddbench publish` did not write. Give --no-card" in capsys.readouterr().err
    assert execute(["publish", run, *TO, "--yes", "--no-card"]) == 0
    assert hub.files["me/sets", "main"]["README.md"] == b"mine"
    assert len(hub.files["me/sets", "main"]) == 10


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        ("repos/create", 401, "it does not know you. Log in with `hf auth login`"),
        ("repos/create", 403, "your token may not write there"),
        ("tree", 404, "there is no such owner, repository or branch"),
        ("commit", 429, "too many requests"),
        ("objects/batch", 400, "the hub answered 400"),
        ("upload", 403, "your token may not write there"),
    ],
)
def test_a_refusal_is_one_sentence_without_the_token(hub: Hub, run: str, capsys, where: str, code: int, said: str):
    hub.answers[where] = code
    assert execute(["publish", run, *TO, "--yes"]) == 3
    text = capsys.readouterr()
    (line,) = [line for line in text.err.splitlines() if line.startswith("error:")]
    assert said in line
    assert str(code) in line
    assert TOKEN not in text.out + text.err
    assert "Traceback" not in text.err


def test_a_wrong_token_and_no_network(hub: Hub, run: str, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrongwrong")
    assert execute(["publish", run, *TO, "--yes"]) == 3
    assert "it does not know you" in capsys.readouterr().err
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        assert execute(["publish", run, *TO, "--yes"]) == 3
    assert "The hub could not be reached for me/sets" in capsys.readouterr().err


def test_as_a_command_of_its_own(hub: Hub, run: str):
    environment = {**os.environ, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-m", "ddbench.cli.main", "publish", run, *TO, "--yes"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "10 files sent" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
    result = next(d for p, d in hub.files["me/sets", "main"].items() if p.endswith("result.json"))
    assert json.loads(result)["schema_version"] == 1
