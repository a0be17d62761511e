"""The vector-quantising codec against one patch and one entry at a time."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from codec_helpers import decode, raw, source, target
from ddbench_codecs.bits import unpack_numbers
from ddbench_codecs.patches import from_patches, to_patches
from ddbench_codecs.vq import Vq, VqConfig
from hypothesis import given, settings
from hypothesis import strategies as st
from small_cells import small_cell, small_folder

from ddbench.artifact import load
from ddbench.artifact.rounding import restore_leaf, store_leaf
from ddbench.engines.inline import Inline
from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Codes
from ddbench.interfaces.engine import Job
from ddbench.planning.pairs import pair_faults


def vq(shape: tuple[int, ...], storage: Any = "float32", cap_bytes: int = 2**24, **args: Any) -> Vq:
    return Vq(VqConfig(**args), target(*shape, storage=storage, cap_bytes=cap_bytes))


def stored(codec: Vq, signals: torch.Tensor, n: int = 5) -> tuple[Codes, torch.Tensor, torch.Tensor]:
    """(all leaves of the first n signals, their labels, the normalised signals)."""
    x, y = codec.target.signal.normalise(signals[:n]), torch.zeros(n, dtype=torch.int64)
    shared = codec.fit(source(codec, signals), torch.Generator().manual_seed(0))
    return shared | codec.encode(x, y, shared), y, x


@settings(max_examples=30)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=3), st.integers(1, 4), st.integers(1, 2))
def test_patches_are_cut_in_order_and_put_back(extent: list[int], side: int, channels: int) -> None:
    x = raw(2, channels, *extent)
    patches = to_patches(x, side)
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), *((0, -n % side) for n in extent)], mode="edge")
    corners = product(*(range(0, -(-n // side) * side, side) for n in extent))
    for t, corner in enumerate(corners):
        part = padded[(slice(None), slice(None), *(slice(a, a + side) for a in corner))]
        assert patches[:, t].tolist() == part.reshape(2, -1).tolist()
    assert torch.equal(from_patches(patches, channels, extent, side), x)


@pytest.mark.parametrize(
    ("shape", "args"),
    [
        ((1, 8, 8), {"patch": 4, "size": 8}),
        ((3, 7, 6), {"patch": 2, "size": 5, "stages": 2}),
        ((2, 30), {"patch": 4, "size": 16, "stages": 3}),
    ],
)
def test_every_stage_takes_the_entry_nearest_to_what_is_left(shape: tuple[int, ...], args: dict[str, int]) -> None:
    codec = vq(shape, **args)
    codes, y, x = stored(codec, raw(60, *shape))
    stages, size, p = args.get("stages", 1), args["size"], args["patch"]
    books = np.asarray(codes["codebook"], dtype=np.float64).reshape(stages, size, -1)
    patches = to_patches(x, p).double().numpy()
    found = to_patches(decode(codec, codes, y), p).double().numpy()
    indices = unpack_numbers(codes["indices"], codec.widths).tolist()  # pyright: ignore[reportArgumentType]
    for i, t in product(range(len(x)), range(patches.shape[1])):
        left = patches[i, t]
        for s in range(stages):
            entry = int(np.square(books[s] - left).sum(1).argmin())
            assert indices[i][t * stages + s] == entry
            left = left - books[s, entry]
        if all(n % p == 0 for n in shape[1:]):
            np.testing.assert_allclose(patches[i, t] - found[i, t], left, atol=1e-5)


def test_few_different_patches_come_back_exactly() -> None:
    """Codebooks are means of patches: as many entries as there are different patches leave no error."""
    draw = np.random.default_rng(0)
    kinds = torch.tensor(draw.normal(size=(4, 1, 2, 2)), dtype=torch.float32)
    grid = torch.tensor(draw.integers(4, size=(50, 3, 3)))
    signals = kinds[grid].movedim(3, 1).permute(0, 1, 2, 4, 3, 5).reshape(50, 1, 6, 6)
    codec = vq((1, 6, 6), patch=2, size=4)
    codes, y, x = stored(codec, signals, 50)
    torch.testing.assert_close(decode(codec, codes, y), x, atol=1e-3, rtol=0)


def test_more_entries_and_more_stages_bring_signals_closer() -> None:
    signals = raw(300, 1, 8, 8)

    def error(**args: int) -> float:
        codec = vq((1, 8, 8), patch=2, **args)
        codes, y, x = stored(codec, signals, 100)
        return float((decode(codec, codes, y) - x).square().mean())

    assert error(size=64) < 0.6 * error(size=8)
    assert error(size=8, stages=3) < 0.6 * error(size=8)


@pytest.mark.parametrize(
    ("args", "item_bytes"),
    [
        ({"patch": 4, "size": 256}, 49),
        ({"patch": 4, "size": 16}, 25),
        ({"patch": 4, "size": 1000}, 62),
        ({"patch": 4, "size": 256, "factor": 2}, 16),
        ({"patch": 7, "size": 4, "stages": 3}, 12),
    ],
)
def test_bytes_of_an_item(args: dict[str, int], item_bytes: int) -> None:
    codebook, indices = vq((1, 28, 28), **args).leaves()
    assert indices.row_bytes("float32") == (item_bytes, 0)
    entries = args["size"] * args.get("stages", 1) * args["patch"] ** 2
    assert codebook.row_bytes("float16") == (2 * entries, 0)
    assert codebook.row_bytes("uint8") == (entries, 8 * args.get("stages", 1))


@pytest.mark.parametrize(("storage", "error"), [("float32", 1e-6), ("float16", 2e-3), ("uint8", 3e-2)])
def test_indices_survive_storage_and_the_codebook_is_rounded(storage: Any, error: float) -> None:
    codec = vq((3, 8, 8), storage, patch=2, size=20, factor=2)
    codes, y, _ = stored(codec, raw(50, 3, 8, 8))
    back = {x.name: restore_leaf(x, store_leaf(x, codes[x.name], storage), storage) for x in codec.leaves()}
    assert torch.equal(back["indices"], codes["indices"])  # pyright: ignore[reportArgumentType]
    assert float((decode(codec, codes, y) - decode(codec, back, y)).abs().max()) < error


@pytest.mark.parametrize("factor", [1, 2])
def test_a_step_on_an_entry_of_mean_use_moves_signals_as_far_as_a_pixels(factor: int) -> None:
    item_bytes, m = 16 // factor**2, 64
    codec = vq((1, 16, 16), patch=4, size=256, factor=factor, cap_bytes=4 * 256 * 16 + m * item_bytes)
    codes, y, _ = stored(codec, raw(m, 1, 16, 16), m)
    entries, t = codes["codebook"], 16 // factor**2
    assert isinstance(entries, torch.Tensor)
    # every entry as often as every other, at every place
    codes["indices"] = torch.arange(m * t).remainder(256).to(torch.uint8).reshape(m, t)
    scale = codec.leaves()[0].lr_scale
    assert scale == 1 / (m * t / 256 * factor**2)
    moved = []
    for unit in torch.eye(16):
        step = torch.zeros_like(entries).unflatten(1, (256, 16))
        step[0, :] = unit
        moved.append(
            (decode(codec, codes | {"codebook": entries + step.flatten(1)}, y) - decode(codec, codes, y)).flatten()
        )
    norm = np.linalg.norm(torch.stack(moved).numpy(), 2) ** 2 / 256
    assert 0.9 < scale * norm < 1.1


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(SpecError, match="'pcaq'"):
        vq((12,))
    codec = vq((1, 8, 8), patch=8, size=50)
    with pytest.raises(SpecError, match="49 patches"):
        codec.fit(source(codec, raw(49, 1, 8, 8)), torch.Generator())


def test_an_index_beyond_the_codebook_is_refused() -> None:
    codec = vq((1, 8, 8), patch=4, size=5)
    codes, y, _ = stored(codec, raw(20, 1, 8, 8))
    with pytest.raises(ArtifactError, match="below 5"):
        decode(codec, codes | {"indices": torch.full_like(codes["indices"], 255)}, y)  # pyright: ignore[reportArgumentType]


def test_there_is_no_code_space() -> None:
    assert "no code space" in " ".join(pair_faults(small_cell("vq", space="code", codec_args={"patch": 2, "size": 16})))


def test_cells_pick_items_or_learn_the_codebook(tmp_path: Path) -> None:
    """DM leaves the indices and moves the codebook; what is decoded still has no patch beside the codebook's."""
    given: dict[str, Any] = {"ipc": 2, "epochs": 1, "storage": "float16", "codec_args": {"patch": 2, "size": 16}}
    cells = [small_cell("vq", "random", **given), small_cell("vq", "dm", lr=10.0, **given)]
    folder = small_folder(tmp_path / "run", cells)
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), lambda event: None)
    for cell in cells:
        result = folder.result(cell.key)
        assert result is not None
        assert result.status == "ok", result.error
        assert result.bytes is not None
        assert result.bytes.items == ((5120 - 128) // 80,) * 10
    picked, learned = (load(folder.cell_dir(cell.key)) for cell in cells)
    books = [torch.as_tensor(stored.codes["codebook"]) for stored in (picked, learned)]
    assert torch.equal(picked.codes["indices"], learned.codes["indices"])  # pyright: ignore[reportArgumentType]
    assert float((books[0] - books[1]).abs().max()) > 1e-2
    assert len(to_patches(learned.decode()[0], 2).flatten(0, 1).unique(dim=0)) <= 16
