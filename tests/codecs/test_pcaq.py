"""The quantised PCA codec against a slow one: SciPy's DCT, NumPy's SVD, Max's table, one bit at a time."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.fft
import torch
from codec_helpers import decode, raw, source, target
from ddbench_codecs import gaussian
from ddbench_codecs.bits import pack_numbers, unpack_numbers
from ddbench_codecs.pcaq import Pcaq, PcaqConfig
from hypothesis import given
from hypothesis import strategies as st
from small_cells import small_cell, small_folder

from ddbench.artifact import load
from ddbench.artifact.rounding import restore_leaf, store_leaf
from ddbench.engines.inline import Inline
from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Codes
from ddbench.interfaces.engine import Job

GENERATOR = torch.Generator()


def pcaq(k: int, bits: int, factor: int, *shape: int, **options: Any) -> Pcaq:
    return Pcaq(PcaqConfig(components=k, bits=bits, factor=factor), target(*shape, **options))


def smooth(n: int, *shape: int) -> torch.Tensor:
    """Signals of a few directions of clearly different variance."""
    draw = np.random.default_rng(1)
    directions = np.cumsum(draw.normal(size=(6, *shape)), axis=-1)
    weights = draw.normal(size=(n, 6)) * 2.0 ** -np.arange(6)
    return torch.tensor(np.tensordot(weights, directions, 1), dtype=torch.float32)


def stored(codec: Pcaq, signals: torch.Tensor, n: int) -> tuple[Codes, torch.Tensor, torch.Tensor]:
    """(all leaves of the first n signals, their labels, the normalised signals)."""
    x, y = codec.target.signal.normalise(signals[:n]), torch.zeros(n, dtype=torch.int64)
    shared = codec.fit(source(codec, signals), GENERATOR)
    return shared | codec.encode(x, y, shared), y, x


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(1, 5), st.integers(0, 2), st.randoms())
def test_numbers_are_packed_one_bit_after_the_other(widths: list[int], m: int, spare: int, draw: Any) -> None:
    values = [[draw.randrange(2**w) for w in widths] for _ in range(m)]
    size = -(-sum(widths) // 8) + spare
    packed = pack_numbers(torch.tensor(values), widths, size)
    for row, found in zip(values, packed.tolist()):
        bits = "".join(f"{v:0{w}b}" for v, w in zip(row, widths) if w).ljust(8 * size, "0")
        assert found == [int(bits[i : i + 8], 2) for i in range(0, 8 * size, 8)]
    assert unpack_numbers(packed, widths).tolist() == values


def test_levels_are_those_of_maxs_table() -> None:
    """Max 1960, table I: 2, 4, 8 and 16 levels."""
    np.testing.assert_allclose(gaussian.levels(1), [-0.7980, 0.7980], atol=5e-4)
    np.testing.assert_allclose(gaussian.levels(2)[2:], [0.4528, 1.510], atol=5e-4)
    np.testing.assert_allclose(gaussian.levels(3)[4:], [0.2451, 0.7560, 1.344, 2.152], atol=5e-4)
    for bits, error in enumerate([1, 0.3634, 0.1175, 0.03454, 0.009497, 0.002499]):
        assert gaussian.distortion(bits) == pytest.approx(error, rel=3e-3)
    assert gaussian.levels(0).tolist() == [0]
    assert gaussian.distortion(8) < gaussian.distortion(7) / 3.8


def test_distortion_is_the_error_of_the_nearest_level() -> None:
    draw = np.random.default_rng(0).normal(size=200_000)
    nearest = gaussian.levels(3)[np.abs(draw[:, None] - gaussian.levels(3)).argmin(1)]
    assert np.mean((draw - nearest) ** 2) == pytest.approx(gaussian.distortion(3), rel=0.02)


@pytest.mark.parametrize("total", [0, 1, 5, 9, 40])
def test_no_allocation_has_less_error(total: int) -> None:
    variances = np.array([4.0, 1.0, 0.3, 0.0])
    left = [gaussian.distortion(b) for b in range(9)]
    tried = [a for a in product(range(9), repeat=3) if sum(a) <= total]
    least = min(sum(v * left[b] for v, b in zip(variances, a)) for a in tried)
    found = gaussian.allocate(variances, total)
    assert sum(v * left[b] for v, b in zip(variances, found)) == pytest.approx(least)
    assert found.sum() == min(total, 24)
    assert found[3] == 0


@pytest.mark.parametrize(("shape", "factor"), [((1, 8, 7), 2), ((2, 12), 3), ((9,), 2)])
def test_codes_and_signals(shape: tuple[int, ...], factor: int) -> None:
    codec, signals = pcaq(5, 19, factor, *shape), smooth(200, *shape)
    codes, y, _ = stored(codec, signals, 7)
    every = codec.target.signal.normalise(signals).double().numpy()
    axes = tuple(range(2, every.ndim))
    cut = (slice(None), slice(None), *(slice(0, -(-s // factor)) for s in shape[1:]))
    spectrum = np.asarray(scipy.fft.dctn(every, axes=axes, norm="ortho")) if axes else every
    low = spectrum[cut].reshape(200, -1)
    mean = low.mean(0)
    _, lengths, vectors = np.linalg.svd(low - mean, full_matrices=False)
    deviation = lengths[:5] / np.sqrt(200)
    widths = codes["widths"].tolist()  # pyright: ignore[reportAttributeAccessIssue]
    assert widths == gaussian.allocate(deviation**2, 19).tolist()
    assert sum(widths) == 19
    found = decode(codec, codes, y)
    for i in range(7):
        rebuilt = mean.copy()
        for j in range(5):
            levels = gaussian.levels(widths[j])
            z = (low[i] - mean) @ vectors[j] / deviation[j]
            rebuilt += levels[np.abs(levels - z).argmin()] * deviation[j] * vectors[j]
        whole = np.zeros_like(spectrum[i])
        whole[cut[1:]] = rebuilt.reshape(spectrum[cut].shape[1:])
        expected = scipy.fft.idctn(whole, axes=tuple(a - 1 for a in axes), norm="ortho") if axes else whole
        # a coordinate on the edge of two cells may fall into either: none does here
        np.testing.assert_allclose(found[i], np.asarray(expected), atol=1e-3)
    assert codes["code"].shape == (7, 3)  # pyright: ignore[reportAttributeAccessIssue]


def test_more_bits_bring_signals_closer() -> None:
    signals = smooth(100, 1, 8, 8)
    errors = []
    for bits in (4, 12, 24, 40):
        codec = pcaq(6, bits, 1, 1, 8, 8)
        codes, y, x = stored(codec, signals, 50)
        errors.append(float((decode(codec, codes, y) - x).square().mean()))
    assert all(later < earlier / 2 for earlier, later in pairwise(errors))


def test_a_component_that_never_changes_gets_no_bits() -> None:
    codec, signals = pcaq(4, 16, 1, 6), torch.zeros(30, 6)
    signals[:, 2] = torch.linspace(-1, 1, 30)
    codes, y, x = stored(codec, signals, 30)
    assert codes["widths"].tolist()[1:] == [0, 0, 0]  # pyright: ignore[reportAttributeAccessIssue]
    torch.testing.assert_close(decode(codec, codes, y), x, atol=0.05, rtol=0)


@pytest.mark.parametrize(("storage", "error"), [("float32", 1e-6), ("float16", 2e-3), ("uint8", 3e-2)])
def test_codes_survive_storage_and_the_rest_is_rounded(storage: Any, error: float) -> None:
    codec = pcaq(5, 20, 2, 1, 8, 8, storage=storage)
    codes, y, _ = stored(codec, smooth(100, 1, 8, 8), 20)
    back = {
        leaf.name: restore_leaf(leaf, store_leaf(leaf, codes[leaf.name], storage), storage) for leaf in codec.leaves()
    }
    assert torch.equal(back["code"], codes["code"])  # pyright: ignore[reportArgumentType]
    whole, rounded = decode(codec, codes, y), decode(codec, back, y)
    assert float((whole - rounded).abs().max() / whole.std()) < error


def test_a_step_on_the_basis_moves_the_signals_as_far_as_a_pixels() -> None:
    """1/M is right where coordinates are uncorrelated with variance 1: a set of as many items as the budget holds."""
    m = 200
    codec = pcaq(4, 16, 1, 1, 6, 6, n_classes=1, cap_bytes=4 * 5 * 36 + 4 + 2 * m)
    codes, y, _ = stored(codec, smooth(m, 1, 6, 6), m)
    basis = codes["basis"]
    assert isinstance(basis, torch.Tensor)
    unit = torch.zeros_like(basis)
    columns = []
    for j in range(4):
        unit.zero_()[j, 0] = 1
        columns.append((decode(codec, codes | {"basis": basis + unit}, y) - decode(codec, codes, y)).flatten())
    norm = np.linalg.norm(torch.stack(columns).numpy(), 2) ** 2
    assert codec.leaves()[0].lr_scale == 1 / m
    assert 0.7 < codec.leaves()[0].lr_scale * norm < 1.3


@pytest.mark.parametrize(
    ("given", "named"), [({"k": 17, "factor": 2}, "17 components"), ({"k": 2, "bits": 17}, "up to 16 bits")]
)
def test_what_does_not_fit_is_refused(given: dict[str, int], named: str) -> None:
    with pytest.raises(SpecError, match=named):
        pcaq(given["k"], given.get("bits", 8), given.get("factor", 1), 1, 8, 8)
    few = pcaq(5, 8, 1, 1, 8, 8)
    with pytest.raises(SpecError, match="at most 4"):
        few.fit(source(few, raw(5, 1, 8, 8)), GENERATOR)


def test_widths_of_another_size_are_refused() -> None:
    codec = pcaq(4, 12, 1, 1, 6, 6)
    codes, y, _ = stored(codec, smooth(30, 1, 6, 6), 3)
    with pytest.raises(ArtifactError, match="share 12 bits"):
        decode(codec, codes | {"widths": torch.tensor([9, 1, 1, 1], dtype=torch.uint8)}, y)


@pytest.mark.parametrize("method", ["random", "herding", "dm"])
def test_cells_in_very_few_bytes(method: str, tmp_path: Path) -> None:
    """Digits at the bytes of one signal a class: 2,560 in all, the basis included."""
    args = {"components": 8, "bits": 24, "factor": 2}
    cell = small_cell("pcaq", method, ipc=1, storage="uint8", epochs=1, codec_args=args)
    folder = small_folder(tmp_path / "run", [cell])
    Inline().run(Job(folder.path, folder.keys(), device="cpu"), lambda event: None)
    result = folder.result(cell.key)
    assert result is not None
    assert result.status == "ok", result.error
    assert result.bytes is not None
    # 8 rows of 16 values and their ranges, the mean and its range, widths
    shared = 8 * (16 + 8) + 16 + 8 + 8
    fit = (2560 - shared) // 30
    # one more of each class, since without the ranges it would be within the cap
    assert result.bytes.items == (fit + 1,) * 10
    assert result.bytes.used == shared + 30 * (fit + 1)
    assert result.bytes.used - 9 * 8 <= 2560
    signals, _ = load(folder.cell_dir(cell.key)).decode()
    assert len(signals.unique(dim=0)) > 0.9 * len(signals)
