"""From a set and a protocol to the record of every student: groups, columns, what was done already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ddbench import registry
from ddbench.augment import families
from ddbench.data import Data
from ddbench.evaluate.checkpoint import Checkpoint, Nowhere
from ddbench.evaluate.estimators import fit_in_turn, whole
from ddbench.evaluate.schedule import Schedule, schedule_for
from ddbench.evaluate.scoring import correct
from ddbench.evaluate.streams import StudentStreams
from ddbench.evaluate.students import Lesson, Student, train_in_parts
from ddbench.evaluate.together import Together
from ddbench.evaluate.trainingset import SplitSet, TrainingSet
from ddbench.interfaces.estimator import Estimator
from ddbench.result.schema import StudentRun, pack_bits
from ddbench.spec.cell import Choice, EvaluationProtocol, Labels, RunColumn, Space, Training
from ddbench.spec.networks import labels


def evaluate(
    train: TrainingSet,
    data: Data,
    protocol: EvaluationProtocol,
    *,
    reference_items: int,
    seed: int,
    own: tuple[Choice, Training] | None = None,
    told: Labels = "hard",
    space: Space = "signal",
    device: str = "cpu",
    done: Sequence[StudentRun] = (),
    progress: Callable[[float], None] = lambda fraction: None,
    together: Together = "auto",
    checkpoint: Checkpoint | None = None,
) -> Iterator[list[StudentRun]]:
    """Students of every network and column on a distilled set; yields runs as soon as their students are tested.

    `space` says what the values of `train` and of `data` are: signals, or codes (`ddbench.run.code_students`).

    `reference_items` is K·n₀, what the float32 identity codec would hold. Students of the network `own[0]` are trained
    by `own[1]` instead of the protocol. `told` is what the labels of `train` are, for the records; `by_labels` goes
    through those that the protocol asks for. Columns that would train the same students are trained once and yielded
    together, and so are students who are trained together. Estimators are fitted once, to their own end, and stand in
    every column alike. Students in `done` are not trained again; one that was in
    training goes on from the checkpoint, which is dropped when the next run is asked for.

    Raises: SpecError where a network or the augmentation does not take the set's shape.
    """
    return _groups(train, data, protocol, protocol, protocol.columns, reference_items, seed, own, told, space).run(
        device, done, progress, together, checkpoint or Nowhere()
    )


def evaluate_full(
    data: Data,
    protocol: EvaluationProtocol,
    *,
    seed: int,
    device: str = "cpu",
    done: Sequence[StudentRun] = (),
    progress: Callable[[float], None] = lambda fraction: None,
    together: Together = "auto",
    checkpoint: Checkpoint | None = None,
) -> Iterator[list[StudentRun]]:
    """The ceiling: students on the whole training set by the protocol's `full` recipe (default: its own), E passes.

    Yields runs, and resumes, as `evaluate` does.

    Raises: SpecError where a network or the augmentation does not take the signals.
    """
    train = SplitSet(data.train, data.card.signal)
    training = protocol.full or protocol
    return _groups(train, data, protocol, training, ("equal_epochs",), len(train), seed).run(
        device, done, progress, together, checkpoint or Nowhere()
    )


@dataclass(frozen=True)
class _Group:
    """Students of one network and schedule, recorded under one or more columns."""

    choice: Choice
    label: str
    training: Training
    schedule: Schedule
    columns: tuple[RunColumn, ...]


@dataclass(frozen=True)
class _Evaluation:
    train: TrainingSet
    data: Data
    students: int
    seed: int
    groups: tuple[_Group, ...]
    told: Labels = "hard"
    space: Space = "signal"

    def run(
        self,
        device: str,
        done: Sequence[StudentRun],
        progress: Callable[[float], None],
        together: Together,
        checkpoint: Checkpoint,
    ) -> Iterator[list[StudentRun]]:
        have = {
            (run.network, run.column, run.student) for run in done if (run.space, run.labels) == (self.space, self.told)
        }
        train = self.train.to(device)
        work = [g.schedule.samples(g.schedule.steps) for g in self.groups]
        behind = 0
        for group, size in zip(self.groups, work):
            columns: dict[int, list[RunColumn]] = {
                s: [c for c in group.columns if (group.label, c, s) not in have] for s in range(self.students)
            }
            missing = [s for s in columns if columns[s]]
            start, left = behind + size * (1 - len(missing) / self.students), size * len(missing) / self.students

            def share(fraction: float, start: float = start, left: float = left) -> None:
                progress((start + fraction * left) / sum(work))

            if missing:
                for trained in self._train(train, group, missing, device, together, share, checkpoint):
                    yield self._records(group, columns, trained, device)
                    checkpoint.drop()
            behind += size
            progress(behind / sum(work))

    def _train(
        self,
        train: TrainingSet,
        group: _Group,
        students: Sequence[int],
        device: str,
        together: Together,
        progress: Callable[[float], None],
        checkpoint: Checkpoint,
    ) -> Iterator[dict[int, Student]]:
        card = self.data.card
        streams = StudentStreams(card.name, card.revision, self.seed, group.choice.name)
        network = registry.build("network", group.choice.name, group.choice.args)
        if isinstance(network, Estimator):
            return fit_in_turn(network, card.n_classes, train, streams, students, progress, device)
        strategy = _strategy(self.data, group.training)
        lesson = Lesson(train, group.training, group.schedule, streams, strategy, self.told, self.space)
        return train_in_parts(
            network,
            card.n_classes,
            lesson,
            students,
            company=self.students,
            device=device,
            together=together,
            progress=progress,
            checkpoint=checkpoint,
        )

    def _records(
        self, group: _Group, columns: Mapping[int, Sequence[RunColumn]], students: Mapping[int, Student], device: str
    ) -> list[StudentRun]:
        right = correct([s.model for s in students.values()], self.data.held_out, self.data.card.signal, device=device)
        return [
            StudentRun(
                column=column,
                network=group.label,
                labels=self.told,
                student=index,
                accuracy=int(row.sum()) / len(row),
                n_test=len(row),
                correct=pack_bits(row.tolist()),
                steps=student.steps,
                samples_seen=student.samples_seen,
                train_loss=student.train_loss,
                space=self.space,
            )
            for column in group.columns
            for (index, student), row in zip(students.items(), right)
            if column in columns[index]
        ]


def _groups(
    train: TrainingSet,
    data: Data,
    protocol: EvaluationProtocol,
    training: Training,
    columns: Sequence[RunColumn],
    reference_items: int,
    seed: int,
    own: tuple[Choice, Training] | None = None,
    told: Labels = "hard",
    space: Space = "signal",
) -> _Evaluation:
    groups = []
    for label, choice in dict(zip(labels(protocol.networks), protocol.networks)).items():
        rule = own[1] if own and own[0] == choice else training
        families(_strategy(data, rule), train.shape)
        by_schedule: dict[Schedule, list[RunColumn]] = {}
        by_itself = issubclass(registry.load("network", choice.name), Estimator)
        for column in columns:
            schedule = whole(len(train)) if by_itself else schedule_for(column, rule, len(train), reference_items)
            by_schedule.setdefault(schedule, []).append(column)
        groups += [_Group(choice, label, rule, schedule, tuple(named)) for schedule, named in by_schedule.items()]
    return _Evaluation(train, data, protocol.students, seed, tuple(groups), told, space)


def _strategy(data: Data, training: Training) -> str:
    return data.card.signal.strategy if training.augment == "dataset" else ""
