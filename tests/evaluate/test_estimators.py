"""Students that are no neural networks: the contract, the records, soft labels, and plans."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ddbench import registry
from ddbench.data import Data
from ddbench.evaluate import SplitSet, TensorSet, evaluate, evaluate_full
from ddbench.evaluate.estimators import Fitted, fit_in_turn, told_once
from ddbench.evaluate.scoring import correct
from ddbench.evaluate.streams import StudentStreams
from ddbench.interfaces.dataset import DatasetCard, Split
from ddbench.interfaces.estimator import Estimator
from ddbench.interfaces.signal import SignalSpec
from ddbench.networks.gradient_boosting import GradientBoosting, GradientBoostingConfig
from ddbench.networks.mlp import Mlp
from ddbench.result.schema import unpack_bits
from ddbench.spec.cell import Choice, EvaluationProtocol
from ddbench.testing.estimators import EstimatorContract


class Linear(Estimator):
    """An estimator by a convex loss, whose solution does not depend on how items are written."""

    version, source = "1", "made up"

    def fit(self, x, y, weight, n_classes, seed):
        fitted = LogisticRegression(tol=1e-8, max_iter=1000).fit(x.flatten(1), y, sample_weight=weight)

        def scores(x):
            found = torch.full((len(x), n_classes), -torch.inf, dtype=torch.float64)
            found[:, fitted.classes_] = torch.from_numpy(fitted.predict_log_proba(x.flatten(1).numpy()))
            return found

        return scores


class TestGradientBoosting(EstimatorContract):
    estimator = GradientBoosting
    args: ClassVar = {"trees": 20}


class TestOfImages(EstimatorContract):
    estimator = GradientBoosting
    args: ClassVar = {"trees": 5}
    shape = (1, 4, 4)


@pytest.fixture(autouse=True)
def _networks(monkeypatch):
    known = {"boost": GradientBoosting, "linear": Linear, "mlp": Mlp}
    monkeypatch.setattr(registry, "load", lambda kind, name: known[name])


def table(n: int, seed: int) -> Split:
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    return Split(x, (x[:, 0] * x[:, 1] > 0).long())


@pytest.fixture
def data() -> Data:
    signal = SignalSpec((4,), (0.0,) * 4, (1.0,) * 4, augmentation="jitter")
    card = DatasetCard("table", "1", signal, ("a", "b"), 60, 40, "none", 20, 16)
    return Data(card, table(60, 0), table(40, 1))


def protocol(*networks: Choice, **more) -> EvaluationProtocol:
    return EvaluationProtocol(**{"epochs": 2, "batch": 8, "students": 2, "networks": networks, **more})


BOOST = Choice(name="boost", args={"trees": 10})


def test_an_estimator_is_fitted_once_and_stands_in_every_column_beside_networks(data):
    train = TensorSet(data.signals(torch.arange(20)), data.train.labels[:20])
    recipe = protocol(Choice(name="mlp"), BOOST)
    parts = list(evaluate(train, data, recipe, reference_items=4, seed=0))
    boosted = [part for part in parts if part[0].network == "boost"]
    assert [[(r.column, r.student) for r in part] for part in boosted] == [
        [("equal_steps", s), ("equal_epochs", s)] for s in range(2)
    ]
    for first, second in boosted:
        assert (first.steps, first.samples_seen) == (0, 20)
        assert first.train_loss is not None
        assert 0 < first.train_loss < 0.7
        assert first.correct == second.correct
    networks = [r for part in parts for r in part if r.network == "mlp"]
    assert {r.steps for r in networks} == {2, 6}, "networks have the protocol's updates as before"


def test_what_is_done_is_not_fitted_again(data):
    train = TensorSet(data.signals(torch.arange(20)), data.train.labels[:20])
    whole = [r for part in evaluate(train, data, protocol(BOOST), reference_items=4, seed=0) for r in part]
    rest = [r for p in evaluate(train, data, protocol(BOOST), reference_items=4, seed=0, done=whole[:3]) for r in p]
    assert rest == whole[3:]


def test_the_ceiling_is_the_library_on_the_normalised_training_set(data):
    runs = [r for part in evaluate_full(data, protocol(Choice(name="linear")), seed=0) for r in part]
    x, y = data.train.signals.numpy().astype(np.float64), data.train.labels.numpy()
    expected = LogisticRegression(tol=1e-8, max_iter=1000).fit(x, y).predict(data.held_out.signals.numpy())
    right = (expected == data.held_out.labels.numpy()).tolist()
    assert all(list(unpack_bits(r.correct, 40)) == right for r in runs)


def test_students_of_another_seed_or_index_may_differ_and_those_of_the_same_do_not(data):
    train = SplitSet(data.train, data.card.signal)
    network = GradientBoosting(GradientBoostingConfig(trees=10))

    def tested(seed: int) -> list[torch.Tensor]:
        parts = fit_in_turn(network, 2, train, StudentStreams("table", "1", seed, "boost"), [0, 1], lambda f: None)
        return [s.model(data.held_out.signals) for part in parts for s in part.values()]

    first, second = tested(0)
    assert not torch.equal(first, second)
    assert torch.equal(first, tested(0)[0])
    assert not torch.equal(first, tested(1)[0])


def test_soft_labels_are_weights_of_every_class_and_certain_ones_are_classes(data):
    soft = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])
    item, label, weight = told_once(soft, 3)
    assert (item.tolist(), label.tolist(), weight.tolist()) == ([0, 0, 1], [0, 1, 2], [0.25, 0.75, 1.0])
    x, y = data.signals(torch.arange(20)), data.train.labels[:20]
    streams = StudentStreams("table", "1", 0, "boost")
    for told in (Linear(), GradientBoosting(GradientBoostingConfig(trees=5))):
        hard, certain = (
            next(fit_in_turn(told, 2, TensorSet(x, labels), streams, [0], lambda f: None))[0]
            for labels in (y, torch.eye(2)[y])
        )
        assert hard.train_loss == pytest.approx(certain.train_loss)
        assert torch.equal(hard.model(x), certain.model(x))


def test_the_loss_of_soft_labels_is_their_cross_entropy(data):
    x, generator = data.signals(torch.arange(20)), torch.Generator().manual_seed(0)
    soft = torch.rand(20, 2, generator=generator).double()
    soft /= soft.sum(1, keepdim=True)
    streams = StudentStreams("table", "1", 0, "linear")
    student = next(fit_in_turn(Linear(), 2, TensorSet(x, soft), streams, [0], lambda f: None))[0]
    p = student.model(x).exp()
    by_hand = -sum(float(soft[i, k] * p[i, k].log()) for i in range(20) for k in range(2)) / 20
    assert student.train_loss == pytest.approx(by_hand, rel=1e-9)


def test_scores_that_are_not_numbers_are_wrong(data):
    broken = Fitted(lambda x: torch.full((len(x), 2), torch.nan))
    assert not correct([broken], data.held_out, data.card.signal).any()
