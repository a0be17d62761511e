"""The PCA codec against NumPy's singular value decomposition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from codec_helpers import decode, raw, source, target
from ddbench_codecs import components
from ddbench_codecs.pca import Pca, PcaConfig

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Codes

GENERATOR = torch.Generator()


def pca(k: int, *shape: int) -> Pca:
    return Pca(PcaConfig(components=k), target(*shape))


def structured(n: int, *shape: int, rank: int = 5, noise: float = 0.01) -> torch.Tensor:
    """Signals near a low-dimensional subspace whose directions differ clearly in variance."""
    draw = np.random.default_rng(3)
    d = int(np.prod(shape))
    weights = draw.normal(size=(n, rank)) * 2.0 ** -np.arange(rank)
    values = weights @ draw.normal(size=(rank, d)) + 3.0 + noise * draw.normal(size=(n, d))
    return torch.tensor(values.reshape(n, *shape), dtype=torch.float32)


def by_svd(rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    mean = rows.mean(0)
    basis = np.linalg.svd(rows - mean, full_matrices=False)[2][:k]
    signs = [np.sign(v[np.argmax(np.abs(v))]) for v in basis]
    return mean, basis * np.array(signs)[:, None]


def fitted(codec: Pca, signals: torch.Tensor) -> Codes:
    return codec.fit(source(codec, signals), GENERATOR)


@pytest.mark.parametrize("shape", [(1, 6, 5), (2, 9), (11,)])
def test_basis_mean_codes_and_signals(shape: tuple[int, ...]) -> None:
    codec, signals = pca(4, *shape), structured(60, *shape)
    x = codec.target.signal.normalise(signals)
    shared = fitted(codec, signals)
    mean, basis = by_svd(x.flatten(1).double().numpy(), 4)
    np.testing.assert_allclose(shared["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(shared["basis"], basis, atol=1e-4)
    y = torch.zeros(len(x), dtype=torch.int64)
    codes = shared | codec.encode(x, y, shared)
    expected = (x.flatten(1).double().numpy() - mean) @ basis.T
    np.testing.assert_allclose(codes["z"], expected, atol=2e-2)
    slow = mean + codes["z"].double().numpy() @ basis  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(decode(codec, codes, y).flatten(1), slow, atol=2e-2)


def test_all_components_give_the_signal_back() -> None:
    codec, signals = pca(12, 12), raw(40, 12)
    x, y = codec.target.signal.normalise(signals), torch.zeros(40, dtype=torch.int64)
    shared = fitted(codec, signals)
    assert torch.allclose(decode(codec, shared | codec.encode(x, y, shared), y), x, atol=1e-4)


def test_the_basis_is_orthonormal_with_its_largest_entries_positive() -> None:
    basis = fitted(pca(5, 1, 6, 5), structured(60, 1, 6, 5))["basis"]
    assert isinstance(basis, torch.Tensor)
    assert torch.allclose(basis @ basis.T, torch.eye(5), atol=1e-5)
    assert bool((basis.gather(1, basis.abs().argmax(1, keepdim=True)) > 0).all())


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, signals = pca(4, 1, 6, 5), structured(60, 1, 6, 5)
    whole = fitted(codec, signals)
    monkeypatch.setattr(components, "BATCH", 7)
    for name, value in fitted(codec, signals).items():
        np.testing.assert_allclose(value, whole[name], atol=1e-5)


def test_wide_signals_are_fitted_incrementally_and_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, signals = pca(4, 1, 6, 5), structured(62, 1, 6, 5)
    mean, basis = by_svd(codec.target.signal.normalise(signals).flatten(1).double().numpy(), 4)
    monkeypatch.setattr(components, "MOST_EXACT", 8)
    monkeypatch.setattr(components, "BATCH", 20)
    shared = fitted(codec, signals)
    np.testing.assert_allclose(shared["mean"], mean, rtol=1e-4)
    np.testing.assert_allclose(shared["basis"], basis, atol=0.02)


def test_no_batch_is_smaller_than_the_components(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "BATCH", 20)
    codec = pca(4, 1, 6, 5)
    batches = list(components.rows(source(codec, raw(62, 1, 6, 5)), 4))
    assert [len(b) for b in batches] == [20, 20, 22]
    x = codec.target.signal.normalise(raw(62, 1, 6, 5)).flatten(1)
    np.testing.assert_array_equal(np.concatenate(batches), x.double().numpy())


def test_too_many_components_are_refused() -> None:
    with pytest.raises(SpecError, match="12 values"):
        pca(13, 12)
    with pytest.raises(SpecError, match="at most 4"):
        fitted(pca(5, 12), raw(5, 12))


def test_basis_and_mean_are_payload_and_not_learned() -> None:
    shared = [leaf for leaf in pca(3, 12).leaves() if leaf.scope == "set"]
    assert [(x.name, x.shape, x.learned, x.side) for x in shared] == [
        ("basis", (3, 12), False, False),
        ("mean", (12,), False, False),
    ]


def interpolated(codec: Pca, values: np.ndarray) -> np.ndarray:
    """Signals from samples at the reduced resolution, by PyTorch's bilinear interpolation."""
    samples = torch.from_numpy(values).unflatten(1, (codec.target.signal.channels, *codec.tile))
    up = torch.nn.functional.interpolate(samples, codec.target.signal.extent, mode="bilinear", align_corners=False)
    return up.flatten(1).numpy()


