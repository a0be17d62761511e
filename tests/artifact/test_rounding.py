"""What storage does to values, against numpy's casts and bounds in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.artifact.rounding import from_levels, restore_leaf, store_leaf, to_levels
from ddbench.errors import ArtifactError
from ddbench.interfaces.codec import Ragged
from ddbench.leaf import Leaf


def values(*shape: int, scale: float = 1.0, seed: int = 0) -> torch.Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def there_and_back(leaf: Leaf, value: torch.Tensor, storage) -> torch.Tensor:
    back = restore_leaf(leaf, store_leaf(leaf, value, storage), storage)
    assert isinstance(back, torch.Tensor)
    return back


def nearest_bfloat16(x: np.ndarray) -> np.ndarray:
    """The upper 16 bits of each float32, rounded to nearest, ties to even."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16
    return rounded.astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("scope", ["item", "class", "set"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 300.0])
def test_float_storages_round_to_the_nearest(scope, scale):
    leaf, x = Leaf("z", scope, (3, 4)), values(5, 3, 4, scale=scale)
    assert torch.equal(there_and_back(leaf, x, "float32"), x)
    np.testing.assert_array_equal(there_and_back(leaf, x, "float16"), x.numpy().astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(there_and_back(leaf, x, "bfloat16"), nearest_bfloat16(x.numpy()))


rows_of_floats = st.lists(
    st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=4, max_size=4), min_size=1, max_size=5
).map(lambda rows: torch.tensor(rows, dtype=torch.float32))


@settings(deadline=None)
@given(rows_of_floats)
def test_uint8_rows_are_within_half_a_step_of_their_range(x):
    levels, ranges = to_levels(x)
    back, exact = from_levels(levels, ranges).double().numpy(), x.double().numpy()
    for row, wanted in zip(back, exact):
        step = (wanted.max() - wanted.min()) / 255
        rounding = 4 * np.finfo(np.float32).eps * np.abs(wanted).max() + 255 * np.finfo(np.float32).smallest_subnormal
        assert np.abs(row - wanted).max() <= step / 2 + rounding


@given(st.floats(-(2.0**126), 2.0**126, width=32))
def test_constant_rows_are_exact(c):
    x = torch.full((2, 3), c)
    assert torch.equal(there_and_back(Leaf("z", "item", (3,)), x, "uint8"), x)


def test_all_256_levels_are_used():
    levels, ranges = to_levels(torch.arange(256.0)[None] * 0.5 - 3)
    assert levels.tolist() == [list(range(256))]
    assert ranges.tolist() == [[-3.0, 0.5]]


def test_every_row_has_its_own_range():
    """A row of large values costs the others no precision; a set leaf of two axes has rows as well."""
    x = torch.cat([values(1, 50, scale=1e6), values(3, 50)])
    for leaf in (Leaf("z", "item", (50,)), Leaf("z", "set", (4, 50))):
        assert (there_and_back(leaf, x, "uint8") - x)[1:].abs().max() < 0.02
    as_one = there_and_back(Leaf("z", "set", (200,)), x.flatten(), "uint8")
    assert (as_one - x.flatten())[50:].abs().max() > 0.1


@pytest.mark.parametrize("dtype", ["float64", "int64", "int16", "uint8", "bool"])
@pytest.mark.parametrize("storage", ["float32", "float16", "uint8"])
def test_storage_leaves_other_types_and_unquantised_leaves_alone(dtype, storage):
    x = (values(4, 3) * 2).abs().to(getattr(torch, dtype))
    back = there_and_back(Leaf("z", "item", (3,), dtype, quantise=False), x, storage)
    assert back.dtype == x.dtype
    assert torch.equal(back, x)


@pytest.mark.parametrize("storage", ["float32", "float16", "bfloat16", "uint8"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_leaves_come_back_in_their_type_in_memory(storage, dtype):
    x = values(4, 3).to(getattr(torch, dtype))
    assert there_and_back(Leaf("z", "item", (3,), dtype), x, storage).dtype == x.dtype


def test_byte_strings_are_exact():
    rows = [b"", b"\x00\xff", b"abc"]
    leaf = Leaf("z", "item", None, "uint8")
    back = restore_leaf(leaf, store_leaf(leaf, Ragged.of(rows), "float16"), "float16")
    assert isinstance(back, Ragged)
    assert [back.row(i) for i in range(3)] == rows


@pytest.mark.parametrize(
    ("value", "dtype", "storage"),
    [
        (torch.tensor([[1.0, float("nan")]]), "float32", "float32"),
        (torch.tensor([[1.0, float("inf")]]), "float32", "uint8"),
        (torch.tensor([[1.0, 1e5]]), "float32", "float16"),
        (torch.tensor([[1.0, 3.4e38]]), "float32", "bfloat16"),
        (torch.tensor([[1.0, 1e300]], dtype=torch.float64), "float64", "float32"),
        (torch.tensor([[-3e38, 3e38]]), "float32", "uint8"),
        (torch.tensor([[1, 300]]), "uint8", "float32"),
        (torch.tensor([[0.5, 1.0]]), "int32", "float32"),
    ],
)
def test_values_that_the_type_does_not_hold_are_refused(value, dtype, storage):
    with pytest.raises(ArtifactError, match="'z'"):
        store_leaf(Leaf("z", "item", (2,), dtype), value, storage)
