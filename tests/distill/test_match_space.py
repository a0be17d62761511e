"""The two match spaces, against statistics and transforms in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from distill_helpers import CPU, Plain, Tiles, codes_of, data_of, target_of, task_of
from torch import Generator

from ddbench.distill.space import CodeSpace, SignalSpace, match_space
from ddbench.errors import PluginError, SpecError

SHAPES = [(2, 4, 4), (3, 5), (6,)]


def code_space(data, codec=None) -> CodeSpace:
    codec = codec or Plain(None, target_of(data))
    return CodeSpace(data, codec, CPU, codec.begin(torch.empty(0), torch.empty(0), Generator()))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_real_codes_are_standardised_by_channel(shape):
    """More items than are encoded at once; channels of very different scale."""
    data = data_of((400, 350, 373), shape)
    data.train.signals.mul_(torch.logspace(-1, 3, shape[0]).reshape(-1, *[1] * (len(shape) - 1)))
    space = code_space(data)
    x = (data.train.signals.double().numpy() - 0.5) / 2
    wanted = np.empty_like(x)
    for c in range(shape[0]):
        wanted[:, c] = (x[:, c] - x[:, c].mean()) / x[:, c].std(ddof=1)
        assert space.mean.flatten()[c] == pytest.approx(x[:, c].mean(), rel=1e-4, abs=1e-5 * x[:, c].std())
        assert space.std.flatten()[c] == pytest.approx(x[:, c].std(ddof=1), rel=1e-4)
    index = torch.tensor([700, 0, 1122, 0])
    np.testing.assert_allclose(space.real(index).numpy(), wanted[index.numpy()], rtol=1e-3, atol=1e-4)
    assert space.shape == shape


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_standardisation_is_undone_on_export(shape):
    data = data_of(shape=shape)
    codec, space = Plain(None, target_of(data)), code_space(data)
    task = task_of(data, codec, space=space)
    assert set(task.params) == {"x"}
    codes, _ = codes_of(data, codec, 3)
    wanted = codes["x"].double().numpy()
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(task.export()["x"].numpy(), wanted, rtol=0, atol=1e-6 * scale)
    with torch.no_grad():
        task.params["x"].add_(1.0)
    moved = wanted + space.std.double().numpy()
    np.testing.assert_allclose(task.export()["x"].numpy(), moved, rtol=0, atol=2e-6 * scale)
    assert torch.equal(task.export()["offset"], codes["offset"])


def test_a_stored_item_looks_like_the_real_one_it_was_taken_from():
    data = data_of()
    space = code_space(data)
    synthetic = task_of(data, Plain(None, target_of(data)), space=space).synthetic()
    real = torch.stack([space.real(m[:3]) for m in data.members])
    assert torch.allclose(synthetic, real, atol=1e-6)


def test_a_constant_channel_stays_finite_and_comes_back():
    data = data_of(shape=(6,))
    data.train.signals[:, 2] = 0.3
    space = code_space(data)
    assert space.real(torch.arange(27)).isfinite().all()
    task = task_of(data, Plain(None, target_of(data)), space=space)
    assert torch.allclose(task.export()["x"][:, 2], torch.tensor((0.3 - 0.5) / 2))


def test_code_space_is_refused_where_there_is_none():
    data = data_of()
    with pytest.raises(SpecError, match="Tiles has no code space"):
        match_space("code", data, Tiles(target_of(data)), {}, CPU)
    grid = Tiles(target_of(data))
    grid.code_leaf = "z"
    with pytest.raises(SpecError, match="stores 2 signals"):
        match_space("code", data, grid, {}, CPU)


def test_code_space_learns_the_code_leaf_at_the_plain_rate_and_takes_the_codecs_augmentation():
    data = data_of(augmentation="flip")
    codec = Plain(None, target_of(data))
    space = match_space("code", data, codec, {}, CPU)
    (name, (_, scale)), *more = space.parameters(codes_of(data, codec, 1)[0], codec.leaves()).items()
    assert (name, scale, more) == ("x", 1.0, [])
    assert space.augmentation == ""
    assert match_space("signal", data, codec, {}, CPU).augmentation == "flip"


def test_signal_space_shows_normalised_signals_and_learns_every_learned_leaf():
    data = data_of()
    codec, space = Tiles(target_of(data)), SignalSpace(data, Tiles(target_of(data)), CPU)
    codes, y = codes_of(data, codec, 2)
    params = space.parameters(codes, codec.leaves())
    assert {n: s for n, (_, s) in params.items()} == {"z": 1.0, "shift": 1.0, "gain": 1.0}
    plain = Plain(None, target_of(data))
    rates = SignalSpace(data, plain, CPU).parameters(codes_of(data, plain, 2)[0], plain.leaves())
    assert {n: s for n, (_, s) in rates.items()} == {"x": 0.25, "offset": 2.0}
    assert all(p.requires_grad and p.is_leaf and p.data_ptr() != codes[n].data_ptr() for n, (p, _) in params.items())
    index = torch.tensor([5, 1])
    wanted = (data.train.signals[index].double().numpy() - 0.5) / 2
    np.testing.assert_allclose(space.real(index).numpy(), wanted, rtol=1e-6, atol=1e-6)
    values, source = space.values({n: p for n, (p, _) in params.items()}, codes, y, Generator())
    assert values.shape == (12, 2, 4, 4)
    assert source.tolist() == [*range(6), *range(6)]


def test_real_codes_that_are_no_numbers_are_refused():
    data = data_of()
    codec = Plain(None, target_of(data))
    codec.encode = lambda x, y, shared: {"x": x.index_fill(0, torch.tensor([4, 9]), torch.inf)}
    with pytest.raises(PluginError, match=r"codes that are not finite for 2 of 27 training items .* at index 4"):
        code_space(data, codec)
