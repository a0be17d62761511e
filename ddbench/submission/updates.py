"""Whether students were trained for as long as their columns say: updates and samples seen. torch-free."""

from __future__ import annotations

from collections.abc import Iterator

from ddbench.artifact.card import Card
from ddbench.budget import reference_slots
from ddbench.evaluate.schedule import Schedule, schedule_for
from ddbench.result.schema import Result, StudentRun
from ddbench.spec.cell import OWN_RECIPE, Training
from ddbench.spec.networks import labels


def update_faults(result: Result, card: Card | None) -> Iterator[str]:
    """Sentences on updates that are not those of the column's schedule; `card` is the set's, None for the ceiling.

    A student whose loss was not finite stopped where it was. An estimator counts no updates and saw every item once,
    whatever the column: who says so is shown with 0 updates. Students of the match network are passed over where the
    set stores something of the method's own: that may be a recipe, as a learned step size is.
    """
    if result.bytes is None:
        return
    own = None if card is None or not any(leaf.of_method for leaf in card.leaves) else result.cell.network
    brought = dict(zip(labels(result.cell.protocol.networks), result.cell.protocol.networks))
    told: set[tuple[str, int, int]] = set()
    for run in result.runs:
        schedule = _schedule(result, run, card)
        if schedule is None or brought.get(run.network) == own:
            continue
        if (run.steps, run.samples_seen) == (0, schedule.epoch_items):
            continue
        stopped = run.train_loss is None and run.steps <= schedule.steps
        steps = run.steps if stopped else schedule.steps
        wanted = steps, schedule.samples(steps)
        if (run.steps, run.samples_seen) != wanted and (run.column, run.steps, run.samples_seen) not in told:
            told.add((run.column, run.steps, run.samples_seen))
            yield (
                f"it claims {run.steps} updates and {run.samples_seen} samples seen of student {run.student} of "
                f"{run.network} ({run.column}); that column's schedule has {wanted[0]} and {wanted[1]}"
            )


def _schedule(result: Result, run: StudentRun, card: Card | None) -> Schedule | None:
    """None where it cannot be told."""
    stored = result.bytes
    assert stored is not None
    size = sum(stored.items if run.space == "code" else stored.signals)
    training = _training(result, run)
    if training is None or size < 1:
        return None
    if card is None:
        return schedule_for(run.column, training, size, size)
    slots = reference_slots(card.signal.bare.shape, card.n_classes, card.cap_bytes)
    return schedule_for(run.column, training, size, slots * card.n_classes)


def _training(result: Result, run: StudentRun) -> Training | None:
    protocol = result.cell.protocol
    if run.column == OWN_RECIPE:
        return result.cell.own_recipe
    return protocol if result.cell.budget is not None else protocol.full or protocol
