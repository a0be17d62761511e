"""The workflow of a results repository: it parses, its commands exist, and they do on a sample what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_up_results import made_up_cell
from made_up_submissions import X, edit, submit

WORKFLOW = Path(__file__).parents[2] / "leaderboard" / "workflow"


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    return yaml.safe_load((WORKFLOW / "validate.yml").read_text())["jobs"]


def script(jobs: dict[str, Any], job: str, name: str) -> str:
    (step,) = [s for s in jobs[job]["steps"] if s.get("name") == name]
    return step["run"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A results repository with one published result, and a commit on top that adds another."""
    at = tmp_path / "repository"
    submit(at / "results" / "a")
    (at / "flags.yaml").write_text("ddbench_flags: 1\n")
    git(at, "init", "-q", "-b", "main")
    commit(at)
    submit(at / "results" / "b", made_up_cell(seed=1), (0.4, 0.55), X + 1)
    commit(at)
    return at


def git(at: Path, *words: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", at, *identity, *words], capture_output=True, text=True, check=True).stdout


def commit(at: Path) -> None:
    git(at, "add", "-A")
    git(at, "commit", "-q", "-m", "results")


def run(at: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a step as the runner does, with `ddbench` standing for the one under test."""
    bin_folder = at.parent / "bin"
    bin_folder.mkdir(exist_ok=True)
    command = bin_folder / "ddbench"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m ddbench.cli.main "$@"\n')
    command.chmod(0o755)
    path = f"{bin_folder}:{os.environ['PATH']}"
    given = {**os.environ, "PATH": path, "TOLERANCE": "1e-9", "BASE": "HEAD~1", "GITHUB_STEP_SUMMARY": "/dev/null"}
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", text], cwd=at, env={**given, **environment}, capture_output=True, text=True
    )


def test_every_job_only_reads_and_no_text_of_a_stranger_is_run() -> None:
    text = (WORKFLOW / "validate.yml").read_text()
    found = yaml.safe_load(text)
    assert found["permissions"] == {"contents": "read"}
    assert set(found[True]) == {"pull_request", "push"}, "YAML reads the key `on` as true"
    for job in found["jobs"].values():
        assert "permissions" not in job or job["if"] == "github.event_name == 'push'", "a stranger's job only reads"
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert "${{" not in step.get("run", ""), "what a pull request says must not become a part of a script"


def test_the_steps_accept_what_is_added(repository: Path, jobs: dict[str, Any]) -> None:
    for name in ("Every result, its set measured", "No published result gone or changed", "Tables and site"):
        done = run(repository, script(jobs, "results", name))
        assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "ok     results: 2 results" in run(repository, script(jobs, "results", "Every result, its set measured")).stdout
    )


def test_the_steps_refuse_what_is_changed_or_unsound(repository: Path, jobs: dict[str, Any]) -> None:
    shutil.rmtree(repository / "results" / "a")
    done = run(repository, script(jobs, "results", "No published result gone or changed"))
    assert done.returncode == 3
    assert "is gone. Flag it instead" in done.stdout
    edit(repository / "results" / "b", runs__0__accuracy=54.5)
    done = run(repository, script(jobs, "results", "Every result, its set measured"))
    assert done.returncode == 3
    assert "looks like percent" in done.stdout


@pytest.mark.parametrize(
    ("file", "role", "code"),
    [
        ("results/c/notes.txt", "NONE", 0),
        ("verifications/x.json", "NONE", 1),
        ("verifications/x.json", "FIRST_TIME_CONTRIBUTOR", 1),
        ("flags.yaml", "CONTRIBUTOR", 1),
        (".github/workflows/validate.yml", "CONTRIBUTOR", 1),
        ("verifications/x.json", "MEMBER", 0),
        ("flags.yaml", "OWNER", 0),
    ],
)
def test_labels_are_changed_by_maintainers_alone(
    repository: Path, jobs: dict[str, Any], file: str, role: str, code: int
) -> None:
    (repository / file).parent.mkdir(parents=True, exist_ok=True)
    (repository / file).write_text("changed")
    commit(repository)
    text = script(jobs, "maintainers", "Refuse changes of labels and of the checks themselves by others")
    done = run(repository, text, ROLE=role)
    assert done.returncode == code, done.stdout + done.stderr
    assert (file in done.stdout) == (code == 1)


def test_code_owners_are_asked_for_each_of_those_paths() -> None:
    lines = [line.split() for line in (WORKFLOW / "CODEOWNERS").read_text().splitlines() if not line.startswith("#")]
    assert [line[0] for line in lines] == ["/verifications/", "/flags.yaml", "/.github/"]
    assert all(line[1].startswith("@") for line in lines)
