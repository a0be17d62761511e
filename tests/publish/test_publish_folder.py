"""What `ddbench publish` takes of a folder, what it refuses and takes out, and publishing to a folder."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from made_up_results import made_up_cell, made_up_result
from published_runs import PRIVATE, result_with_set, run_folder

from ddbench.cli.main import execute
from ddbench.publish.card import card
from ddbench.publish.gather import Gathered, gather
from ddbench.publish.privacy import PATH, cleaned, private
from ddbench.result.io import read_result


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    run_folder(tmp_path / "run")
    return tmp_path / "run"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_only_results_sets_pictures_and_the_card_go(run: Path, capsys: pytest.CaptureFixture[str]):
    assert execute(["publish", "run", "--to", "folder:there", "--yes"]) == 0
    there = files(Path("there"))
    names = {Path(path).name for path in there}
    assert names == {"result.json", "distilled.json", "distilled.safetensors", "chart.png", "a.png", "README.md"}
    assert not any(PRIVATE.encode() in data for path, data in there.items() if not path.endswith("s"))
    assert "10 files sent, 0 unchanged: there" in capsys.readouterr().out
    before = {p: p.stat().st_mtime_ns for p in Path("there").rglob("*")}
    assert execute(["publish", "run", "--to", "folder:there", "--yes"]) == 0
    assert "0 files sent, 10 unchanged" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in Path("there").rglob("*")} == before
    assert len(gather(Path("there")).results) == 3
    assert execute(["validate", "there"]) == 0


def test_paths_are_taken_out_and_said_and_nothing_else_changes(run: Path, capsys):
    assert execute(["publish", "run", "--to", "folder:there", "--yes"]) == 0
    assert ": error.message, error.traceback" in capsys.readouterr().err
    (told,) = [r for r in map(read_result, Path("there").rglob("result.json")) if r.error]
    (mine,) = [r for r in map(read_result, run.rglob("result.json")) if r.error]
    assert told.error is not None
    assert told.error.message == "cannot read <path>"
    assert told.error.traceback == 'File "<path>", line 3, in at 3/4 of the way'
    assert told.model_copy(update={"error": None}) == mine.model_copy(update={"error": None})


@pytest.mark.parametrize(
    "text",
    ["/home/me/x", "at /tmp/a.", "~/x", "~/data/x", "file:///srv/a/b", r"C:\Users\me", "D:/data/x", r"\\server\share\x",
     "'/var/lib'", "(see /opt/a/b)"],
)  # fmt: skip
def test_local_paths_are_known(text: str):
    assert PATH.search(text), text
    assert "me" not in PATH.sub("", text).replace("home", "")


@pytest.mark.parametrize(
    "text",
    ["https://example.org/a/b", "owner/name/x", "3/4", "images/s", "a / b", "/", "and/or/not", "equal steps / epochs",
     "ImageNet-1k (ILSVRC), arXiv:2311.15547", "10.5 B/class", "http://x.org:80/a/b", "shipped:clipart_f4"],
)  # fmt: skip
def test_other_words_are_left_alone(text: str):
    assert not PATH.search(text), text


def test_the_hosts_name_is_taken_out_where_it_stands_alone():
    made = made_up_result(made_up_cell()).model_copy(update={"notes": ("ran on node17.lab", "node170 is another")})
    clean, changed = cleaned(made, ("node17.lab", "node17"))
    assert clean.notes == ("ran on <host>", "node170 is another")
    assert changed == ("notes.0",)
    assert cleaned(made, ())[0] is made
    assert private({"a": [{"/x/y": 1}, "/p/q"]}, "cell") == ["cell.a.0 (/x/y)", "cell.a.1 (/p/q)"]


def test_what_is_damaged_is_refused_by_name_and_the_rest_may_go(run: Path, capsys):
    cells = sorted(p for p in (run / "cells").iterdir() if (p / "distilled.json").exists())
    data = bytearray((cells[0] / "distilled.safetensors").read_bytes())
    data[-1] ^= 1
    (cells[0] / "distilled.safetensors").write_bytes(data)
    hidden = run / "cells" / "cut"
    hidden.mkdir()
    (hidden / "result.json").write_text('{"schema_version": 1, "key"')
    assert execute(["publish", "run", "--to", "folder:there", "--yes"]) == 3
    said = capsys.readouterr().err
    assert f"refused: run/cells/{cells[0].name}/result.json: distilled.safetensors does not have the digest" in said
    assert "refused: run/cells/cut/result.json: is not JSON, or was cut short" in said
    assert "2 results are refused. Mend them, or give --skip-invalid" in said
    assert not Path("there").exists()
    assert execute(["publish", "run", "--to", "folder:there", "--yes", "--skip-invalid"]) == 0
    assert len(list(Path("there").rglob("result.json"))) == 2


def test_other_sets_than_the_results_are_refused(run: Path):
    a, b = sorted(p for p in (run / "cells").iterdir() if (p / "distilled.json").exists())
    for name in ("distilled.json", "distilled.safetensors"):
        shutil.copy(b / name, a / name)
    (said,) = gather(run).refused
    assert "is not the set that it names" in said
    (a / "distilled.safetensors").unlink()
    assert "is missing" in gather(run).refused[0]


def test_a_path_in_the_cell_is_told_not_published(tmp_path: Path):
    cell = made_up_cell(codec_args={"model": PRIVATE})
    result_with_set(tmp_path / "cell", cell)
    (said,) = gather(tmp_path).refused
    assert f"cell.codec.args.model ({PRIVATE})" in said
    assert "relative to DDBENCH_DATA" in said


def test_links_and_foreign_pictures_stay(run: Path, tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    drawn = (run / "chart.png").read_bytes()
    (run / "pictures" / "link.png").symlink_to(secret)
    (run / "pictures" / "text.png").write_text("no picture")
    (run / "pictures" / "tail.png").write_bytes(drawn + b"more")
    (run / "pictures" / "cut.png").write_bytes(drawn[:-9])
    words = b"\x00\x00\x00\x03tEXta\x00b1234"
    (run / "pictures" / "words.png").write_bytes(drawn[:33] + words + drawn[33:])
    cell = next(p for p in (run / "cells").iterdir() if (p / "distilled.json").exists())
    outside = tmp_path / "outside"
    shutil.move(cell, outside)
    cell.symlink_to(outside)
    other = run / "cells" / "linked"
    other.mkdir()
    (other / "result.json").symlink_to(outside / "result.json")
    made = gather(run)
    assert [i.path for i in made.items if i.path.endswith(".png")] == ["pictures/run/a.png", "pictures/run/chart.png"]
    assert len(made.left) == 5
    assert len(made.results) == 2
    assert "linked/result.json: it is a link that leads out" in made.refused[0]


def test_runs_of_one_key_stand_apart_and_copies_are_refused(tmp_path: Path):
    first = result_with_set(tmp_path / "in" / "a" / "x", made_up_cell(), run_id="one")
    result_with_set(tmp_path / "in" / "a" / "y", made_up_cell(), run_id="two")
    result_with_set(tmp_path / "in" / "a" / "z", made_up_cell(), run_id="two")
    result_with_set(tmp_path / "in" / "b c" / "x", made_up_cell(), run_id="two")
    made = gather(tmp_path / "in")
    key = first.key[:16]
    assert {i.path.rpartition("/")[0] for i in made.items} == {
        f"results/a/{key}-one", f"results/a/{key}-two", f"results/b-c/{key}"
    }  # fmt: skip
    (said,) = made.refused
    assert "once more" in said


def test_the_card_is_data_not_markup():
    made = Gathered(results=[made_up_result(made_up_cell("<script>", dataset="![x](http://y/z)"))])
    text = card(made, "a\n<b>&lt;", "mit", ()).read().decode()
    assert "<script>" not in text
    assert "](http" not in text
    assert "# a\n&lt;b>&lt;" in text or "# a &lt;b>&lt;" in text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "--to", "there"], 2, "'there' is not a place"),
        (["run", "--to", "hf:name"], 2, "'name' is not the name of a repository"),
        (["run", "--to", "hf:../x"], 2, "is not the name of a repository"),
        (["run", "--to", "folder:"], 2, "is followed by a path"),
        (["run", "--to", "folder:run/out"], 2, "lie in each other"),
        (["run", "--to", "folder:."], 2, "lie in each other"),
        (["run", "--to", "folder:x", "--private"], 2, "are for repositories"),
        (["nowhere", "--to", "folder:x"], 3, "There is no folder nowhere"),
        (["run/pictures", "--to", "folder:x"], 3, "holds no result.json"),
        (["run", "--to", "folder:file", "--yes"], 3, "is a file, not a folder"),
        (["run", "--to", "folder:mine", "--yes"], 3, "mine has a README.md that `ddbench publish` did not write"),
        (["run", "--to", "folder:linked", "--yes"], 3, "leads out of linked through a link"),
    ],
)
def test_mistakes_are_one_sentence(run: Path, capsys, words: list[str], code: int, said: str):
    Path("file").write_text("x")
    for name in ("mine", "linked", "elsewhere"):
        Path(name).mkdir()
    Path("mine/README.md").write_text("mine")
    Path("linked/results").symlink_to(Path("elsewhere").resolve())
    before = files(run)
    assert execute(["publish", *words]) == code
    text = capsys.readouterr().err
    assert said in text
    assert "Traceback" not in text
    assert files(run) == before
    assert not any(Path("elsewhere").iterdir())


def test_a_full_disk_is_one_sentence(run: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ddbench.files.os.fsync", full)
    assert execute(["publish", "run", "--to", "folder:there", "--yes"]) == 3
    assert "No space left on device" in capsys.readouterr().err
    assert files(Path("there")) == {}


def test_a_dry_run_writes_nothing_and_imports_no_hub(run: Path):
    code = (
        "import sys; from ddbench.cli.main import execute; code = execute(['publish', 'run', '--to', 'hf:me/x']);"
        "print(json.dumps([code, 'huggingface_hub' in sys.modules, 'torch' in sys.modules]))"
    )
    import subprocess
    import sys

    before = files(run)
    done = subprocess.run([sys.executable, "-c", "import json; " + code], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, False, False], done.stderr
    assert files(run) == before
