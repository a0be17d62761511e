"""A row: all results of one cell but for its seed, and what they say together. torch-free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from ddbench.canonical import canonical
from ddbench.result.bits import right_answers
from ddbench.result.schema import UNDISCLOSED, Result, StudentRun
from ddbench.spec.cell import Cell, Choice, RunColumn, Space
from ddbench.spec.mandatory import NAMES
from ddbench.stats import Interval, interval, mean, sampled_interval

Score = tuple[str, str]
"""A column of accuracies: how students were trained and on what (`column_of`), and which they were (`student_label`, or
UNSEEN)."""
PLAIN = Choice(name=NAMES.identity)
SPACES: tuple[Space, ...] = ("signal", "code")
"""Of students, in the order of their columns."""
ON_CODES = "_on_codes"
"""Ends the name of a column whose students saw codes, in training and test: never in one with students on signals."""
UNSEEN = "unseen"
"""Stands for all student networks that are not the row's match network, each with the same weight."""

OWN_LABELS = " own labels"
"""Told of students that learned the soft labels which their set stores; the others learned classes."""

RAN_OUT = "rarest class has signals for"
"""What the note of a result says where a selector had no more real items to pick (`ddbench.distill.picking`)."""


def column_of(column: RunColumn, space: Space) -> str:
    """The name of a column of accuracies."""
    return column if space == "signal" else column + ON_CODES


