"""The ZCA codec against a float64 transform written out, and what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from codec_helpers import decode, source, target
from ddbench_codecs.zca import Zca, ZcaConfig

from ddbench.budget import slots
from ddbench.cost import cost_of
from ddbench.errors import BudgetError, SpecError
from ddbench.interfaces.codec import Codes

SHAPES = [(1, 5, 4), (3, 4, 3), (2, 6), (7,)]


def zca(*shape: int, **args: Any) -> Zca:
    return Zca(ZcaConfig(**args), target(*shape))


def pictures(n: int, *shape: int) -> torch.Tensor:
    """Raw signals in [0, 1] whose values depend on each other."""
    draw = np.random.default_rng(1)
    d = int(np.prod(shape))
    values = draw.normal(size=(n, d)) @ (draw.normal(size=(d, d)) / np.sqrt(d)) * 0.3 + 0.5
    return torch.tensor(values.clip(0, 1).reshape(n, *shape), dtype=torch.float32)


def by_hand(raw: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(mean [d], whitening [d, d], its inverse) of raw rows, float64, element by element."""
    n, d = raw.shape
    mean = np.array([sum(raw[:, j]) / n for j in range(d)])
    covariance = np.zeros((d, d))
    for i in range(d):
        for j in range(d):
            covariance[i, j] = sum((raw[a, i] - mean[i]) * (raw[a, j] - mean[j]) for a in range(n)) / (n - 1)
    values, vectors = np.linalg.eigh(covariance)
    whitening, inverse = np.zeros((d, d)), np.zeros((d, d))
    for k in range(d):
        outer = np.outer(vectors[:, k], vectors[:, k])
        whitening += outer / np.sqrt(values[k] + eps)
        inverse += outer * np.sqrt(values[k] + eps)
    return mean, whitening, inverse


@pytest.mark.parametrize("eps", [0.1, 1e-5])
@pytest.mark.parametrize("shape", SHAPES)
def test_codes_and_signals_are_those_of_the_definition(shape: tuple[int, ...], eps: float) -> None:
    codec, raw = zca(*shape, eps=eps), pictures(40, *shape)
    x, y = codec.target.signal.normalise(raw), torch.zeros(40, dtype=torch.int64)
    shared = codec.fit(source(codec, raw), torch.Generator())
    z = codec.encode(x, y, shared)["z"]
    flat = raw.flatten(1).double().numpy()
    mean, whitening, inverse = by_hand(flat, eps)
    assert tuple(z.shape) == (40, *shape)  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(z.flatten(1), (flat - mean) @ whitening, rtol=1e-4, atol=2e-4)  # pyright: ignore[reportAttributeAccessIssue]
    other = torch.randn(40, *shape, generator=torch.Generator().manual_seed(2))
    expected = codec.target.signal.normalise(
        torch.tensor((other.flatten(1).double().numpy() @ inverse + mean).reshape(-1, *shape))
    )
    torch.testing.assert_close(decode(codec, shared | {"z": other}, y), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(decode(codec, shared | {"z": z}, y), x, rtol=1e-4, atol=1e-4)


def test_whitened_training_signals_are_white() -> None:
    """Without ε to speak of, and with more signals than values, their covariance is the identity."""
    codec, raw = zca(1, 5, 4, eps=1e-9), pictures(200, 1, 5, 4)
    shared = codec.fit(source(codec, raw), torch.Generator())
    z = codec.encode(codec.target.signal.normalise(raw), torch.zeros(200, dtype=torch.int64), shared)["z"]
    np.testing.assert_allclose(np.cov(z.flatten(1).double().numpy().T), np.eye(20), atol=1e-3)  # pyright: ignore[reportAttributeAccessIssue]


def test_signals_come_back_where_fewer_signals_than_values_leave_variances_zero() -> None:
    codec, raw = zca(3, 6, 6), pictures(10, 3, 6, 6)
    x, y = codec.target.signal.normalise(raw), torch.zeros(10, dtype=torch.int64)
    shared = codec.fit(source(codec, raw), torch.Generator())
    assert float(shared["scale"].min()) == pytest.approx(0.1**0.5, rel=1e-5)  # pyright: ignore[reportAttributeAccessIssue]
    assert torch.allclose(decode(codec, shared | codec.encode(x, y, shared), y), x, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_moves_the_signal_no_further_than_a_pixels(shape: tuple[int, ...]) -> None:
    codec, raw = zca(*shape), pictures(60, *shape)
    x = codec.target.signal.normalise(raw).flatten(1)
    spread = codec.target.signal.normalise(pictures(60, *shape)).std()
    assert float(spread) > 0.5, "the card's constants are about those of the data"
    shared: Codes = codec.fit(source(codec, raw), torch.Generator())
    d, y = x.shape[1], torch.zeros(1, dtype=torch.int64)
    zero = decode(codec, shared | {"z": torch.zeros(1, *shape)}, y).flatten()
    units = torch.eye(d).reshape(d, 1, *shape)
    J = torch.stack([decode(codec, shared | {"z": unit}, y).flatten() - zero for unit in units], 1).double()
    gain = float(torch.linalg.matrix_norm(J @ J.T, 2))
    assert 1 / d < codec.leaves()[0].lr_scale * gain <= 1.5


def test_the_transform_is_charged_or_fitted_again() -> None:
    stored, refit = zca(1, 5, 4), zca(1, 5, 4, refit=True)
    assert [(x.name, x.scope, x.shape, x.learned) for x in stored.leaves()[1:]] == [
        ("basis", "set", (20, 20), False),
        ("scale", "set", (20,), False),
        ("mean", "set", (20,), False),
    ]
    assert stored.refitted() == ()
    assert [x.name for x in refit.leaves()] == ["z"]
    assert refit.refitted() == stored.leaves()[1:]
    assert cost_of(stored.leaves(), "float32").per_set == 4 * (400 + 40)


def test_a_small_budget_names_what_the_transform_takes() -> None:
    codec = zca(1, 28, 28)
    with pytest.raises(BudgetError, match=r"holds no item: .* 2464896 for the set") as error:
        slots(cost_of(codec.leaves(), "float32"), 10, 10 * 784 * 4)
    enough = int(str(error.value).split("Give at least ")[1].split()[0])
    assert slots(cost_of(codec.leaves(), "float32"), 10, 10 * enough) == 1
    with pytest.raises(BudgetError):
        slots(cost_of(codec.leaves(), "float32"), 10, 10 * (enough - 1))
    assert slots(cost_of(zca(1, 28, 28, refit=True).leaves(), "float32"), 10, 10 * 784 * 4) == 1


def test_signals_whose_covariance_cannot_be_held_are_refused() -> None:
    with pytest.raises(SpecError, match="d = 12288"):
        zca(3, 64, 64)
    codec = zca(7)
    with pytest.raises(SpecError, match="two training signals"):
        codec.fit(source(codec, pictures(1, 7)), torch.Generator())
