"""Files that are damaged, lie about themselves or want to run code: refused by name, with the reason."""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluated import DATASET, SHORT, real_items
from PIL import Image
from safetensors.torch import save_file

from ddbench.budget import Budget
from ddbench.errors import ArtifactError, DdbenchError, SpecError
from ddbench.imported.evaluate import Request, ready
from ddbench.imported.given import MOST_BYTES
from ddbench.imported.read import Asked

X, Y = real_items()


def refuse(path: Path, **more: object) -> str:
    fields = {"dataset": DATASET, "protocol": SHORT, "normalisation": "dataset", **more}
    with pytest.raises(DdbenchError) as caught:
        ready(Request(path, **fields))  # pyright: ignore[reportArgumentType]
    return str(caught.value)


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **{n: a.numpy() if isinstance(a, torch.Tensor) else a for n, a in arrays.items()})  # pyright: ignore
    return path


class Exploit:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


SPOILT = X.clone()
SPOILT[3, 0, 5, 5] = float("nan")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": SPOILT, "y": Y}, "1 of its 10 signals hold values that are not finite"),
        ({"x": X, "y": Y + 1}, "labels run from 1 to 10.*count from 1"),
        ({"x": X, "y": Y - 1}, "labels run from -1 to 8"),
        ({"x": X, "y": Y + 0.5}, "no whole numbers"),
        ({"x": X, "y": Y[:7]}, r"labels have shape \(7,\)"),
        ({"x": X, "y": torch.rand(10, 7)}, r"soft labels have shape \(10, 7\)"),
        ({"x": X, "y": torch.randn(10, 10)}, "--soft-labels logits"),
        ({"x": X, "y": torch.full((10, 10), float("inf"))}, "not finite"),
        ({"x": X[:, :, :20], "y": Y}, r"shape \(1, 20, 28\).*--resize"),
        ({"x": X.expand(10, 3, 28, 28), "y": Y}, "Nothing can make one of the other"),
        ({"x": X.flatten(1), "y": Y}, "Nothing can make one of the other"),
        ({"x": X[:0], "y": Y[:0]}, "one row an item is needed"),
        ({"x": X.to(torch.complex64), "y": Y}, "complex64"),
        ({"x": X.long(), "y": Y}, "int64"),
        ({"x": X, "y": Y, "lr": torch.tensor(-1.0)}, "step size is -1"),
        ({"x": X, "y": Y, "lr": torch.ones(3)}, r"step size has shape \(3,\)"),
        ({"pixels": X, "y": Y}, "no signals.*pixels, y.*--signals"),
        ({"x": X}, "no labels.*--labels"),
        ({"x": np.array(["a", "b"]), "y": Y}, "numbers are needed"),
    ],
)
def test_wrong_tensors_are_refused(arrays: dict[str, object], said: str, tmp_path: Path) -> None:
    import re

    text = refuse(npz(tmp_path / "set.npz", **arrays))
    assert re.search(said, text), text
    assert "set.npz" in text


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = refuse(npz(tmp_path / "set.npz", x=SPOILT, y=Y + 1, lr=np.float32(0)))
    assert all(word in text for word in ("not finite", "labels run", "step size"))


def test_arrays_named_by_the_user_have_their_near_misses_named(tmp_path: Path) -> None:
    from ddbench.imported.arrays import Names

    path = npz(tmp_path / "set.npz", pixels=X, target=Y)
    assert "'pixels'" in refuse(path, asked=Asked(Names("pixel", "target")))
    assert ready(Request(path, DATASET, asked=Asked(Names("pixels", "target")), normalisation="dataset"))


