"""Mutated results, cards and tensor files: each is refused by a sentence or is sound, and nothing else happens."""

from __future__ import annotations

import builtins
import contextlib
import json
import pickle
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up_sets import forge
from made_up_submissions import X, edit, submit
from safetensors.torch import save as to_safetensors

from ddbench.artifact import load
from ddbench.cli.main import execute
from ddbench.errors import ArtifactError, DdbenchError
from ddbench.result.io import read_result
from ddbench.submission.folder import check_folder

NAMES = ("result.json", "distilled.json", "distilled.safetensors")
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, 10**30, 0.5, -0.5, 54.5, 1e308, "", "x", "7", "\x00", "\x1b[2J", "\u202e",
    "<script>alert(1)</script>", "../../x", "/etc/passwd", "a" * 10**5, [], {}, [[]], [None], {"": 1}, {"x": {"x": {}}},
]  # fmt: skip
RAW = ["NaN", "Infinity", "1e999", "-1e999", "9" * 5000, '"\\ud800"', "[" * 5000, "[" * 70 + "]" * 70, '{"a":1,"a":2}']


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    submit(tmp_path / "inside" / "a")
    submit(tmp_path / "inside" / "good", x=X + 1)
    edit(tmp_path / "inside" / "good", run_id="good")
    return tmp_path / "inside"


def state(at: Path) -> dict[str, bytes]:
    return {str(p.relative_to(at)): p.read_bytes() for p in at.rglob("*") if p.is_file()}


def checked(folder: Path) -> list[str]:
    """Faults told of `a`; `good` must stay sound, and no file may change."""
    before = state(folder.parent)
    found = check_folder(folder, decode=True).of("wrong")
    assert [f for f in found if f.where.startswith("good")] == []
    assert state(folder.parent) == before
    return [f.text for f in found if f.where.startswith("a/")]


def ways(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(way for k, v in inner for way in ways(v, (*at, k)))]


