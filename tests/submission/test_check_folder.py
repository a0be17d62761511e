"""A folder of submitted results: each fault is found, named and keeps no other result from its check."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_up_results import made_up_cell
from made_up_sets import forge
from made_up_submissions import X, edit, rekey, submit

from ddbench.cli.main import execute
from ddbench.result.io import write_result
from ddbench.result.schema import LossPoint
from ddbench.submission.folder import check_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sound results, `a` and `b`."""
    submit(tmp_path / "a")
    submit(tmp_path / "b", made_up_cell(seed=1), (0.4, 0.55), X + 1)
    return tmp_path


def wrong(folder: Path, **options: Any) -> list[str]:
    return [str(f) for f in check_folder(folder, **options).of("wrong")]


def test_sound_results_have_no_faults(folder: Path) -> None:
    checked = check_folder(folder, decode=True)
    assert (checked.files, len(checked.entries), checked.of("wrong"), checked.of("suspicious")) == (2, 2, [], [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"runs__0__accuracy": 54.5}, "runs.0.accuracy: 54.5 looks like percent; accuracies are fractions in [0, 1]"),
        ({"runs__0__accuracy": 0.2}, "its bits say 100 of 200 right, its accuracy 0.2"),
        ({"runs__0__accuracy": -0.1}, "runs.0.accuracy: Input should be greater than or equal to 0, got -0.1"),
        ({"bytes__used": -1}, "bytes.used: Input should be greater than or equal to 0, got -1"),
        ({"bytes__used": 64}, "64 bytes are said to be used but the parts make 128"),
        ({"bytes__parts": {"item/x": 100}, "bytes__used": 100}, "claims 100 bytes for 'item/x'; the file holds 128"),
        ({"bytes__parts": {"item/y": 128}}, "claims no bytes for 'item/x'; the file holds 128"),
        ({"bytes__allowed": 200}, "claims 200 bytes as its cap; the set has 128"),
        ({"bytes__side": 8}, "claims 8 bytes of side information; the set has 0"),
        ({"bytes__over_cap": 3}, "says that it is over the cap by 3"),
        ({"bytes__allowed": 64, "bytes__over_cap": 64}, "only side information may pass the cap"),
        ({"bytes__items": [1, 2]}, "claims 3 items of 2 classes; the set's card counts others"),
        ({"bytes__items": [3, -1]}, "less than no items"),
        ({"bytes__signals": [1]}, "signals of 1"),
        ({"artifact": None}, "names no distilled set"),
        ({"artifact__sha256": "0" * 64}, "is not the set that it names"),
        ({"artifact__file": "../../../etc/passwd"}, "it names '../../../etc/passwd'"),
        ({"artifact__file": "/etc/passwd"}, "it names '/etc/passwd'"),
        ({"artifact__file": "other.safetensors"}, "should be called distilled.safetensors"),
        ({"run_id": "../../x"}, "run id '../../x'"),
        ({"run_id": "<script>"}, "run id '<script>'"),
        ({"run_id": "a\u0000b"}, "run id"),
        ({"runs__1__student": 0}, "has students twice: equal_steps, auto, hard, signal, student 0"),
        ({"runs__1__student": 7}, "has students that its protocol does not ask for: equal_steps, auto"),
        ({"runs__1__network": "vgg"}, "lacks students that its protocol asks for: equal_steps, auto, hard, signal"),
        ({"status": "failed"}, "its status is failed but no error is given"),
        ({"schema_version": 9}, "schema version 9; this ddbench knows 1"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"cell__seed": 5}, "its key is"),
    ],
)
def test_each_fault_of_a_result_is_named_and_the_other_is_still_checked(folder: Path, changes: dict, said: str) -> None:
    edit(folder / "a", **changes)
    edit(folder / "b", bytes__side=4)
    found = wrong(folder)
    assert any(f.startswith("a/result.json: ") and said in f for f in found), found
    assert any(f.startswith("b/result.json: ") for f in found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cell__codec__name": "<script>alert(1)</script>"}, "the codec is called '<script>"),
        ({"cell__method__args": {"x": "</td>"}}, "cell.method.args.x holds markup"),
        ({"cell__protocol__name": "\x1b[31mred"}, "cell.protocol.name holds markup or control"),
        ({"cell__seed": 4}, "the seed of its cell is '4', of its set '0'"),
        ({"cell__dataset__name": "mnist"}, "the dataset of its cell is 'mnist', of its set 'fashion_mnist_small'"),
        ({"cell__versions__dataset": "2"}, "the revision of the dataset of its cell is '2'"),
        ({"cell__versions__codec": "2"}, "the version of the codec of its cell is '2'"),
        ({"cell__storage": "float16"}, "the storage type"),
        ({"cell__budget__ipc": 2}, "its budget (2 ipc) allows 256 bytes, the cap of its set is 128"),
        ({"cell__protocol__students": 3}, "lacks students that its protocol asks for"),
        (
            {"cell__protocol__students": 10**15},
            "lacks students: its protocol asks for 1000000000000000 or more, it has 4",
        ),
        ({"cell__protocol__students": 1}, "has students that its protocol does not ask for"),
    ],
)
def test_cells_that_are_not_those_of_their_sets(folder: Path, changes: dict, said: str) -> None:
    edit(folder / "a", **changes)
    rekey(folder / "a")
    assert any(said in f for f in wrong(folder)), wrong(folder)


def test_all_faults_of_a_file_are_listed(folder: Path) -> None:
    edit(folder / "a", run_id=5, runs__0__accuracy=54.5, runs__2__accuracy=31, bytes__used=-1, x1=1, x2=2, x3=3)
    assert len(wrong(folder)) == 7