def test_undeclared_floats_are_not_guessed_at(tmp_path: Path) -> None:
    raw = (X * 0.353 + 0.2861).clamp(0, 1)
    for values, word in ((X, "normalised: dataset"), (raw, "raw values: none"), (raw * 255, "8-bit values")):
        assert word in refuse(npz(tmp_path / "set.npz", x=values, y=Y), normalisation=None)
    for told, word in (
        ("imagenet", "3 channels"),
        ("datset", "not known"),
        ("1,2,3", "2 numbers"),
        ("0,0", "positive"),
    ):
        assert word in refuse(npz(tmp_path / "set.npz", x=X, y=Y), normalisation=told)
    assert "far outside" in refuse(npz(tmp_path / "set.npz", x=raw * 255, y=Y), normalisation="none")


def test_pickles_are_not_executed(tmp_path: Path) -> None:
    mark = tmp_path / "pwned"
    torch.save([Exploit(mark), Y], tmp_path / "a.pt")
    assert "posix.system" in refuse(tmp_path / "a.pt")
    torch.save(
        {"data": [[X, Y]], "accs_all_exps": Exploit(mark)}, tmp_path / "b.pt", _use_new_zipfile_serialization=False
    )
    assert "posix.system" in refuse(tmp_path / "b.pt")
    objects = np.empty(10, dtype=object)
    objects[0] = Exploit(mark)
    assert "pickled Python objects" in refuse(npz(tmp_path / "c.npz", x=objects, y=Y))
    (tmp_path / "mtt").mkdir()
    torch.save(X, tmp_path / "mtt" / "images_best.pt")
    torch.save(Exploit(mark), tmp_path / "mtt" / "labels_best.pt")
    assert "labels_best.pt" in refuse(tmp_path / "mtt")
    assert "no known form" in refuse(_written(tmp_path / "d.pkl", b"cos\nsystem\n"))
    assert not mark.exists()


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _renamed(path: Path, name: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for key, array in ((name, X), ("y.npy", Y)):
            content = io.BytesIO()
            np.save(content, array.numpy())
            archive.writestr(key, content.getvalue())
    return path


@pytest.mark.parametrize("name", ["../x.npy", "/etc/x.npy", "a/../../x.npy", "..\\x.npy", "C:\\x.npy"])
def test_archives_with_paths_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    assert "leads out of it" in refuse(_renamed(inside / "set.npz", name))
    assert [p.name for p in inside.iterdir()] == ["set.npz"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_archives_that_unpack_to_too_much_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as file,
    ):
        file.write(b"\0" * 2**20)
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", MOST_BYTES + 1)
    path.write_bytes(bytes(content))
    assert "unpacks to 2,147,483,648 bytes" in refuse(path)


def test_an_array_that_says_that_it_is_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 28, 28)})
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
        archive.writestr("y.npy", header.getvalue())
    assert "cut short" in refuse(tmp_path / "set.npz")


def test_a_tensor_that_repeats_one_number_is_not_blown_up(tmp_path: Path) -> None:
    torch.save([torch.zeros(1).expand(10**9, 1, 28, 28), Y], tmp_path / "set.pt")
    assert "more than" in refuse(tmp_path / "set.pt")


@pytest.mark.parametrize("kind", ["npz", "safetensors", "pt"])
def test_cut_and_mutated_files_give_one_sentence_and_no_traceback(kind: str, tmp_path: Path) -> None:
    whole = {"npz": _npz, "safetensors": _safetensors, "pt": _pt}[kind](tmp_path / f"whole.{kind}").read_bytes()
    draw = random.Random(0)
    path = tmp_path / f"set.{kind}"
    refused = 0
    for i in range(60):
        content = bytearray(whole[: draw.randrange(len(whole))] if i % 3 == 0 else whole)
        for _ in range(draw.randrange(1, 20) if i % 3 else 0):
            at = draw.randrange(len(content)) if draw.random() < 0.5 else draw.randrange(min(600, len(content)))
            content[at] = draw.randrange(256)
        path.write_bytes(bytes(content))
        try:
            ready(Request(path, DATASET, normalisation="dataset", protocol=SHORT))
        except DdbenchError:
            refused += 1
    assert refused > 20
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"set.{kind}", f"whole.{kind}"]


def _npz(path: Path) -> Path:
    return npz(path, x=X, y=Y)