@pytest.mark.parametrize(("shape", "factor"), [((1, 8, 8), 2), ((2, 7, 9), 3)])
def test_with_a_factor_it_is_the_pca_of_what_interpolation_can_give(shape: tuple[int, ...], factor: int) -> None:
    codec = Pca(PcaConfig(components=3, factor=factor), target(*shape))
    signals = structured(60, *shape)
    x = codec.target.signal.normalise(signals).flatten(1).double().numpy()
    span, _ = np.linalg.qr(interpolated(codec, np.eye(codec.d)).T)
    mean, basis = by_svd(x @ span @ span.T, 3)
    expected = mean + (x - mean) @ basis.T @ basis
    shared = fitted(codec, signals)
    y = torch.zeros(len(x), dtype=torch.int64)
    codes = shared | codec.encode(torch.from_numpy(x).float().unflatten(1, shape), y, shared)
    np.testing.assert_allclose(decode(codec, codes, y).flatten(1), expected, atol=2e-2)
    z = torch.eye(3)
    steps = decode(codec, shared | {"z": z}, y[:3]) - decode(codec, shared | {"z": 0 * z}, y[:3])
    np.testing.assert_allclose(steps.flatten(1) @ steps.flatten(1).T, np.eye(3), atol=1e-4)


def test_a_factor_needs_an_axis() -> None:
    with pytest.raises(SpecError, match="Leave the factor out"):
        Pca(PcaConfig(components=2, factor=2), target(12))
    with pytest.raises(SpecError, match="have 9 values"):
        Pca(PcaConfig(components=10, factor=2), target(1, 6, 5))


def test_a_learned_basis_is_solved_for_in_encode() -> None:
    codec = Pca(PcaConfig(components=4, learn="both"), target(1, 6, 5))
    signals = structured(60, 1, 6, 5)
    x, y = codec.target.signal.normalise(signals), torch.zeros(60, dtype=torch.int64)
    shared = fitted(codec, signals)
    shared["basis"] = torch.randn(4, 30, generator=torch.Generator().manual_seed(1))
    found = codec.encode(x, y, shared)["z"]
    flat = (x.flatten(1) - shared["mean"]).double().numpy()
    slow = np.linalg.lstsq(shared["basis"].double().numpy().T, flat.T, rcond=None)[0].T
    np.testing.assert_allclose(found, slow, rtol=1e-3, atol=1e-3)


def test_rates_of_a_learned_basis_are_bounds_of_what_a_step_moves() -> None:
    """Against the Jacobian of all items' signals in the basis and in the mean, built by autograd."""
    codec = Pca(PcaConfig(components=3, learn="both"), target(1, 6, 5, cap_bytes=600))
    scales = {leaf.name: (leaf.learned, leaf.lr_scale) for leaf in codec.leaves()}
    m = (600 - 4 * 4 * 30) // (2 * 4 * 3) * 2
    assert m == 10
    assert scales == {"z": (True, 1.0), "basis": (True, 1 / (m * 30)), "mean": (True, 1 / m)}
    signals = torch.randn(m, 1, 6, 5, generator=torch.Generator().manual_seed(0))
    signals = codec.target.signal.denormalise(signals)
    x, y = codec.target.signal.normalise(signals), torch.zeros(m, dtype=torch.int64)
    shared = fitted(codec, signals)
    codes = shared | codec.encode(x, y, shared)
    for name in ("basis", "mean"):
        jacobian = torch.autograd.functional.jacobian(
            lambda leaf, name=name: decode(codec, codes | {name: leaf}, y).flatten(), codes[name]
        )
        assert isinstance(jacobian, torch.Tensor)
        norm = float(torch.linalg.matrix_norm(jacobian.flatten(1), 2)) ** 2
        assert norm * scales[name][1] <= 1 + 1e-4
        assert name == "basis" or norm * scales[name][1] == pytest.approx(1, rel=1e-3)
