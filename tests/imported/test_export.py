"""Sets made here, exported and taken up again: pictures, Parquet, safetensors, and `ddbench.load`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from evaluated import DATASET, SHORT, accuracies, evaluated
from small_cells import small_cell, small_folder

import ddbench
from ddbench.errors import RunError, SpecError
from ddbench.export.card import plain
from ddbench.export.export import export
from ddbench.imported.evaluate import Request
from ddbench.interfaces.engine import Job
from ddbench.run.worker import work


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cell: DM on pixels, one image a class."""
    cell = small_cell(dataset=DATASET.name, ipc=1)
    cell = cell.model_copy(update={"protocol": SHORT})
    runs = small_folder(tmp_path_factory.mktemp("made") / "runs", [cell])
    work(Job(runs.path, [cell.key], device="cpu"), lambda event: None)
    return runs.cell_dir(cell.key)


def test_safetensors_evaluate_to_the_very_figures_of_the_original(made: Path, tmp_path: Path) -> None:
    from ddbench.result.io import read_result

    export(made, "safetensors", tmp_path / "tensors")
    request = Request(tmp_path / "tensors" / "items.safetensors", DATASET, normalisation="dataset", protocol=SHORT)
    _, (again,) = evaluated(request, tmp_path / "out")
    original = read_result(made / "result.json")
    assert accuracies(again) == accuracies(original)
    assert again.bytes is not None
    assert original.bytes is not None
    assert again.bytes.used == original.bytes.used


def test_pictures_evaluate_to_the_figures_of_the_set_rounded_to_8_bits(made: Path, tmp_path: Path) -> None:
    from evaluated import small_data

    from ddbench.evaluate.told import by_labels

    found = export(made, "images", tmp_path / "pictures")
    request = Request(tmp_path / "pictures", DATASET, protocol=SHORT)
    _, (again,) = evaluated(request, tmp_path / "out")
    rounded = small_data().card.signal.normalise((found.raw * 255).round().clamp(0, 255) / 255)
    direct = by_labels(rounded, found.y, None, small_data(), SHORT, reference_items=10, seed=0)
    assert accuracies(again) == [(r.column, r.student, r.correct) for some in direct for r in some]
    files = sum(f.stat().st_size for f in (tmp_path / "pictures").glob("*/*.png"))
    assert again.bytes is not None
    assert again.bytes.parts == {"item/file.values": files, "item/file.offsets": 4 * 11}


def test_a_set_made_here_keeps_its_cell_and_its_key(made: Path, tmp_path: Path) -> None:
    from ddbench.result.io import read_result

    original = read_result(made / "result.json")
    _, (again,) = evaluated(Request(made), tmp_path / "out")
    assert again.key == original.key
    assert again.run_id != original.run_id
    assert accuracies(again) == accuracies(original)
    assert again.losses == original.losses
    _, (other,) = evaluated(Request(made, students=1), tmp_path / "out")
    assert other.key != original.key
    assert other.cell.method == original.cell.method
    assert len(other.runs) == 1


def test_a_set_of_ours_without_its_cell_is_one_made_elsewhere(made: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("distilled.json", "distilled.safetensors"):
        (alone / name).write_bytes((made / name).read_bytes())
    _, (result,) = evaluated(Request(alone, protocol=SHORT), tmp_path / "out")
    assert result.status == "ok", result.error
    assert result.cell.method.name == "imported"
    assert result.cell.codec.name == "identity"


def test_parquet_is_what_the_datasets_library_loads(made: Path, tmp_path: Path) -> None:
    from datasets import ClassLabel, load_dataset
    from datasets import Image as ImageFeature

    found = export(made, "parquet", tmp_path / "pq")
    files = str(tmp_path / "pq" / "data" / "*.parquet")
    loaded = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))["train"]
    assert isinstance(loaded.features["image"], ImageFeature)
    assert isinstance(loaded.features["label"], ClassLabel)
    assert tuple(loaded.features["label"].names) == found.stored.card.class_names
    assert loaded["label"] == found.y.tolist()
    assert loaded[3]["image"].size == (28, 28)


