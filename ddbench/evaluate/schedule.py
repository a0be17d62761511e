"""How long a student is trained: updates, batch, learning rate at each update. torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

from ddbench.spec.cell import RunColumn, Training

STEP_FACTOR = 0.1


@dataclass(frozen=True)
class Schedule:
    """Updates and batches of one student.

    Where the set divides into whole batches, wrapping and passes are the same thing and `wraps` is False, so two
    columns that would train the same student have equal schedules.
    """

    steps: int
    batch: int
    epoch_items: int
    """Items of the training set."""
    wraps: bool = False
    """True: every update has exactly `batch` items, permutations follow one another without a seam. False: each pass
    ends with what is left of its permutation."""

    @property
    def epoch_steps(self) -> int:
        """Updates of one pass, the last one counted whole."""
        return -(-self.epoch_items // self.batch)

    def items_at(self, step: int) -> int:
        """Items of update `step`."""
        last_of_pass = (step + 1) % self.epoch_steps == 0
        if self.wraps or not last_of_pass:
            return self.batch
        return self.epoch_items - (self.epoch_steps - 1) * self.batch

    def samples(self, steps: int) -> int:
        """Items seen by the first `steps` updates."""
        if self.wraps:
            return steps * self.batch
        passes, more = divmod(steps, self.epoch_steps)
        return passes * self.epoch_items + more * self.batch


def equal_steps(training: Training, set_size: int, reference_items: int) -> Schedule:
    """E·⌈R/B⌉ updates at batch B = min(batch, R), R the items that the float32 identity codec would hold (K·n₀).

    The number of updates is the same for every set; one that holds fewer than B items takes them all in each update.
    """
    reference_batch = min(training.batch, reference_items)
    batch = min(reference_batch, set_size)
    steps = training.epochs * -(-reference_items // reference_batch)
    return Schedule(steps, batch, set_size, wraps=set_size % batch != 0)


def equal_epochs(training: Training, set_size: int) -> Schedule:
    """E passes over the set at batch min(batch, set size); the last batch of a pass may be smaller."""
    batch = min(training.batch, set_size)
    return Schedule(training.epochs * -(-set_size // batch), batch, set_size)


def schedule_for(column: RunColumn, training: Training, set_size: int, reference_items: int) -> Schedule:
    """The schedule of a training column; a set's own recipe counts passes."""
    if column == "equal_steps":
        return equal_steps(training, set_size, reference_items)
    return equal_epochs(training, set_size)


def milestone(steps: int) -> int:
    """The update at which the `step` schedule drops: half of them, rounded up."""
    return -(-steps // 2)


def lr_at(training: Training, step: int, steps: int) -> float:
    """Learning rate of update `step` of `steps`."""
    if training.schedule == "step":
        return training.lr * (STEP_FACTOR if step >= milestone(steps) else 1.0)
    if training.schedule == "cosine":
        return training.lr * 0.5 * (1 + cos(pi * step / steps))
    return training.lr


def resets_momentum_at(training: Training, step: int, steps: int) -> bool:
    """Whether the optimiser forgets its state before update `step`: the field rebuilds it where the rate drops."""
    return training.schedule == "step" and step == milestone(steps)