@pytest.mark.parametrize("name", ["distilled.safetensors", "distilled.json"])
def test_sets_that_are_missing_or_links_to_elsewhere(folder: Path, tmp_path_factory: Any, name: str) -> None:
    outside = tmp_path_factory.mktemp("outside")
    shutil.move(folder / "a" / name, outside / name)
    assert any(name in f for f in wrong(folder))
    (folder / "a" / name).symlink_to(outside / name)
    assert wrong(folder) == [f"a/result.json: its {name} is a link that leads out of the folder"]


def test_results_that_are_links_pipes_or_folders(folder: Path, tmp_path_factory: Any) -> None:
    outside = tmp_path_factory.mktemp("outside")
    shutil.move(folder / "a" / "result.json", outside / "result.json")
    (folder / "a" / "result.json").symlink_to(outside / "result.json")
    (folder / "c").symlink_to(outside)
    for name in "de":
        (folder / name).mkdir()
    os.mkfifo(folder / "d" / "result.json")
    (folder / "e" / "result.json").mkdir()
    assert wrong(folder) == [
        "a/result.json: it is a link that leads out of the folder",
        "d/result.json: cannot be read: it is a device or a pipe.",
        "e/result.json: cannot be read: it is a folder.",
    ]


def test_a_pickle_in_the_place_of_tensors_is_not_loaded(folder: Path) -> None:
    flag = folder / "executed"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (flag,)

    forge(folder / "a", pickle.dumps(Bomb()))
    assert any("not a safetensors file" in f for f in wrong(folder, decode=True))
    assert not flag.exists()


def test_one_identity_twice(folder: Path) -> None:
    shutil.copytree(folder / "a", folder / "c")
    assert wrong(folder) == ["c/result.json: its key and run id are those of a/result.json too"]


def test_a_set_or_a_score_of_another_cell_is_suspicious(folder: Path) -> None:
    submit(folder / "c", made_up_cell(seed=2))
    found = [str(f) for f in check_folder(folder).of("suspicious")]
    assert found == [
        "suspicious: c/result.json: its distilled set is, to the bit, the set of another cell: a/result.json",
        "suspicious: c/result.json: its students got the very same test items right as those of another cell: "
        "a/result.json",
    ]
    assert execute(["validate", str(folder)]) == 0


@pytest.mark.parametrize(("method", "learned", "told"), [("herding", False, 0), ("random", False, 1), ("dm", True, 1)])
def test_only_a_selector_that_draws_nothing_has_one_set_for_every_seed(
    tmp_path: Path, method: str, learned: bool, told: int
) -> None:
    for seed in (1, 2):
        result = submit(tmp_path / str(seed), made_up_cell(method=method, seed=seed), (seed / 10, 0.5))
        losses = (LossPoint(step=0, loss=1.0),) if learned else ()
        write_result(tmp_path / str(seed) / "result.json", result.model_copy(update={"losses": losses}))
    assert len(check_folder(tmp_path).of("suspicious")) == told


def test_cells_that_differ_in_their_students_alone_share_a_set(folder: Path) -> None:
    cell = made_up_cell()
    other = cell.model_copy(update={"protocol": cell.protocol.model_copy(update={"epochs": 7})})
    submit(folder / "c", other, (0.3, 0.2))
    assert check_folder(folder).of("suspicious") == []


def test_what_tables_would_lack_is_noted_and_refused_on_demand(folder: Path, capsys: pytest.CaptureFixture) -> None:
    submit(folder / "c", made_up_cell(method="dm"), (0.7, 0.75), X - 1)
    assert execute(["validate", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "1 ipc: absent mandatory rows: " in text
    assert "random × jpeg for seed 0" in text
    assert "identity × dm (signal) has no result for seed 1, which other rows have" in text
    assert execute(["validate", str(folder), "--complete"]) == 3


def test_decoding_finds_other_signals_than_the_claimed(folder: Path) -> None:
    # with the samples that passes over three signals would see
    edit(folder / "a", bytes__signals=[2, 1], runs__2__samples_seen=3000, runs__3__samples_seen=3000)
    assert wrong(folder) == []
    assert wrong(folder, decode=True) == [
        "a/result.json: it claims 3 signals; its set decodes to 2, or to others a class"
    ]


@pytest.mark.parametrize(
    ("field", "claimed"),
    [("decoder", 5), ("decoder_training_data", "photographs"), ("refitted", 5), ("free_in_domain", 5)],
)
def test_decoding_finds_another_decoder_than_the_claimed(folder: Path, field: str, claimed: object) -> None:
    edit(folder / "a", **{f"bytes__{field}": claimed})
    assert wrong(folder) == []
    (text,) = wrong(folder, decode=True)
    assert text.startswith(f"a/result.json: it claims {claimed!r} as {field} of its bytes; its codec says ")


def test_the_command_says_everything_in_plain_characters(folder: Path, capsys: pytest.CaptureFixture) -> None:
    edit(folder / "a", run_id="\x1b[2J\u202e")
    (folder / "b" / "result.json").write_text("{")
    assert execute(["validate", str(folder), str(folder / "a" / "result.json"), str(folder / "no")]) == 2
    text = capsys.readouterr().out
    assert text.count("wrong  ") == 3
    assert "2 faults:" in text
    assert "b/result.json: is not JSON, or was cut short" in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_validating_results_imports_no_torch(folder: Path) -> None:
    code = (
        "import sys; from ddbench.cli.main import execute\n"
        f"print(execute(['validate', {str(folder)!r}]), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"


def test_the_published_leaderboard_is_sound() -> None:
    results = Path(__file__).parents[2] / "leaderboard" / "results"
    checked = check_folder(results)
    assert checked.files > 100
    assert checked.of("wrong") == []
    assert json.loads((results.parent / "schema" / "result-1.json").read_text())["$id"] == "urn:ddbench:result:1"
