"""Schedules against the loops that they stand for."""

from __future__ import annotations

import subprocess
import sys
from math import cos, pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.evaluate.schedule import equal_epochs, equal_steps, lr_at, resets_momentum_at, schedule_for
from ddbench.evaluate.streams import StudentStreams, batches
from ddbench.spec.cell import Training

sizes = st.integers(1, 40)


@given(epochs=st.integers(1, 5), batch=sizes, items=sizes)
def test_equal_epochs_is_a_loop_over_batches(epochs, batch, items):
    seen, steps, sizes_seen = 0, 0, []
    for _ in range(epochs):
        for start in range(0, items, min(batch, items)):
            sizes_seen.append(len(range(items)[start : start + batch]))
            seen += sizes_seen[-1]
            steps += 1
    schedule = equal_epochs(Training(epochs=epochs, batch=batch), items)
    assert (schedule.steps, schedule.samples(steps)) == (steps, seen) == (steps, epochs * items)
    assert [schedule.items_at(i) for i in range(steps)] == sizes_seen
    assert [schedule.samples(i) for i in range(steps)] == [sum(sizes_seen[:i]) for i in range(steps)]
    drawn = list(batches(schedule, torch.Generator().manual_seed(0)))
    assert [len(b) for b in drawn] == sizes_seen
    per_epoch = torch.cat(drawn).reshape(epochs, items)
    assert torch.equal(per_epoch.sort(1).values, torch.arange(items).expand(epochs, items))


@given(epochs=st.integers(1, 4), batch=sizes, items=sizes, reference=sizes)
def test_equal_steps_has_the_same_updates_for_every_set(epochs, batch, items, reference):
    training = Training(epochs=epochs, batch=batch)
    schedule = equal_steps(training, items, reference)
    assert schedule.steps == equal_epochs(training, reference).steps
    assert schedule.batch == min(batch, reference, items)
    drawn = list(batches(schedule, torch.Generator().manual_seed(1)))
    assert {len(b) for b in drawn} == {schedule.batch}
    flat = torch.cat(drawn)
    assert schedule.samples(schedule.steps) == len(flat) == sum(schedule.items_at(i) for i in range(schedule.steps))
    for pass_ in flat.split(items)[: len(flat) // items]:
        assert torch.equal(pass_.sort().values, torch.arange(items))


def test_columns_that_train_the_same_are_equal():
    training = Training(epochs=3, batch=256)
    assert schedule_for("equal_steps", training, 10, 10) == schedule_for("equal_epochs", training, 10, 10)
    assert schedule_for("equal_steps", training, 512, 512) == schedule_for("equal_epochs", training, 512, 512)
    assert schedule_for("equal_steps", training, 500, 500) != schedule_for("equal_epochs", training, 500, 500)
    assert schedule_for("equal_steps", training, 40, 10) != schedule_for("equal_epochs", training, 40, 10)


@given(steps=st.integers(1, 50))
@settings(max_examples=25)
def test_learning_rates(steps):
    step = Training(lr=0.5)
    rates = [lr_at(step, i, steps) for i in range(steps)]
    assert rates == [0.5 if i < steps / 2 else 0.5 * 0.1 for i in range(steps)]
    resets = [i for i in range(steps) if resets_momentum_at(step, i, steps)]
    assert resets == [i for i in range(1, steps) if rates[i] != rates[i - 1]]
    cosine = Training(lr=0.5, schedule="cosine")
    assert [lr_at(cosine, i, steps) for i in range(steps)] == pytest.approx(
        [(1 + cos(pi * i / steps)) / 4 for i in range(steps)]
    )
    constant = Training(lr=0.5, schedule="constant")
    assert {lr_at(constant, i, steps) for i in range(steps)} == {0.5}
    assert not any(resets_momentum_at(t, i, steps) for t in (cosine, constant) for i in range(steps))


def test_streams_differ_by_student_and_name_and_repeat():
    streams = StudentStreams("d", "1", 0, "auto")
    seeds = {streams.init(0), streams.init(1), streams.noise(0), StudentStreams("d", "1", 1, "auto").init(0)}
    assert len(seeds) == 4
    assert streams.init(0) == StudentStreams("d", "1", 0, "auto").init(0)
    assert torch.equal(*(torch.rand(3, generator=streams.augment(2)) for _ in range(2)))


def test_the_schedule_needs_no_torch():
    code = "import sys, ddbench.evaluate.schedule; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