@dataclass(frozen=True)
class Row:
    """All results of one cell but for its seed. Replications of a seed count as more students of that seed."""

    results: tuple[Result, ...]

    @cached_property
    def cell(self) -> Cell:
        return self.results[0].cell

    @cached_property
    def stored_as(self) -> str:
        """Its budget, codec and storage type, as a name to look up."""
        return self._stored(self.cell.codec, self.cell.storage)

    @cached_property
    def yardstick(self) -> str:
        """What `stored_as` is of the row with plain float32 signals at this budget."""
        return self._stored(PLAIN, "float32")

    def _stored(self, codec: Choice, storage: str) -> str:
        budget = self.cell.budget and self.cell.budget.model_dump()
        return canonical([budget, codec.model_dump(), storage])

    @cached_property
    def network(self) -> str:
        """The match network with its arguments, as a name to look up."""
        return canonical(self.cell.network.model_dump())

    @cached_property
    def place(self) -> str:
        """What rows have in common that only their method's arguments may tell apart."""
        return canonical([self.cell.method.name, self.cell.space, self.stored_as, self.network])

    @cached_property
    def ok(self) -> tuple[Result, ...]:
        return tuple(r for r in self.results if r.status == "ok")

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(r for r in self.results if r.status != "ok")

    @property
    def is_ceiling(self) -> bool:
        return self.cell.budget is None

    @property
    def is_matched(self) -> bool:
        """Whether its match network is known: the ceiling has none, a set made elsewhere does not say."""
        return not self.is_ceiling and self.cell.origin is None

    @property
    def is_learned(self) -> bool:
        """Whether a matching loss moved the items: every update records one, and nothing else does.

        A matcher with no updates is not: its row holds the items that `random` picks.
        """
        return any(r.losses for r in self.ok)

    @property
    def is_refitted(self) -> bool:
        """Whether a part of the decoder costs nothing because it is fitted again on the training set."""
        return any(r.bytes.refitted for r in self.ok if r.bytes)

    @property
    def is_free_in_domain(self) -> bool:
        """Whether the decoder costs nothing although it was trained on the dataset."""
        return any(r.bytes.free_in_domain for r in self.ok if r.bytes)

    @property
    def is_undisclosed(self) -> bool:
        """Whether the decoder costs nothing and does not say what it was trained on: perhaps on the dataset."""
        silent = ("", UNDISCLOSED)
        return any(r.bytes.decoder and r.bytes.decoder_training_data in silent for r in self.ok if r.bytes)

    @property
    def is_unranked(self) -> bool:
        """Whether what was, or may have been, fitted on the dataset costs nothing."""
        return self.is_refitted or self.is_free_in_domain or self.is_undisclosed

    @property
    def ran_out(self) -> bool:
        """Whether the budget holds more items than the rarest class has."""
        return any(RAN_OUT in note for r in self.ok for note in r.notes)

    def accuracy(self, score: Score) -> Interval | None:
        """Mean and interval over distillation seeds; None where no student was scored so."""
        return self.mean_over(score[0], (score[1],))

    def mean_over(self, column: str, networks: Collection[str]) -> Interval | None:
        """The same of several networks together; None where one of them was not scored.

        A seed has as many students of one network as of another, so that networks weigh the same.
        """
        asked = column, *networks
        if asked not in self._intervals:
            by_seed = self.by_seed(column, networks)
            self._intervals[asked] = interval(by_seed) if by_seed else None
        return self._intervals[asked]

    @cached_property
    def _intervals(self) -> dict[tuple[str, ...], Interval | None]:
        """What `mean_over` has found: every table, chart and page asks for the same."""
        return {}

    def by_seed(self, column: str, networks: Collection[str]) -> dict[int, list[float]]:
        """Every student's accuracy, by seed; nothing where one of the networks was not scored."""
        by_seed: dict[int, list[float]] = defaultdict(list)
        for network in dict.fromkeys(networks):
            if (column, network) not in self._accuracies:
                return {}
            for seed, accuracies in self._accuracies[column, network].items():
                by_seed[seed] += accuracies
        return dict(by_seed)

    def sampled(self, column: str, networks: Collection[str]) -> Interval | None:
        """`mean_over` with the half widths for test sampling; None where students met different numbers of items."""
        if not self.mean_over(column, networks):
            return None
        answers: dict[int, list[StudentRun]] = defaultdict(list)
        for network in dict.fromkeys(networks):
            for seed, runs in self._runs[column, network].items():
                answers[seed] += runs
        sizes = {run.n_test for runs in answers.values() for run in runs}
        if len(sizes) > 1:
            return None
        (n,) = sizes
        return sampled_interval([[right_answers(run.correct, n) for run in runs] for runs in answers.values()], n)

    @cached_property
    def _accuracies(self) -> dict[Score, dict[int, list[float]]]:
        """Every student's accuracy, by column and network, by seed."""
        return {
            score: {seed: [run.accuracy for run in runs] for seed, runs in by_seed.items()}
            for score, by_seed in self._runs.items()
        }

    @cached_property
    def _runs(self) -> dict[Score, dict[int, list[StudentRun]]]:
        """Every student, by column and network, by seed."""
        found: dict[Score, dict[int, list[StudentRun]]] = defaultdict(lambda: defaultdict(list))
        for result in self.ok:
            for run in result.runs:
                found[column_of(run.column, run.space), student_label(run)][result.cell.seed].append(run)
        return dict(found)

    def steps(self, column: str) -> int | None:
        """Most updates of a student. A stored code is one signal, so students on codes have as many."""
        return self._most.get(column.removesuffix(ON_CODES), (None, None))[0]

    def samples_seen(self, column: str) -> int | None:
        return self._most.get(column.removesuffix(ON_CODES), (None, None))[1]

    @cached_property
    def _most(self) -> dict[str, tuple[int, int]]:
        """By column, most updates of a student and most samples that one saw."""
        found: dict[str, tuple[int, int]] = {}
        for result in self.ok:
            for run in result.runs:
                steps, seen = found.get(run.column, (0, 0))
                found[run.column] = max(steps, run.steps), max(seen, run.samples_seen)
        return found

    @cached_property
    def items(self) -> tuple[int, ...]:
        """Stored items of each class, of every seed."""
        return tuple(n for r in self.ok if r.bytes for n in r.bytes.items)

    @cached_property
    def signals(self) -> tuple[int, ...]:
        return tuple(n for r in self.ok if r.bytes for n in r.bytes.signals)

    @cached_property
    def used_bytes(self) -> int | None:
        """Bytes of the largest set among the seeds."""
        return max((r.bytes.used for r in self.ok if r.bytes), default=None)

    @cached_property
    def allowed_bytes(self) -> int | None:
        return next((r.bytes.allowed for r in self.ok if r.bytes), None)

    @property
    def over_bytes(self) -> int:
        """Most bytes over the cap, which only side information may be."""
        return max((r.bytes.over_cap for r in self.ok if r.bytes), default=0)

    @cached_property
    def seconds(self) -> float | None:
        """Mean seconds a cell, all phases."""
        return mean([sum(p.seconds for p in r.phases) for r in self.ok]) if self.ok else None

    @property
    def classes(self) -> int | None:
        return next((len(r.bytes.items) for r in self.ok if r.bytes), None)


def student_label(run: StudentRun) -> str:
    """The student's network, and what it learned where that is not classes."""
    return run.network + (OWN_LABELS if run.labels == "own" else "")
