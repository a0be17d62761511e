"""Students: fresh networks trained on a set, together or one by one, with the same numbers either way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from math import isfinite

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ddbench.augment import apply, stream
from ddbench.canonical import digest
from ddbench.evaluate.checkpoint import Checkpoint, Holder, Nowhere, buffers_of
from ddbench.evaluate.gradients import Gradients, single_gradients, stacked_gradients
from ddbench.evaluate.optimiser import Optimiser
from ddbench.evaluate.schedule import Schedule, lr_at, resets_momentum_at
from ddbench.evaluate.streams import StudentStreams
from ddbench.evaluate.together import Together, decide
from ddbench.evaluate.trainingset import TrainingSet
from ddbench.evaluate.weights import Weights
from ddbench.interfaces.network import Classifier, Network, fresh
from ddbench.spec.cell import Labels, Space, Training

CHECK_EVERY = 64
"""Updates between two looks at the device: for progress, and to end where no student is left."""


@dataclass(frozen=True)
class Lesson:
    """What students of one group have in common: the set, the recipe, the schedule, and their random streams."""

    train: TrainingSet
    training: Training
    schedule: Schedule
    streams: StudentStreams
    strategy: str = ""
    """Augmentation, one draw an update (the operation) and a sample (its parameters); '' for none."""
    labels: Labels = "hard"
    space: Space = "signal"
    """What the set holds, signals or codes: tells students apart whose random streams are the same."""


@dataclass(frozen=True)
class Student:
    """A trained student. `train_loss` is the mean of its last epoch, None where it stopped at a non-finite loss."""

    model: nn.Module
    steps: int
    samples_seen: int
    train_loss: float | None


Told = Callable[[float], None]


def train_students(
    network: Network,
    n_classes: int,
    lesson: Lesson,
    indices: Sequence[int],
    *,
    device: str | torch.device = "cpu",
    together: Together = "auto",
    progress: Told = lambda fraction: None,
) -> list[Student]:
    """The students with these indices, each from its own weights, order and augmentation.

    A student whose loss is not finite stops where it is. `progress` gets the share of updates done.

    Raises: SpecError where the network does not take the set's shape, or the augmentation does not.
    """
    parts = train_in_parts(network, n_classes, lesson, indices, device=device, together=together, progress=progress)
    return [student for part in parts for student in part.values()]


def train_in_parts(
    network: Network,
    n_classes: int,
    lesson: Lesson,
    indices: Sequence[int],
    *,
    company: int | None = None,
    device: str | torch.device = "cpu",
    together: Together = "auto",
    progress: Told = lambda fraction: None,
    checkpoint: Checkpoint | None = None,
) -> Iterator[dict[int, Student]]:
    """Students by index as soon as they are trained: all of them where they are trained together, else each alone.

    `company` is how many students there are in all, if some are not to be trained again: what decides whether to train
    together. Training goes on from the checkpoint where that is one of these students.

    Raises: SpecError as `train_students`.
    """
    shape, keep = lesson.train.shape, checkpoint or Nowhere()

    def start(index: int) -> Classifier:
        model = fresh(network, shape, n_classes, lesson.streams.init(index), device)
        return model.to(lesson.train.dtype).train()

    first = start(indices[0])
    where = next(first.parameters()).device
    if decide(together, first, company or len(indices), shape, lesson.schedule.batch):
        weights = Weights([first, *(start(i) for i in indices[1:])])
        of = _name(network, lesson, indices)
        students = _train(lesson, indices, weights, stacked_gradients(weights), progress, keep, of)
        yield dict(zip(indices, students))
        return
    for done, index in enumerate(indices):
        weights = Weights([start(index) if done else first])

        def share(fraction: float, done: int = done) -> None:
            progress((done + fraction) / len(indices))

        with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
            torch.manual_seed(lesson.streams.noise(index))
            of, gradients = _name(network, lesson, [index]), single_gradients(weights)
            students = _train(lesson, [index], weights, gradients, share, keep, of, noise=where)
        yield dict(zip([index], students))


def _name(network: Network, lesson: Lesson, indices: Sequence[int]) -> str:
    """What tells students of one set apart."""
    described = [type(network).__qualname__, network.config.model_dump(mode="json"), lesson.strategy, list(indices)]
    described += [] if lesson.space == "signal" else [lesson.space]
    recipe = [lesson.training.model_dump(mode="json"), asdict(lesson.schedule), asdict(lesson.streams)]
    labels = [] if lesson.labels == "hard" else [lesson.labels]
    return digest([*described, *recipe, *labels])


def _train(
    lesson: Lesson, indices: Sequence[int], weights: Weights, gradients: Gradients, progress: Told,
    checkpoint: Checkpoint, of: str, noise: torch.device | None = None,
) -> list[Student]:  # fmt: skip
    training, schedule = lesson.training, lesson.schedule
    optimiser = Optimiser(training, weights.values)
    watch = _Watch(len(indices), schedule, weights.values.device)
    holder = Holder(of, lambda: optimiser.tensors() | watch.tensors() | buffers_of(weights.models), noise)
    begin = holder.put_back(checkpoint.load())
    if begin:
        progress(begin / schedule.steps)
    feeds = [_feed(lesson, i, weights.values.device, begin) for i in indices]
    for step, batches in enumerate(zip(*feeds), begin):
        if step % CHECK_EVERY == 0:
            progress(step / schedule.steps)
            if step and not bool(watch.alive.any()):
                break
        if resets_momentum_at(training, step, schedule.steps):
            optimiser.reset()
        losses = gradients(*(part[0][None] if len(part) == 1 else torch.stack(part) for part in zip(*batches)))
        alive = watch.see(step, losses)
        optimiser.update(weights.gradients, lr_at(training, step, schedule.steps), alive)
        if checkpoint.due():
            checkpoint.save(holder.state(step + 1))
    progress(1.0)
    return [
        Student(model, steps, schedule.samples(steps), loss)
        for model, steps, loss in zip(weights.models, watch.steps.tolist(), watch.last_epoch())
    ]


def _feed(lesson: Lesson, student: int, device: torch.device, begin: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The augmented batches of one student from update `begin` on: what was drawn before is drawn again and left."""
    schedule, streams = lesson.schedule, lesson.streams
    order = streams.order(student, schedule, device)
    draws = stream(lesson.strategy, lesson.train.shape, schedule.batch, streams.augment(student), device)
    for index, draw in islice(zip(order, draws), begin, None):
        x, y = lesson.train.batch(index)
        yield apply(draw, x[:, None])[:, 0], y


