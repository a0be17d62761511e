"""The mosaic codec against PyTorch's own resize, one item and one tile at a time, and against `downsample`."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from codec_helpers import decode, raw, target
from ddbench_codecs.downsample import Downsample, DownsampleConfig
from ddbench_codecs.tiles import Tiles, TilesConfig
from small_cells import small_cell, small_folder
from torch.nn.functional import interpolate

from ddbench.artifact import load
from ddbench.budget import slots
from ddbench.cost import cost_of
from ddbench.engines.inline import Inline
from ddbench.errors import SpecError
from ddbench.interfaces.engine import Job
from ddbench.planning.pairs import pair_faults
from ddbench.planning.plan import plan
from ddbench.spec.cell import Cell

LABELS = torch.zeros(1, dtype=torch.int64)


def tiles(factor: int, *shape: int, **options: Any) -> Tiles:
    return Tiles(TilesConfig(factor=factor), target(*shape, **options))


def stored(codec: Tiles, x: torch.Tensor) -> torch.Tensor:
    mosaic = codec.encode(x, LABELS.expand(len(x)), {})["mosaic"]
    assert isinstance(mosaic, torch.Tensor)
    return mosaic


def decoded(codec: Tiles, mosaic: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    found = codec.decode({"mosaic": mosaic}, LABELS.expand(len(mosaic)), torch.Generator())
    return found.signals, found.source


@pytest.mark.parametrize(("factor", "side"), [(2, 8), (3, 28), (2, 7), (3, 8)])
def test_decode_cuts_pads_and_resizes_as_published(factor: int, side: int) -> None:
    """Tile-major, padded right and below with raw 0.5, bilinear with align_corners off."""
    codec, t = tiles(factor, 3, side, side), -(-side // factor)
    signal, mosaic = codec.target.signal, raw(4, 3, side, side)
    whole = torch.full((4, 3, factor * t, factor * t), 0.5, dtype=torch.float64)
    whole[..., :side, :side] = signal.denormalise(mosaic.double())
    expected = [
        interpolate(whole[..., i * t : (i + 1) * t, j * t : (j + 1) * t], (side, side), mode="bilinear")
        for i in range(factor)
        for j in range(factor)
    ]
    signals, source = decoded(codec, mosaic)
    assert codec.signals_per_item == factor**2
    assert source.tolist() == [0, 1, 2, 3] * factor**2
    torch.testing.assert_close(signal.denormalise(signals).double(), torch.cat(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("factor", "shape"), [(2, (1, 8, 8)), (2, (3, 7, 6)), (3, (1, 28, 28)), (3, (2, 31)), (2, (1, 4, 6, 5))]
)
def test_consecutive_signals_are_the_tiles_of_one_item(factor: int, shape: tuple[int, ...]) -> None:
    """Each tile is the down-sampled signal, but for what the mosaic has no room for at its far edges."""
    codec = tiles(factor, *shape)
    s = factor ** (len(shape) - 1)
    x = raw(3 * s, *shape)
    mosaic = stored(codec, x)
    assert mosaic.shape == (3, *shape)
    small = Downsample(DownsampleConfig(factor=factor), codec.target).encode(x, LABELS, {})["x"]
    assert isinstance(small, torch.Tensor)
    t = small.shape[2:]
    for i in range(3):
        for tile, at in enumerate(np.ndindex(*(factor,) * len(t))):
            part = tuple(slice(a * n, min((a + 1) * n, size)) for a, n, size in zip(at, t, shape[1:]))
            held = tuple(slice(0, p.stop - p.start) for p in part)
            assert torch.equal(mosaic[(i, slice(None), *part)], small[(i * s + tile, slice(None), *held)])


def test_where_the_factor_divides_it_is_downsample_item_for_item() -> None:
    codec = tiles(2, 3, 8, 12)
    plain = Downsample(None, codec.target)
    x, y = raw(12, 3, 8, 12), LABELS.expand(12)
    signals, source = decoded(codec, stored(codec, x))
    order = source.argsort(stable=True)
    assert torch.equal(signals[order], decode(plain, plain.encode(x, y, {}), y))
    assert codec.leaves()[0].lr_scale == plain.leaves()[0].lr_scale


@pytest.mark.parametrize(("factor", "shape"), [(2, (1, 12, 8)), (3, (1, 16, 16)), (3, (1, 31))])
def test_a_step_moves_the_signals_as_far_as_a_pixels(factor: int, shape: tuple[int, ...]) -> None:
    codec = tiles(factor, *shape)
    (leaf,) = codec.leaves()
    # affine where there is padding: the constant falls out of the differences
    basis = torch.eye(prod(shape), dtype=torch.float64).reshape(-1, *shape)
    zero = decoded(codec, torch.zeros_like(basis[:1]))[0]
    columns = [(decoded(codec, one[None])[0] - zero).flatten() for one in basis]
    assert 0.95 < leaf.lr_scale * np.linalg.norm(torch.stack(columns).numpy(), 2) ** 2 < 1.05


def test_padding_is_the_mean_where_there_are_no_bounds() -> None:
    codec = tiles(2, 1, 5, bounded=False)
    signals, _ = decoded(codec, torch.full((1, 1, 5), 3.0))
    assert float(signals[1, 0, -1]) == 0
    assert bool((signals[0] == 3).all())


@pytest.mark.parametrize(("factor", "shape", "named"), [(2, (12,), "'pca'"), (3, (1, 4, 9), "outside")])
def test_what_cannot_be_cut_is_refused(factor: int, shape: tuple[int, ...], named: str) -> None:
    with pytest.raises(SpecError, match=named):
        tiles(factor, *shape)


@pytest.mark.parametrize(("storage", "mosaics", "small"), [("float32", 1, 4), ("float16", 2, 8), ("uint8", 4, 16)])
def test_items_in_the_bytes_of_one_signal(storage: Any, mosaics: int, small: int) -> None:
    """Ranges are side information, which may pass the cap with the last item: they push none out here."""
    where = target(3, 32, 32, n_classes=10, cap_bytes=10 * 3 * 32 * 32 * 4, storage=storage)
    found = [
        slots(cost_of(c.leaves(), storage), 10, where.cap_bytes) for c in (Tiles(None, where), Downsample(None, where))
    ]
    assert found == [mosaics, small]


MTT: dict[str, Any] = {
    "method": "mtt", "iterations": 2, "lr": 1.0, "lr_lr": 1e-3, "syn_steps": 2, "max_start": 1, "expert_epochs": 1,
    "experts": 1, "expert_epochs_total": 2,
}  # fmt: skip
CELLS: dict[str, dict[str, Any]] = {
    "random": {"method": "random"},
    "herding": {"method": "herding", "storage": "uint8"},
    "kmeans": {"method": "kmeans", "codec_args": {"factor": 3}},
    "dm": {"iterations": 3},
    "dc": {"method": "dc", "iterations": 2, "outer": 2, "inner": 1, "real_batch": 8},
    "mtt": MTT,
    "mtt with labels": {**MTT, "soft_labels": True, "first_items": "correct", "ipc": 3},
}


def run(path: Path, *cells: Cell) -> list[Path]:
    """Folders of finished cells, whose items and signals are those of the plan."""
    folder = small_folder(path, list(cells))
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), lambda event: None)
    for cell in cells:
        result = folder.result(cell.key)
        assert result is not None
        assert result.status == "ok", result.error
        assert result.bytes is not None
        (planned,) = plan([cell])
        each = cell.codec.args["factor"] ** 2 if cell.codec.name == "tiles" else 1
        assert result.bytes.items == (planned.slots,) * 10
        assert result.bytes.signals == (each * result.bytes.items[0],) * 10
        assert result.bytes.used == planned.used_bytes
        signals, labels = load(folder.cell_dir(cell.key)).decode()
        assert torch.bincount(labels).tolist() == list(result.bytes.signals)
        assert signals.shape[1:] == (1, 8, 8)
    return [folder.cell_dir(cell.key) for cell in cells]


@pytest.mark.parametrize("given", CELLS.values(), ids=CELLS.keys())
def test_methods_take_many_signals_an_item(given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    run(tmp_path / "run", small_cell("tiles", **{"epochs": 1, **given}))


def test_a_learned_set_is_that_of_downsample_at_equal_bytes(tmp_path: Path) -> None:
    cells = [small_cell(codec, "dm", iterations=5, epochs=1) for codec in ("tiles", "downsample")]
    (mosaics, labels), (small, same) = (load(folder).decode() for folder in run(tmp_path / "run", *cells))
    (folder,) = run(tmp_path / "first", small_cell("tiles", "random", epochs=1))
    first, _ = load(folder).decode()
    order = torch.arange(len(mosaics)).reshape(4, -1).T.flatten()
    assert torch.equal(labels[order], same)
    torch.testing.assert_close(mosaics[order], small, atol=1e-4, rtol=0)
    assert float((mosaics - first).abs().max()) > 1e-2, "learning moved the signals"


def test_networks_in_code_space_would_see_mosaics() -> None:
    for method in ("dm", "herding"):
        faults = " ".join(pair_faults(small_cell("tiles", method, space="code")))
        assert "a code is 4 signals" in faults
