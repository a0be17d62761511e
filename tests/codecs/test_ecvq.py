"""The entropy-constrained codec: what it chooses, what it writes, and how a budget is filled with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from codec_helpers import decode, raw, source, target
from ddbench_codecs.ecvq import Ecvq, EcvqConfig
from ddbench_codecs.patches import to_patches
from small_cells import small_cell, small_folder

from ddbench import artifact
from ddbench.budget import pack_jointly
from ddbench.engines.inline import Inline
from ddbench.errors import ArtifactError, BudgetError, SpecError
from ddbench.interfaces.engine import Job
from ddbench.planning.pairs import pair_faults


def ecvq(shape: tuple[int, ...], storage: Any = "float32", **args: Any) -> Ecvq:
    return Ecvq(EcvqConfig(**args), target(*shape, storage=storage))


def ready(codec: Ecvq, n: int = 40) -> tuple[torch.Tensor, torch.Tensor, dict]:
    """(normalised signals, their labels, class by class, the codebook)."""
    signals = raw(n, *codec.target.signal.shape)
    shared = codec.fit(source(codec, signals), torch.Generator().manual_seed(0))
    return codec.target.signal.normalise(signals), torch.arange(2).repeat_interleave(n // 2), shared


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 6), (2, 30)])
def test_without_a_price_every_patch_takes_its_nearest_entry(shape: tuple[int, ...]) -> None:
    codec = ecvq(shape, size=9, rate_weight=0)
    x, y, shared = ready(codec)
    indices = codec.encode(x, y, shared)["indices"]
    entries = np.asarray(shared["codebook"], dtype=np.float64).reshape(9, -1)
    patches = to_patches(x, 4).double().numpy()
    wanted = np.square(patches[:, :, None] - entries).sum(-1).argmin(-1)
    assert indices.tolist() == wanted.tolist()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_price_of_bits_trades_error_for_bytes() -> None:
    sizes, errors = [], []
    for weight in (0.0, 0.3, 3.0):
        codec = ecvq((1, 8, 8), size=32, rate_weight=weight)
        x, y, shared = ready(codec, 400)
        codes = codec.encode(x, y, shared)
        sizes.append(len(codec.coder.pack(codes["indices"], y)))  # pyright: ignore[reportArgumentType]
        errors.append(float((decode(codec, shared | codes, y) - x).square().sum()))
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)
    assert sizes[0] > sizes[-1]


def test_an_index_beyond_the_codebook_and_signals_without_an_axis_are_refused() -> None:
    codec = ecvq((1, 8, 8), size=9)
    x, y, shared = ready(codec)
    codes = codec.encode(x, y, shared)
    with pytest.raises(ArtifactError, match="below 9"):
        decode(codec, shared | {"indices": torch.full_like(codes["indices"], 9)}, y)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpecError, match="pcaq"):
        ecvq((12,))
    few = ecvq((1, 8, 8), size=256)
    with pytest.raises(SpecError, match="entries"):
        few.fit(source(few, raw(3, 1, 8, 8)), torch.Generator())


@pytest.mark.parametrize("storage", ["float32", "uint8"])
def test_a_cell_fills_its_budget_and_its_set_reads_back(tmp_path: Path, storage: str) -> None:
    cell = small_cell("ecvq", "random", storage=storage, ipc=0.6, codec_args={"patch": 2, "size": 16})
    folder = small_folder(tmp_path / "runs", [cell])
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), lambda event: None)
    result = folder.result(cell.key)
    assert result is not None
    assert result.status == "ok", result.error
    assert result.bytes is not None
    used, allowed = result.bytes.used, result.bytes.allowed
    assert allowed is not None
    assert used <= allowed
    assert set(result.bytes.parts) >= {"item/indices.stream", "set/codebook"}
    stored = artifact.load(folder.cell_dir(cell.key))
    assert stored.used_bytes == used
    x, y = stored.decode()
    assert len(x) == len(y) == sum(result.bytes.items)
    one_more = used * (1 + 1 / min(result.bytes.items))
    assert one_more > allowed, "the budget would hold more"


def test_learning_is_refused_while_it_is_planned() -> None:
    faults = " ".join(pair_faults(small_cell("ecvq", "dm", codec_args={"patch": 2, "size": 16})))
    assert "gradient, which does not pass through the codec" in faults


def test_packing_together_finds_the_most_that_fit() -> None:
    for cap in (350, 1000, 31_360):
        n = pack_jointly(lambda n: int(300 + 10 * n**0.97), 6000, cap)
        assert 300 + 10 * n**0.97 < cap + 1 <= 300 + 10 * (n + 1) ** 0.97 + 1
    assert pack_jointly(lambda n: 300 + n, 50, 1000) == 50
    with pytest.raises(BudgetError, match="holds no item"):
        pack_jointly(lambda n: 300 + n, 50, 200)