class _Watch:
    """Which students still learn, for how many updates they did, and their losses of the last epoch."""

    def __init__(self, students: int, schedule: Schedule, device: torch.device) -> None:
        self.schedule = schedule
        self.alive = torch.ones(students, dtype=torch.bool, device=device)
        self.steps = torch.zeros(students, dtype=torch.long, device=device)
        self._sum = torch.zeros(students, device=device)
        self._items = torch.zeros((), dtype=torch.long)

    def tensors(self) -> dict[str, Tensor]:
        """What is noted so far, live."""
        return {"alive": self.alive, "steps": self.steps, "loss_sum": self._sum, "loss_items": self._items}

    def see(self, step: int, losses: Float[Tensor, " s"]) -> Bool[Tensor, " s"]:
        """Notes an update's losses. A student that is once not finite is no longer alive."""
        self.alive &= losses.isfinite()
        self.steps += self.alive
        if step >= self.schedule.steps - self.schedule.epoch_steps:
            items = self.schedule.items_at(step)
            self._sum += losses * items
            self._items += items
        return self.alive

    def last_epoch(self) -> list[float | None]:
        """Mean loss over the items of the last epoch."""
        means = (self._sum / max(int(self._items), 1)).tolist()
        return [m if ok and isfinite(m) else None for m, ok in zip(means, self.alive.tolist())]
