"""Herding, k-center and k-means against obvious loops in float64; ties, and as many items as the class has."""

from __future__ import annotations

import math

import pytest
import torch
from ddbench_methods.herding import Herding, herd
from ddbench_methods.kcenter import KCenter, farthest_first
from ddbench_methods.kmeans import central
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from ddbench import registry
from ddbench.testing.method_case import CLASS_SIZES, N_CLASSES, Ground

GROUND = Ground((1, 8, 8), "signal")
CLOSE = 1e-9


def cloud(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=Generator().manual_seed(seed), dtype=torch.float64)


def mean_of(points: list[list[float]]) -> list[float]:
    return [sum(column) / len(points) for column in zip(*points)]


def herding_costs(points: list[list[float]], chosen: list[int]) -> list[float]:
    """Distance of each candidate's running mean from the class mean; infinite where it is chosen already."""
    mean = mean_of(points)
    return [
        math.inf if i in chosen else math.dist(mean_of([points[j] for j in [*chosen, i]]), mean)
        for i in range(len(points))
    ]


def kcenter_costs(points: list[list[float]], chosen: list[int]) -> list[float]:
    """Minus each candidate's distance from the nearest chosen item; at first, its distance from the mean."""
    if not chosen:
        return [math.dist(p, mean_of(points)) for p in points]
    return [math.inf if i in chosen else -min(math.dist(p, points[j]) for j in chosen) for i, p in enumerate(points)]


GREEDY = [(herd, herding_costs), (farthest_first, kcenter_costs)]


@pytest.mark.parametrize(("fast", "costs"), GREEDY)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), n_k=st.integers(3, 12), d=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_greedy_choice_is_the_slow_loops(fast, costs, data, n_k: int, d: int, seed: int) -> None:
    """From three items on: of two, both are equally far from their mean."""
    phi, n = cloud(n_k, d, seed), data.draw(st.integers(1, n_k))
    points, chosen = phi.tolist(), []
    for _ in range(n):
        found = costs(points, chosen)
        chosen.append(found.index(min(found)))
    assert fast(phi, n).tolist() == chosen


@pytest.mark.parametrize(("fast", "costs"), GREEDY)
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(*[st.integers(-1, 1)] * 2), min_size=1, max_size=10))
def test_greedy_choice_is_best_at_every_step_among_ties(fast, costs, rows: list[tuple[int, int]]) -> None:
    """On a coarse grid most steps are ties, which rounding may settle one way or the other."""
    phi = torch.tensor(rows, dtype=torch.float64)
    chosen = fast(phi, len(rows)).tolist()
    assert sorted(chosen) == list(range(len(rows)))
    for t, i in enumerate(chosen):
        found = costs(phi.tolist(), chosen[:t])
        assert found[i] <= min(found) + CLOSE


@pytest.mark.parametrize(("fast", "costs"), GREEDY)
def test_equal_items_are_taken_in_order(fast, costs) -> None:
    assert fast(torch.ones(5, 3, dtype=torch.float64), 5).tolist() == [0, 1, 2, 3, 4]


def test_kcenter_leaves_nothing_farther_than_twice_the_best_radius() -> None:
    """Gonzalez' guarantee, against every choice of three centres."""
    from itertools import combinations

    points = cloud(9, 2, seed=4)
    distance = torch.cdist(points, points)

    def radius(chosen) -> float:
        return float(distance[:, list(chosen)].amin(1).max())

    best = min(radius(c) for c in combinations(range(9), 3))
    assert radius(farthest_first(points, 3).tolist()) <= 2 * best


def blobs(sizes: tuple[int, ...], seed: int) -> tuple[Tensor, list[int]]:
    """Far apart clusters in mixed order, and the cluster of each row."""
    draw = Generator().manual_seed(seed)
    label = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    label = label[torch.randperm(len(label), generator=draw)]
    return cloud(len(label), 3, seed) + 100.0 * label[:, None], label.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_kmeans_keeps_the_item_nearest_to_each_mean_largest_cluster_first(seed: int) -> None:
    sizes = (3, 7, 5)
    phi, label = blobs(sizes, seed)
    expected = []
    for k in (1, 2, 0):
        members = [i for i, c in enumerate(label) if c == k]
        mean = mean_of([phi[i].tolist() for i in members])
        expected.append(min(members, key=lambda i: math.dist(phi[i].tolist(), mean)))
    assert central(phi, 3, Generator().manual_seed(seed)).tolist() == expected


@settings(max_examples=20, deadline=None)
@given(n_k=st.integers(1, 10), seed=st.integers(0, 2**31))
def test_kmeans_with_as_many_centroids_as_items_keeps_them_all(n_k: int, seed: int) -> None:
    chosen = central(cloud(n_k, 2, seed), n_k, Generator().manual_seed(seed))
    assert sorted(chosen.tolist()) == list(range(n_k))


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_kmeans_on_equal_items_keeps_different_rows() -> None:
    chosen = central(torch.ones(6, 2, dtype=torch.float64), 4, Generator().manual_seed(0)).tolist()
    assert len(set(chosen)) == 4


@pytest.mark.parametrize("name", ["herding", "kcenter", "kmeans", "random"])
def test_a_selector_asked_for_a_whole_class_takes_all_of_it(name: str) -> None:
    n = min(CLASS_SIZES)
    index = registry.build("method", name).select(GROUND.selection(), n)
    k = CLASS_SIZES.index(n)
    assert sorted(index[k].tolist()) == GROUND.data.members[k].tolist()


@pytest.mark.parametrize(("selector", "costs"), [(Herding, herding_costs), (KCenter, kcenter_costs)])
@pytest.mark.parametrize("kind", ["values", "network"])
def test_features_are_those_asked_for(selector, costs, kind: str) -> None:
    """Class by class, on normalised pixels or on one untrained network's features."""
    index = selector(selector.Config(features=kind)).select(GROUND.selection(), 3)
    for k in range(N_CLASSES):
        members, task = GROUND.data.members[k], GROUND.selection()
        x = GROUND.data.signals(members).flatten(1) if kind == "values" else task.embed(members)
        points, chosen = x.double().tolist(), []
        for _ in range(3):
            found = costs(points, chosen)
            chosen.append(found.index(min(found)))
        assert index[k].tolist() == members[chosen].tolist()


def test_random_takes_the_draws_that_initialise_learned_rows() -> None:
    task = GROUND.selection()
    index = registry.build("method", "random").select(task, 4)
    assert torch.equal(index, task.draw(6)[:, :4])
    other = GROUND.selection()
    other.streams.seed += 1
    assert not torch.equal(registry.build("method", "random").select(other, 4), index)
