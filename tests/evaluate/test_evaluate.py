"""Evaluation from a set to records: columns, resume, the ceiling, the test pass."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ddbench import registry
from ddbench.data import Data
from ddbench.errors import SpecError
from ddbench.evaluate import SplitSet, TensorSet, evaluate, evaluate_full, labels
from ddbench.evaluate.scoring import batch_for, correct
from ddbench.interfaces.dataset import DatasetCard, Split
from ddbench.interfaces.signal import SignalSpec
from ddbench.networks.auto import Auto
from ddbench.networks.convnet import ConvNet
from ddbench.networks.mlp import Mlp
from ddbench.result.schema import pack_bits, unpack_bits
from ddbench.spec.cell import Choice, EvaluationProtocol, Training

K = 3
NETWORKS = {"auto": Auto, "convnet": ConvNet, "mlp": Mlp}


@pytest.fixture(autouse=True)
def _built_in_networks(monkeypatch):
    monkeypatch.setattr(registry, "load", lambda kind, name: NETWORKS[name])


def blobs(n, seed):
    """8-bit images whose class is the third of the image that is bright."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % K
    x = torch.randint(0, 60, (n, 1, 9, 9), generator=generator, dtype=torch.uint8)
    for i, k in enumerate(y.tolist()):
        x[i, :, 3 * k : 3 * k + 3] += 120
    return Split(x, y)


@pytest.fixture
def data():
    signal = SignalSpec((1, 9, 9), (0.2,), (0.3,), 0.0, 1.0, "crop_flip")
    card = DatasetCard("blobs", "1", signal, ("a", "b", "c"), 24, 31, "none", 8, 81)
    return Data(card, blobs(24, 0), blobs(31, 1))


def protocol(**more):
    networks = (Choice(name="auto", args={"width": 4}), Choice(name="mlp", args={"hidden": [8]}))
    return EvaluationProtocol(**{"epochs": 6, "batch": 4, "lr": 0.05, "students": 2, "networks": networks, **more})


def small_set(data, n=9):
    return TensorSet(data.signals(torch.arange(n)), data.train.labels[:n])


def test_records_of_every_network_column_and_student(data):
    seen = []
    parts = list(evaluate(small_set(data), data, protocol(), reference_items=6, seed=0, progress=seen.append))
    assert [[(r.network, r.column, r.student) for r in part] for part in parts] == [
        [(network, column, student)]
        for network in ("auto", "mlp")
        for column in ("equal_steps", "equal_epochs")
        for student in range(2)
    ]
    for (run,) in parts:
        bits = unpack_bits(run.correct, 31)
        assert run.accuracy == sum(bits) / 31
        steps = {"equal_steps": (12, 48), "equal_epochs": (18, 54)}[run.column]
        assert (run.steps, run.samples_seen) == steps
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_what_can_be_learned_is_learned_and_repeats(data):
    def runs(seed):
        recipe = protocol(epochs=12, columns=("equal_epochs",))
        return [r for g in evaluate(small_set(data), data, recipe, reference_items=9, seed=seed) for r in g]

    first = runs(0)
    assert min(r.accuracy for r in first) > 0.8
    assert runs(0) == first
    assert [r.train_loss for r in runs(1)] != [r.train_loss for r in first]


def test_equal_columns_are_trained_once(data, monkeypatch):
    import ddbench.evaluate.evaluation as module

    calls, train = [], module.train_in_parts
    monkeypatch.setattr(module, "train_in_parts", lambda *a, **k: calls.append(1) or train(*a, **k))
    mlp = protocol(networks=(Choice(name="mlp"),))
    first, second = evaluate(small_set(data, 8), data, mlp, reference_items=8, seed=0)
    assert len(calls) == 1
    for student, runs in enumerate((first, second)):
        assert [(r.column, r.student) for r in runs] == [("equal_steps", student), ("equal_epochs", student)]
        assert runs[0].model_dump(exclude={"column"}) == runs[1].model_dump(exclude={"column"})
    (together,) = evaluate(small_set(data, 8), data, mlp, reference_items=8, seed=0, together=True)
    assert [(r.column, r.student) for r in together] == [
        (c, s) for c in ("equal_steps", "equal_epochs") for s in range(2)
    ]


