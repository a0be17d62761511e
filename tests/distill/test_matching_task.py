"""The matcher's task: order of items, gradients through chunks, random streams."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from distill_helpers import MeanMatcher, Plain, Tiles, data_of, other_revision, target_of, task_of

from ddbench.interfaces.method import MatcherConfig


@pytest.fixture
def data():
    return data_of()


def by_hand(task, codec, y):
    """Signals `[K, 2n, *shape]` of a Tiles task in float64, item by item, tile by tile, without noise."""
    z, shift, gain = (task.params[n].detach().double().numpy() for n in ("z", "shift", "gain"))
    classes = [[] for _ in shift]
    for i, k in enumerate(y):
        for tile in range(2):
            classes[k].append(z[i, tile] * gain + shift[k])
    return np.array(classes)


@pytest.mark.parametrize("chunk", [None, 1, 2, 4, 9, 100])
def test_items_stand_class_by_class_and_item_by_item(data, chunk):
    codec = Tiles(target_of(data), chunk=chunk)
    task = task_of(data, codec, n=3)
    task.begin(0)
    found = task.synthetic()
    assert found.shape == (3, 6, 2, 4, 4)
    np.testing.assert_allclose(found.detach().numpy(), by_hand(task, codec, [0] * 3 + [1] * 3 + [2] * 3), atol=1e-5)


def weighted_loss(task) -> torch.Tensor:
    """Depends on every signal differently, and on two calls."""
    first, second = task.synthetic(), task.synthetic()
    w = torch.linspace(-1, 2, first.numel()).reshape(first.shape)
    return (w * first.square()).sum() + (w.flip(0) * second).sum()


@pytest.mark.parametrize("chunk", [1, 2, 4, 9, 100])
def test_gradients_do_not_depend_on_the_chunk(data, chunk):
    whole, parts = task_of(data, Tiles(target_of(data))), task_of(data, Tiles(target_of(data), chunk=chunk))
    for task in (whole, parts):
        for step in (0, 1):
            task.begin(step)
            task.backward(weighted_loss(task))
    for name in ("z", "shift", "gain"):
        assert whole.params[name].grad.abs().max() > 0
        assert torch.allclose(whole.params[name].grad, parts.params[name].grad, rtol=1e-4, atol=1e-4), name


@pytest.mark.parametrize("chunk", [None, 1, 2, 4, 9])
def test_gradients_of_a_stochastic_decoder_are_those_of_the_noise_that_was_shown(data, chunk):
    """By hand in float64 from the noise drawn while values were handed out; chunks must draw the same again."""
    codec = Tiles(target_of(data), noise=0.5, chunk=chunk)
    task = task_of(data, codec, n=3)
    task.begin(4)
    loss = weighted_loss(task)
    calls = -(-9 // (chunk or 9))
    shown = [torch.cat(codec.drawn[c * calls : (c + 1) * calls]).double().numpy() for c in (0, 1)]
    task.backward(loss)
    if chunk is not None:
        assert len(codec.drawn) == 4 * calls
        again = [torch.cat(codec.drawn[c * calls : (c + 1) * calls]).double().numpy() for c in (2, 3)]
        assert np.array_equal(shown, again)
    assert not np.array_equal(shown[0], shown[1])

    z, shift, gain = (task.params[n].detach().double().numpy() for n in ("z", "shift", "gain"))
    y = np.repeat(np.arange(3), 3)
    w = np.linspace(-1, 2, 3 * 6 * 32).reshape(3, 3, 2, 2, 4, 4)
    w_first, w_second = w.reshape(9, 2, 2, 4, 4), w[::-1].reshape(9, 2, 2, 4, 4)
    first = z * gain * (1 + shown[0]) + shift[y][:, None]
    value = (w_first * first**2).sum() + (w_second * (z * gain * (1 + shown[1]) + shift[y][:, None])).sum()
    assert float(loss.detach()) == pytest.approx(value, rel=1e-4)
    d_first, d_second = 2 * w_first * first, w_second
    by_noise = d_first * (1 + shown[0]) + d_second * (1 + shown[1])
    wanted = {
        "z": by_noise * gain,
        "gain": (by_noise * z).sum((0, 1)),
        "shift": np.stack([(d_first + d_second)[y == k].sum((0, 1)) for k in range(3)]),
    }
    for name, gradient in wanted.items():
        found = task.params[name].grad.numpy()
        np.testing.assert_allclose(found, gradient, rtol=1e-4, atol=1e-4 * np.abs(gradient).max(), err_msg=name)


def test_memory_of_a_chunked_decoder_is_that_of_a_chunk(data):
    """Values that are handed out hang on no graph of the decoder."""
    task = task_of(data, Tiles(target_of(data), chunk=2))
    task.begin(0)
    x = task.synthetic()
    leaves, todo, seen = [], [x.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            leaves.append(node.variable)
        todo += [n for n, _ in node.next_functions]
    assert not {id(p) for p in task.params.values()} & {id(v) for v in leaves}
    assert len(leaves) == 5


def test_real_batches_are_distinct_items_of_their_class(data):
    task = task_of(data, Plain(None, target_of(data)))
    normalised = data.signals(torch.arange(len(data.train)))
    for size, given in ((4, 4), (7, 7), (50, 7)):
        real = task.real(size)
        assert real.shape == (3, given, 2, 4, 4)
        for k in range(3):
            index = [int((normalised == x).flatten(1).all(1).nonzero()) for x in real[k]]
            assert len(set(index)) == given
            assert {int(data.train.labels[i]) for i in index} == {k}


def test_rows_of_one_seed_meet_the_same_draws(data):
    """Real batches, networks and augmentations do not know the codec, nor what a matcher asked before."""
    a, b = task_of(data, Plain(None, target_of(data))), task_of(data, Tiles(target_of(data), noise=1.0), n=2)
    for step in (0, 1, 17):
        a.begin(step)
        b.begin(step)
        b.synthetic()
        assert torch.equal(b.network("other").features.weight, a.network("other").features.weight)
        assert torch.equal(a.real(5), b.real(5))
        assert torch.equal(a.network().features.weight, b.network().features.weight)
        assert torch.equal(torch.rand(3, generator=a.generator("mine")), torch.rand(3, generator=b.generator("mine")))


def test_draws_change_with_step_seed_revision_and_within_a_step(data):
    codec = Plain(None, target_of(data))
    task = task_of(data, codec)
    seen = []
    for step in range(4):
        task.begin(step)
        seen += [task.real(5), task.real(5)]
    for other in (task_of(data, codec, seed=1), task_of(other_revision(data), codec)):
        other.begin(0)
        seen.append(other.real(5))
    assert len({x.numpy().tobytes() for x in seen}) == len(seen)
    task.begin(0)
    assert torch.equal(task.real(5), seen[0])
    assert torch.equal(task.real(5), seen[1])
    networks = [task.network(), task.network("other")]
    task.begin(1)
    networks.append(task.network())
    assert len({n.features.weight.detach().numpy().tobytes() for n in networks}) == 3


def test_augmentation_is_siamese_and_changes_from_draw_to_draw():
    data = data_of((30, 30, 30), augmentation="crop_flip_scale_rotate")
    task = task_of(data, Plain(None, target_of(data)))
    drawn = set()
    for step in range(3):
        task.begin(step)
        x = task.real(6)
        a, b = task.augment(x, x[:, :1].repeat(1, 2, 1, 1, 1))
        assert torch.allclose(a[:, :1], b[:, :1])
        assert torch.equal(b[:, 0], b[:, 1])
        drawn |= {task.augment(torch.arange(96.0).reshape(3, 1, 2, 4, 4))[0].numpy().tobytes() for _ in range(2)}
    assert len(drawn) > 3
    plain = task_of(data_of(), Plain(None, target_of(data_of())))
    assert plain.augment(x) == (x,)


def test_a_step_begins_without_the_last_ones_gradients(data):
    for chunk in (None, 2):
        task = task_of(data, Tiles(target_of(data), chunk=chunk))
        task.begin(0)
        task.backward(weighted_loss(task))
        once = task.params["z"].grad.clone()
        task.begin(0)
        weighted_loss(task)
        task.begin(0)
        assert task.params["z"].grad is None
        task.backward(weighted_loss(task))
        assert torch.equal(task.params["z"].grad, once)


def test_leaves_of_the_matchers_own(data):
    matcher = MeanMatcher(MatcherConfig(iterations=1, lr=1.0))
    task = task_of(data, Plain(None, target_of(data)), matcher=matcher)
    assert task.extra("weight").requires_grad
    assert task.lr_scale == {"x": 0.25, "offset": 2.0, "weight": 0.5}
    with pytest.raises(KeyError, match="declares no leaf 'x'"):
        task.extra("x")
    assert set(task.export()) == {"x", "offset", "weight"}
    assert not any(c.requires_grad for c in task.export().values())