def test_series_and_rows_are_arrays_and_no_pictures(tmp_path: Path) -> None:
    from datasets import load_dataset

    cell = small_cell(dataset="breast_cancer", method="random", epochs=1)
    runs = small_folder(tmp_path / "runs", [cell])
    work(Job(runs.path, [cell.key], device="cpu"), lambda event: None)
    with pytest.raises(SpecError, match="parquet and safetensors"):
        export(runs.cell_dir(cell.key), "images", tmp_path / "no")
    assert not (tmp_path / "no").exists()
    found = export(runs.cell_dir(cell.key), "parquet", tmp_path / "pq")
    files = str(tmp_path / "pq" / "data" / "*.parquet")
    loaded = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))["train"].with_format("torch")
    torch.testing.assert_close(loaded["signal"][:], found.raw)


def test_a_loaded_set_is_a_torch_dataset_of_what_students_see(made: Path) -> None:
    items = ddbench.load(made)
    loader = torch.utils.data.DataLoader(items, batch_size=4)
    x, y = next(iter(loader))
    assert x.shape == (4, 1, 28, 28)
    assert y.tolist() == [0, 1, 2, 3]
    assert (items.codec, items.bytes, len(items)) == ("identity", 31360, 10)
    assert items.class_names[1] == "trouser"
    raw = ddbench.load(str(made), raw=True)
    torch.testing.assert_close(items.signal.normalise(raw.x), items.x)
    with pytest.raises(SpecError, match="no soft labels"):
        ddbench.load(made, soft=True)


def test_soft_labels_are_loaded_and_exported_where_the_cell_says_what_they_are(tmp_path: Path) -> None:
    from evaluated import real_items
    from safetensors.torch import load_file, save_file

    x, y = real_items()
    soft = torch.full((10, 10), 0.02).scatter(1, y[:, None], 0.82)
    save_file({"x": x, "y": soft}, tmp_path / "soft.safetensors")
    request = Request(tmp_path / "soft.safetensors", DATASET, normalisation="dataset", protocol=SHORT)
    runs, (result,) = evaluated(request, tmp_path / "out")
    items = ddbench.load(runs.cell_dir(result.key), soft=True)
    torch.testing.assert_close(torch.stack([label for _, label in items]), soft)
    export(runs.cell_dir(result.key), "safetensors", tmp_path / "again")
    torch.testing.assert_close(load_file(tmp_path / "again" / "items.safetensors")["soft_labels"], soft)


def test_the_card_says_what_the_items_are_and_nothing_in_it_is_markup(made: Path, tmp_path: Path) -> None:
    export(made, "images", tmp_path / "a")
    text = (tmp_path / "a" / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["pretty_name"] == "fashion_mnist_small, distilled"
    for word in ("MIT", "31,360", "dm", "accuracy \\(test set", "28, 28"):
        assert word in body, word
    evil = "<script>x</script> [a](javascript:b) | `c`\n# d"
    assert not any(mark in plain(evil).replace("\\" + mark, "") for mark in "<|`[\n#")


def test_an_export_takes_no_place_that_is_not_its_own(made: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="not empty"):
            export(made, "images", mine, overwrite)
    assert [p.name for p in mine.iterdir()] == ["thesis.tex"]
    export(made, "images", tmp_path / "out")
    with pytest.raises(RunError, match="--overwrite"):
        export(made, "safetensors", tmp_path / "out")
    export(made, "safetensors", tmp_path / "out", overwrite=True)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["README.md", "items.safetensors"]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_failed_export_leaves_nothing(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match="No space left"):
        export(made, "images", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_class_folders_never_leave_the_export(tmp_path: Path) -> None:
    from ddbench.export.forms import class_folder
    from ddbench.imported.pictures import matched

    names = ("../../etc", "T-shirt/top", "..", "3", "été", "a" * 300, "猫", "/", "C:\\x", "nul\0")
    folders = [class_folder(k, names) for k in range(len(names))]
    assert all((tmp_path / f).resolve().parent == tmp_path.resolve() and len(f) < 80 for f in folders)
    found, faults = matched([f for k, f in enumerate(folders) if k not in (5,)], names)
    assert not faults
    assert list(found.values()) == [k for k in range(len(names)) if k != 5]


def test_importing_ddbench_imports_no_torch() -> None:
    code = "import sys, ddbench; dir(ddbench); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