def test_what_is_done_is_not_done_again(data):
    whole = list(evaluate(small_set(data), data, protocol(), reference_items=6, seed=0))
    for cut in range(len(whole) + 1):
        done = [r for g in whole[:cut] for r in g]
        assert list(evaluate(small_set(data), data, protocol(), reference_items=6, seed=0, done=done)) == whole[cut:]
    for lost in range(len(whole)):
        done = [r for i, g in enumerate(whole) for r in g if i != lost]
        again = list(evaluate(small_set(data), data, protocol(), reference_items=6, seed=0, done=done))
        assert again == [whole[lost]]


def test_the_ceiling_trains_on_everything_by_its_own_recipe(data):
    recipe = protocol(full=Training(epochs=2, batch=5, lr=0.05), networks=(Choice(name="mlp"),))
    runs = [r for part in evaluate_full(data, recipe, seed=0) for r in part]
    assert {(r.column, r.steps, r.samples_seen) for r in runs} == {("equal_epochs", 10, 48)}
    assert [r.student for r in runs] == [0, 1]
    default = next(evaluate_full(data, protocol(networks=(Choice(name="mlp"),)), seed=0))
    assert default[0].steps == 36


def test_a_split_read_in_batches_is_the_set_in_memory(data):
    split, tensors = SplitSet(data.train, data.card.signal), small_set(data, 24)
    index = torch.tensor([[3, 1], [20, 3]])
    for a, b in zip(split.batch(index), tensors.batch(index)):
        torch.testing.assert_close(a, b)
    assert split.batch(index)[0].shape == (2, 2, 1, 9, 9)
    runs = [
        [r.correct for g in evaluate(s, data, protocol(epochs=1), reference_items=6, seed=0) for r in g]
        for s in (split, tensors)
    ]
    assert runs[0] == runs[1]


def test_networks_of_one_name_are_told_apart():
    networks = [
        Choice(name="convnet", args={"depth": 2, "width": 4}),
        Choice(name="convnet", args={"depth": 3, "width": 4}),
        Choice(name="mlp", args={"hidden": [4]}),
    ]
    assert labels(networks) == ["convnet(depth=2)", "convnet(depth=3)", "mlp"]


def test_an_augmentation_that_does_not_fit_is_refused_before_training(data):
    flat = TensorSet(torch.zeros(6, 81), torch.arange(6) % K)
    with pytest.raises(SpecError, match="no meaning on signals of shape"):
        evaluate(flat, data, protocol(), reference_items=6, seed=0)


class Brightest(nn.Module):
    """Predicts the third with the most light; not a number for images whose first pixel is bright, if asked."""

    def __init__(self, spoil=False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.dropout, self.spoil = nn.Dropout(0.99), spoil

    def forward(self, x):
        logits = self.dropout(x.unflatten(2, (3, 3)).mean((1, 3, 4))) * self.weight
        return logits.masked_fill((x[:, 0, 0, 0] > 0)[:, None], torch.nan) if self.spoil else logits


def test_the_test_pass_against_a_loop(data, monkeypatch):
    monkeypatch.setattr("ddbench.evaluate.scoring.LARGEST_BATCH", 7)
    held = data.held_out
    models = [Brightest(), Brightest(spoil=True)]
    got = correct(models, held, data.card.signal)
    for i in range(31):
        image = held.signals[i, 0].double()
        thirds = [image[3 * k : 3 * k + 3].mean().item() for k in range(K)]
        right = thirds.index(max(thirds)) == int(held.labels[i])
        assert bool(got[0, i]) == right
        assert bool(got[1, i]) == (right and not (image[0, 0].item() / 255 - 0.2) / 0.3 > 0)
    assert got[1].sum() < got[0].sum()
    assert all(m.training for m in models)


def test_batches_of_the_test_pass_follow_the_signal():
    assert [batch_for(s) for s in ((1, 28, 28), (3, 256, 256), (3, 4096, 4096))] == [256, 5, 1]


def test_correctness_packs_and_unpacks_at_size():
    bits = (torch.rand(10_000, generator=torch.Generator().manual_seed(0)) < 0.7).tolist()
    assert unpack_bits(pack_bits(bits), 10_000) == bits
