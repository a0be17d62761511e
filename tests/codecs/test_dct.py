"""The frequency codec against SciPy, one class and one item at a time."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import scipy.fft
import torch
from codec_helpers import decode, raw, target
from ddbench_codecs.dct import Dct, DctConfig
from hypothesis import given
from hypothesis import strategies as st

from ddbench.budget import fits, slots
from ddbench.cost import cost_of
from ddbench.errors import ArtifactError, BudgetError, SpecError
from ddbench.interfaces.codec import Codes
from ddbench.leaf import Storage

GENERATOR = torch.Generator()
shapes = st.sampled_from([(1, 28, 28), (3, 9, 7), (2, 30), (1, 4, 4), (1, 3, 4, 5)])


def slow_masks(x: np.ndarray, y: list[int], n_classes: int, m: int) -> list[list[int]]:
    """Kept positions of each class, ascending."""
    kept = []
    for k in range(n_classes):
        spectra = [
            scipy.fft.dctn(x[i].astype(np.float64), axes=range(1, x[i].ndim), norm="ortho").mean(0).ravel()
            for i in range(len(y))
            if y[i] == k
        ]
        score = spectra[0] ** 2 if len(spectra) == 1 else np.var(spectra, axis=0)
        kept.append(sorted(np.argsort(-score, kind="stable")[:m].tolist()))
    return kept


def dct(m: int, *shape: int, n_classes: int = 2, mask: Literal["class", "set"] = "class") -> Dct:
    """The codec at a budget of exactly ten items a class and the masks, so that m stays as asked."""
    bytes_per_class = 10 * 4 * m * shape[0] + -(-int(np.prod(shape[1:])) // 8)
    codec = Dct(DctConfig(m=m, mask=mask), target(*shape, n_classes=n_classes, cap_bytes=n_classes * bytes_per_class))
    assert codec.m == m
    return codec


def stored(codec: Dct, x: torch.Tensor, y: torch.Tensor) -> Codes:
    shared = codec.begin(x, y, GENERATOR)
    return shared | codec.encode(x, y, shared)


@pytest.mark.parametrize("shape", [(3, 9, 7), (2, 30), (1, 8, 8)])
@pytest.mark.parametrize("y", [[0, 0, 0, 1, 1, 1], [1, 0, 1, 2, 0, 1]])
@pytest.mark.parametrize("mask", ["class", "set"])
def test_masks_coefficients_and_signals(shape: tuple[int, ...], y: list[int], mask: Literal["class", "set"]) -> None:
    n_classes, m = max(y) + 1, 11
    codec = dct(m, *shape, n_classes=n_classes, mask=mask)
    x, labels = raw(len(y), *shape), torch.tensor(y)
    codes = stored(codec, x, labels)
    if mask == "class":
        masks = slow_masks(x.numpy(), y, n_classes, m)
    else:
        masks = slow_masks(x.numpy(), [0] * len(y), 1, m) * n_classes
    found = decode(codec, codes, labels)
    for i, k in enumerate(y):
        spectrum = scipy.fft.dctn(x[i].double().numpy(), axes=range(1, x[i].dim()), norm="ortho")
        flat = spectrum.reshape(shape[0], -1)
        np.testing.assert_allclose(codes["coefficients"][i], flat[:, masks[k]], atol=1e-5)
        only = np.zeros_like(flat)
        only[:, masks[k]] = flat[:, masks[k]]
        expected = scipy.fft.idctn(only.reshape(spectrum.shape), axes=range(1, x[i].dim()), norm="ortho")
        np.testing.assert_allclose(found[i], expected, atol=1e-5)


def test_one_mask_for_all_says_nothing_of_labels_and_is_paid_for_once() -> None:
    x, y = raw(6, 1, 8, 8), torch.tensor([0, 0, 1, 1, 2, 2])
    codec = dct(9, 1, 8, 8, n_classes=3, mask="set")
    codes = stored(codec, x, y)
    signals = decode(codec, codes, y)
    for other in (y.flip(0), torch.zeros_like(y)):
        again = stored(codec, x, other)
        assert all(torch.equal(torch.as_tensor(again[n]), torch.as_tensor(codes[n])) for n in codes)
        assert torch.equal(decode(codec, codes, other), signals)
    cost = cost_of(codec.leaves(), "float32")
    assert cost.total(6, 3) == 6 * 9 * 4 + 8


def test_one_item_keeps_its_largest_coefficients() -> None:
    codec = dct(10, 1, 12, 12, n_classes=1)
    x, y = raw(1, 1, 12, 12), torch.zeros(1, dtype=torch.int64)
    back = decode(codec, stored(codec, x, y), y)
    lost = np.sort(np.abs(scipy.fft.dctn(x[0, 0].double().numpy(), norm="ortho")).ravel())[:-10]
    np.testing.assert_allclose(float(((x - back) ** 2).sum()), (lost**2).sum(), rtol=1e-4)


def test_all_frequencies_give_the_signal_back() -> None:
    codec = dct(63, 3, 9, 7)
    x, y = raw(4, 3, 9, 7), torch.tensor([0, 0, 1, 1])
    assert torch.allclose(decode(codec, stored(codec, x, y), y), x, atol=1e-5)


def test_a_class_without_items_keeps_the_first_frequencies() -> None:
    codec = dct(3, 1, 4, 4)
    mask = codec.begin(raw(2, 1, 4, 4), torch.zeros(2, dtype=torch.int64), GENERATOR)["mask"]
    assert isinstance(mask, torch.Tensor)
    assert mask[1].tolist() == [0b11100000, 0]


@given(
    shapes,
    st.integers(1, 16),
    st.integers(1, 6),
    st.integers(8, 6000),
    st.sampled_from(["float32", "float16", "uint8"]),
    st.sampled_from(["class", "set"]),
)
def test_m_is_the_largest_that_pays_for_masks(
    shape: tuple[int, ...],
    m: int,
    n_classes: int,
    bytes_per_class: int,
    storage: Storage,
    mask: Literal["class", "set"],
) -> None:
    cap = bytes_per_class * n_classes
    where = target(*shape, n_classes=n_classes, cap_bytes=cap, storage=storage)
    codec = Dct(DctConfig(m=m, mask=mask), where)
    size, mask_bytes = {"float32": 4, "float16": 2, "uint8": 1}[storage], -(-int(np.prod(shape[1:])) // 8)
    ranges, masks = 8 if storage == "uint8" else 0, n_classes if mask == "class" else 1

    def spent(n: int, kept: int) -> int:
        return n_classes * n * (shape[0] * kept * size + ranges) + masks * mask_bytes

    free = 1
    while spent(free + 1, m) - masks * mask_bytes <= cap:
        free += 1
    if spent(free, 1) > cap:
        return
    assert codec.m <= m
    assert spent(free, codec.m) <= cap
    assert codec.m == m or spent(free, codec.m + 1) > cap
    cost = cost_of(codec.leaves(), storage)
    n = slots(cost, n_classes, cap)
    assert n >= free
    assert fits(cost, n * n_classes, n_classes, cap)


def test_fashion_mnist_at_one_image_a_class() -> None:
    """An eighth of 784 frequencies is 98; 94 leave room for the mask of 98 bytes."""
    codec = Dct(None, target(1, 28, 28, n_classes=10, cap_bytes=31360))
    assert codec.m == 94
    assert slots(cost_of(codec.leaves(), "float32"), 10, 31360) == 8


def test_a_budget_below_one_coefficient_is_left_to_the_budget() -> None:
    codec = Dct(DctConfig(m=4), target(1, 28, 28, cap_bytes=100))
    assert codec.m == 4
    with pytest.raises(BudgetError):
        slots(cost_of(codec.leaves(), "float32"), 2, 100)


def test_a_mask_of_another_size_is_refused() -> None:
    codec = dct(4, 1, 4, 4)
    y = torch.tensor([0, 1])
    codes = stored(codec, raw(2, 1, 4, 4), y) | {"mask": torch.zeros(2, 2, dtype=torch.uint8)}
    with pytest.raises(ArtifactError, match="keep 4 of 16"):
        decode(codec, codes, y)


@pytest.mark.parametrize(("m", "shape", "named"), [(3, (12,), "none"), (17, (1, 4, 4), "m = 17")])
def test_what_cannot_be_transformed_is_refused(m: int, shape: tuple[int, ...], named: str) -> None:
    with pytest.raises(SpecError, match=named):
        Dct(DctConfig(m=m), target(*shape))
