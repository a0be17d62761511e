"""All rows of the shipped `imagenet_subsets` for one subset, end to end: a small tree, small models, smaller sizes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from picture_trees import imagenet_tree
from small_cells import small_folder

from ddbench import artifact
from ddbench.datasets.imagenet import subsets
from ddbench.engines.inline import Inline
from ddbench.interfaces.engine import Job
from ddbench.planning.expand import expand
from ddbench.planning.facts import card_of, full_args
from ddbench.planning.load import load_suite
from ddbench.planning.plan import plan
from ddbench.run.folder import RunFolder
from ddbench.spec.cell import Cell, Choice

sys.path.append(str(Path(__file__).parents[1] / "codecs"))
from tiny_autoencoders import save

SUBSET, SIZE, WIDTH = "imagefruit", 32, 4
SIGNAL_BYTES = 4 * 3 * SIZE**2
PICTURES = 50
"""Of a class: `sd_vae_f8` holds 48 codes in the bytes of one picture, and `random` takes no picture twice."""
MODELS = {"stabilityai/sd-vae-ft-mse": 8, "stabilityai/stable-diffusion-x4-upscaler/vae": 4}
LEARNED = ("dc", "dm", "mtt")
MATRIX: dict[tuple[str, str], tuple[str, ...]] = {
    ("identity", "signal"): ("random", *LEARNED, "full"),
    ("dct", "signal"): ("random", *LEARNED),
    ("jpeg", "signal"): ("random",),
    ("downsample", "signal"): ("random",),
    ("sd_vae_f4", "signal"): ("random",),
    ("sd_vae_f8", "signal"): ("random",),
    ("downsample", "code"): LEARNED,
    ("sd_vae_f4", "code"): LEARNED,
    ("sd_vae_f8", "code"): LEARNED,
}
ITEMS = {"identity": 1, "downsample": 2**2, "dct": 8, "sd_vae_f4": 3 * 4**2 // 4, "sd_vae_f8": 3 * 8**2 // 4}
"""Of a class in the bytes of one picture; a file of JPEGs has as many as fit."""
SMALL: dict[str, dict[str, Any]] = {
    "dc": {"iterations": 2, "real_batch": 4},
    "dm": {"iterations": 2, "real_batch": 4},
    "mtt": {
        "iterations": 2, "syn_steps": 2, "expert_epochs": 1, "max_start": 1, "experts": 1, "expert_epochs_total": 2,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of one subset and empty files of the others, whose cards are asked for; models where presets look."""
    root = tmp_path_factory.mktemp("imagenet")
    own = [wnid for wnid, _ in subsets()[SUBSET]]
    imagenet_tree(root / "imagenet", own, PICTURES, 2)
    for wnid in {wnid for classes in subsets().values() for wnid, _ in classes} - {*own}:
        for part in ("train", "val"):
            folder = root / "imagenet" / part / wnid
            folder.mkdir(parents=True)
            for i in range(PICTURES):
                (folder / f"{wnid}_{i}.JPEG").touch()
    for name, f in MODELS.items():
        save(root / "models" / name, f=f)
    return root


@pytest.fixture(autouse=True)
def _all_is_there(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_DATA", str(root))
    monkeypatch.setenv("DDBENCH_MODELS", str(root / "models"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def shipped(root: Path) -> list[Cell]:
    """The subset's cells as they ship."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDBENCH_DATA", str(root))
        patch.setenv("DDBENCH_MODELS", str(root / "models"))
        cells = expand(load_suite("imagenet_subsets", plugins=False))
    return [cell for cell in cells if cell.dataset.args["subset"] == SUBSET]


def smaller(cell: Cell) -> Cell:
    """The same row with smaller pictures and networks, fewer updates, students, experts and epochs."""
    dataset = full_args("dataset", Choice(name=cell.dataset.name, args=cell.dataset.args | {"size": SIZE}))
    method = full_args("method", Choice(name=cell.method.name, args=cell.method.args | SMALL.get(cell.method.name, {})))
    network = Choice(name=cell.network.name, args=cell.network.args | {"width": WIDTH})
    assert cell.protocol.full is not None
    protocol = {"students": 1, "epochs": 2, "networks": (network,)}
    protocol["full"] = cell.protocol.full.model_copy(update={"epochs": 1})
    return cell.model_copy(
        update={
            "dataset": dataset,
            "method": method,
            "network": network,
            "protocol": cell.protocol.model_copy(update=protocol),
            "versions": cell.versions.model_copy(update={"dataset": card_of(dataset).revision}),
        }
    )


def unlearned(cell: Cell) -> Cell:
    """The cell before its first update: what is stored is where it starts."""
    return cell.model_copy(update={"method": Choice(name=cell.method.name, args=cell.method.args | {"iterations": 0})})


def test_the_matrix_is_the_suites(shipped: list[Cell]) -> None:
    found = {(c.codec.name, c.space, c.method.name, c.seed) for c in shipped}
    seeds = {m: (0,) if m == "full" else (0, 1, 2) for methods in MATRIX.values() for m in methods}
    assert found == {(*row, m, seed) for row, methods in MATRIX.items() for m in methods for seed in seeds[m]}
    assert len(shipped) == len(found)


@pytest.mark.parametrize(("codec", "space"), MATRIX, ids=["-".join(row) for row in MATRIX])
def test_cells_run_on_a_small_tree(codec: str, space: str, shipped: list[Cell], tmp_path: Path) -> None:
    cells = [smaller(c) for c in shipped if (c.codec.name, c.space, c.seed) == (codec, space, 0)]
    starts = {c.key: unlearned(c) for c in cells if c.method.name in LEARNED}
    folder = small_folder(tmp_path / "run", [*cells, *starts.values()])
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), lambda event: None)
    assert [c.method.name for c in cells] == [*MATRIX[codec, space]]
    planned = {p.cell.key: p for p in plan(cells)}
    for cell in cells:
        result = folder.result(cell.key)
        assert result is not None
        assert result.status == "ok", result.error
        assert {run.column for run in result.runs} == {"equal_steps", "equal_epochs"} or cell.budget is None
        if cell.budget is None:
            continue
        held = result.bytes
        assert held is not None
        assert held.allowed == 10 * SIGNAL_BYTES
        assert held.over_cap == max(0, held.used - held.allowed) <= min(0.02 * held.allowed, held.side)
        if codec in ITEMS:
            assert set(held.items) == {ITEMS[codec]} == {planned[cell.key].slots}
            assert held.used == planned[cell.key].used_bytes
        else:
            assert min(held.items) >= 1
        if cell.key in starts:
            assert moved(folder, cell, starts[cell.key])


def moved(folder: RunFolder, cell: Cell, start: Cell) -> bool:
    """Whether every class's codes are others than at the start, and finite."""
    leaf = artifact.load(folder.cell_dir(cell.key)).codec().leaves()[0].name
    now, before = (artifact.load(folder.cell_dir(c.key)).codes[leaf] for c in (cell, start))
    assert isinstance(now, torch.Tensor)
    assert isinstance(before, torch.Tensor)
    changed = (now - before).unflatten(0, (10, -1)).flatten(1).abs().amax(1)
    return bool(now.isfinite().all()) and bool((changed > 0).all())