def _safetensors(path: Path) -> Path:
    save_file({"x": X.contiguous(), "y": Y}, path)
    return path


def _pt(path: Path) -> Path:
    torch.save({"data": [[X, Y]], "accs_all_exps": {"ConvNet": [np.float64(0.5)]}}, path)
    return path


def pictures(folder: Path, names: list[str], size: int = 28) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        Image.new("L", (size, size), 100).save(folder / name / "0.png")
    return folder


def test_folders_that_are_no_classes_are_told_with_near_misses(tmp_path: Path) -> None:
    text = refuse(pictures(tmp_path / "p", ["trouser", "sandel", "42"]), normalisation=None)
    assert "'sandel'" in text
    assert "'sandal'" in text
    assert "'42'" in text
    assert "'trouser'" not in text
    text = refuse(pictures(tmp_path / "q", ["trouser", "1_trouser"]), normalisation=None)
    assert "are one class" in text


def test_pictures_of_another_size_broken_ones_and_links_out_are_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", ["0", "1"], size=32)
    (folder / "1" / "bad.png").write_bytes(b"no picture")
    secret = tmp_path / "secret.png"
    Image.new("L", (28, 28)).save(secret)
    (folder / "0" / "link.png").symlink_to(secret)
    text = refuse(folder, normalisation=None)
    (folder / "2").symlink_to(tmp_path)
    assert f"{folder / '2'} is a link" in refuse(folder, normalisation=None)
    (folder / "2").unlink()
    for word in ("32 × 32", "--resize", "not a picture", "leads out of the folder"):
        assert word in text, word
    (folder / "1" / "bad.png").unlink()
    (folder / "0" / "link.png").unlink()
    (one,) = ready(Request(folder, DATASET, protocol=SHORT, asked=Asked(resize=True)))
    assert one.card.counts == (1, 1, *[0] * 8)
    assert any("No item is of the classes" in note for note in one.notes)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: p / "nothing.npz", "There is no file or folder"),
        (lambda p: p, "neither class folders nor a set"),
        (lambda p: _written(p / "x.npz", b""), "not an .npz file"),
        (lambda p: _written(p / "x.pt", b"hello"), "no torch file"),
        (lambda p: _written(p / "x.safetensors", b"hello"), "not a safetensors file"),
    ],
)
def test_what_is_no_set_is_told(make: Callable[[Path], Path], said: str, tmp_path: Path) -> None:
    assert said in refuse(make(tmp_path))


def test_dc_files_are_read_with_their_scores_passed_over(tmp_path: Path) -> None:
    scores = {"ConvNet": [np.float64(0.5), np.float32(0.25)], "MLP": []}
    torch.save({"data": [[X, Y], [X + 0.1, Y]], "accs_all_exps": scores}, tmp_path / "res.pt")
    found = ready(Request(tmp_path / "res.pt", DATASET, normalisation="dataset", protocol=SHORT))
    assert [one.cell.seed for one in found] == [0, 1]
    assert len({one.cell.unseeded for one in found}) == 1
    torch.save({"data": [[X, Y, Y]]}, tmp_path / "bad.pt")
    assert "experiment 0" in refuse(tmp_path / "bad.pt")


def test_a_set_and_a_cell_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    from evaluated import evaluated

    path = npz(tmp_path / "a.npz", x=X, y=Y)
    request = Request(path, DATASET, normalisation="dataset", protocol=SHORT)
    runs, (result,) = evaluated(request, tmp_path / "out")
    other, (another,) = evaluated(
        Request(path, DATASET, normalisation="dataset", protocol=SHORT, seed=1), tmp_path / "b"
    )
    where = runs.cell_dir(result.key)
    (where / "result.json").write_bytes((other.cell_dir(another.key) / "result.json").read_bytes())
    with pytest.raises(ArtifactError, match="do not belong together"):
        ready(Request(where))
    budget = Budget.model_validate({"ipc": 2})
    with pytest.raises(SpecError, match="leave --budget"):
        ready(Request(other.cell_dir(another.key), budget=budget))