def replaced(data: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[way[0]] = replaced(copy[way[0]], way[1:], value)
    return copy


@pytest.mark.parametrize("name", ["result.json", "distilled.json"])
def test_any_value_replaced_by_any_other(folder: Path, name: str) -> None:
    draw = random.Random(name)
    file = folder / "a" / name
    data = json.loads(file.read_text())
    places = ways(data)
    refused = 0
    for _ in range(150):
        file.write_text(json.dumps(replaced(data, draw.choice(places), draw.choice(VALUES))))
        found = checked(folder)
        refused += bool(found)
        assert all(isinstance(text, str) and text for text in found)
    assert refused > 100


@pytest.mark.parametrize("name", ["result.json", "distilled.json"])
@pytest.mark.parametrize("raw", RAW)
def test_texts_that_json_modules_take_or_choke_on(folder: Path, name: str, raw: str) -> None:
    draw = random.Random(raw[:20])
    file = folder / "a" / name
    data = json.loads(file.read_text())
    for _ in range(4):
        way = draw.choice([w for w in ways(data) if w])
        file.write_text(json.dumps(replaced(data, way, "@@")).replace('"@@"', raw))
        assert checked(folder), way


@pytest.mark.parametrize("name", ["result.json", "distilled.json"])
def test_a_key_given_twice(folder: Path, name: str) -> None:
    file = folder / "a" / name
    first, rest = file.read_text().split("\n", 1)
    key = re.search(r'"(\w+)"', rest)
    assert key is not None
    file.write_text(f'{first}\n "{key[1]}": 1,\n{rest}')
    assert any(f"the key '{key[1]}' twice" in text for text in checked(folder))


@pytest.mark.parametrize("name", NAMES)
def test_truncations_bit_flips_and_noise(folder: Path, name: str) -> None:
    draw = random.Random(name)
    file = folder / "a" / name
    good = file.read_bytes()
    for i in range(40):
        at = draw.randrange(len(good))
        flipped = good[:at] + bytes([good[at] ^ 1 << draw.randrange(8)]) + good[at + 1 :]
        file.write_bytes((good[:at], flipped, good + draw.randbytes(9), draw.randbytes(at), good[at:])[i % 5])
        found = checked(folder)
        # a flipped letter of a note is a note still; what is left of a text is none
        assert found or (i % 5 == 1 and name != "distilled.safetensors"), (i, at)


def header(entries: dict[str, Any], payload: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(entries).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + payload


ENTRY = {"dtype": "F32", "shape": [2, 1, 4, 4], "data_offsets": [0, 128]}
HEADERS = {
    "a length beyond the file": header({"item/x": ENTRY}, bytes(128), 2**40),
    "a length of all bits": b"\xff" * 8 + b"{}",
    "a length of hundreds of megabytes": header({"item/x": ENTRY}, bytes(128), 2**28),
    "no bytes at all": b"",
    "only a length": (5).to_bytes(8, "little"),
    "a list": header([]),  # pyright: ignore[reportArgumentType]
    "no tensors": header({}),
    "bytes that no tensor claims": header({"item/x": ENTRY}, bytes(200)),
    "a gap": header({"item/x": {**ENTRY, "data_offsets": [8, 136]}}, bytes(136)),
    "an overlap": header({"item/x": ENTRY, "item/y": ENTRY}, bytes(128)),
    "negative offsets": header({"item/x": {**ENTRY, "data_offsets": [-128, 0]}}, bytes(128)),
    "offsets beyond the end": header({"item/x": {**ENTRY, "data_offsets": [10**18, 10**18 + 128]}}, bytes(128)),
    "a negative shape": header({"item/x": {**ENTRY, "shape": [-2, -1, 4, 4]}}, bytes(128)),
    "a shape of texts": header({"item/x": {**ENTRY, "shape": ["2"]}}, bytes(128)),
    "a shape that overflows": header({"item/x": {**ENTRY, "shape": [2**62, 2**62]}}, bytes(128)),
    "a shape of booleans": header({"item/x": {**ENTRY, "shape": [True]}}, bytes(128)),
    "an unknown type": header({"item/x": {**ENTRY, "dtype": "__import__('os')"}}, bytes(128)),
    "a type that is no text": header({"item/x": {**ENTRY, "dtype": ["F32"]}}, bytes(128)),
    "one more field": header({"item/x": {**ENTRY, "hook": "x"}}, bytes(128)),
    "an entry that is null": header({"item/x": None}, bytes(128)),
    "metadata of numbers": header({"__metadata__": {"a": 1}, "item/x": ENTRY}, bytes(128)),
    "another name": header({"../../etc/passwd": ENTRY}, bytes(128)),
    "a markup name": header({"<script>": ENTRY}, bytes(128)),
    "two more names": b"".join(
        [(len(t := b'{"item/x":' + json.dumps(ENTRY).encode() + b',"item/x":' + json.dumps(ENTRY).encode() + b"}"))
         .to_bytes(8, "little"), t, bytes(128)]
    ),
    "deep nesting": (10**5).to_bytes(8, "little") + b'{"a":' * 20000,
    "text that is not UTF-8": (4).to_bytes(8, "little") + b"{\xff\xfe}" + bytes(128),
    "another shape": to_safetensors({"item/x": X.flatten(1).clone()}),
    "another type": to_safetensors({"item/x": X.double()}),
    "fewer rows": to_safetensors({"item/x": X[:1].clone()}),
    "NaN": to_safetensors({"item/x": X * float("nan")}),
    "infinity": to_safetensors({"item/x": X / 0}),
    "a zip": b"PK\x03\x04" + bytes(60),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_hostile_tensor_files(folder: Path, name: str) -> None:
    """With digests that agree, so that nothing but the file itself gives it away; both readers refuse it."""
    forge(folder / "a", HEADERS[name])
    edit(folder / "a", artifact__sha256=json.loads((folder / "a" / "distilled.json").read_text())["sha256"])
    assert checked(folder)
    with pytest.raises(ArtifactError):
        load(folder / "a")


class Bomb:
    """Runs when it is unpickled."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self.flag,)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_pickles_are_never_opened(folder: Path, name: str, kind: str) -> None:
    flag, file = folder.parent / "executed", folder / "a" / name
    if kind == "pickle":
        file.write_bytes(pickle.dumps(Bomb(flag)))
    else:
        torch.save({"item/x": X, "bomb": Bomb(flag)}, file)
    if name == "distilled.safetensors":
        forge(folder / "a")
    assert checked(folder)
    execute(["verify", str(folder / "a"), "--students", "1"])
    assert not flag.exists()


@pytest.mark.parametrize(
    "path", ["../../x", "/etc/passwd", "..", ".", "", "a/../../x", "\x00", "x" * 300, "~", "..\\x"]
)
def test_paths_that_lead_elsewhere_are_not_opened(
    folder: Path, path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (folder.parent.parent / "x").write_text("secret")
    edit(folder / "a", artifact__file=path)
    opened: list[str] = []
    real = builtins.open

    def watch(file: Any, *args: Any, **options: Any) -> Any:
        opened.append(str(file))
        return real(file, *args, **options)

    monkeypatch.setattr(builtins, "open", watch)
    assert any("should be called distilled.safetensors" in text for text in checked(folder))
    outside = [o for o in opened if o.startswith("/") and not Path(o).resolve().is_relative_to(folder.parent)]
    assert [o for o in outside if "site-packages" not in o and "/lib/python" not in o] == []
    assert execute(["validate", str(folder)]) == 3
    assert "\x00" not in capsys.readouterr().out


def test_links_of_every_kind(folder: Path) -> None:
    for name in NAMES:
        for target in ("/etc/passwd", "/dev/zero", "../../../../etc/passwd", name, "nowhere", ".."):
            at = folder / "a" / name
            kept = at.read_bytes()
            at.unlink()
            at.symlink_to(target)
            before = state(folder / "good")
            found = [f for f in check_folder(folder, decode=True).of("wrong") if f.where.startswith("a")]
            assert found, (name, target)
            assert state(folder / "good") == before
            at.unlink()
            at.write_bytes(kept)
    (folder / "loop").symlink_to(folder)
    assert checked(folder) == []


def test_every_command_that_reads_results_survives_all_of_them(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """One folder with many hostile results: what can be shown is shown, the rest is named, and no traceback."""
    draw = random.Random(3)
    good = json.loads((folder / "a" / "result.json").read_text())
    for i in range(60):
        at = folder / f"m{i:02}"
        shutil.copytree(folder / "a", at)
        way = draw.choice(ways(good))
        (at / "result.json").write_text(json.dumps(replaced(good, way, draw.choice(VALUES))))
    for words in (["validate"], ["table"], ["table", "--format", "markdown"], ["table", "--format", "json"]):
        code = execute([words[0], str(folder), *words[1:]])
        told = capsys.readouterr()
        assert code in (0, 2, 3), told.err
        assert "internal error" not in told.err
    for at in folder.glob("m*/result.json"):
        with contextlib.suppress(DdbenchError):
            read_result(at)
