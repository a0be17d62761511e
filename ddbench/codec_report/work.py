"""The report from what is asked to its figures: plan, data, students on the originals, row after row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from ddbench import data as data_module
from ddbench import registry
from ddbench.canonical import digest
from ddbench.codec_report.asked import Asked
from ddbench.codec_report.fidelity import measures_of
from ddbench.codec_report.fitted import as_signals_of, check_same_signals
from ddbench.codec_report.items import balanced
from ddbench.codec_report.kept import Kept
from ddbench.codec_report.learners import School, estimate
from ddbench.codec_report.lines import SEMANTICS, Line, lines
from ddbench.codec_report.measure import Bench, Schooling, measure
from ddbench.codec_report.schema import CodecReport, Row, Without
from ddbench.data import Data
from ddbench.errors import DataError, DdbenchError, RunError
from ddbench.evaluate.trainingset import SplitSet
from ddbench.interfaces.dataset import DatasetCard
from ddbench.interfaces.network import measures
from ddbench.planning.facts import asked as answered
from ddbench.planning.facts import card_of, version
from ddbench.registry import Kind
from ddbench.run.provenance import now, provenance_with
from ddbench.spec.cell import Choice

MOST_EXAMPLES = 10


@dataclass(frozen=True)
class Plan:
    """What will be done."""

    asked: Asked
    card: DatasetCard
    fit_card: DatasetCard
    lines: tuple[Line, ...]
    without: tuple[Without, ...]
    keys: tuple[str, ...]
    student_keys: tuple[str, ...]
    """Of the students on the originals, by seed; empty without students."""


@dataclass
class Outcome:
    """The report and what is drawn of it."""

    report: CodecReport
    originals: Tensor
    """Normalised examples."""
    examples: dict[str, Tensor] = field(default_factory=dict)
    """Their reconstructions by the row's key."""


@dataclass
class Listener:
    """Hears how the work goes on. The defaults are silent."""

    begun: Callable[[str], None] = lambda title: None
    share: Callable[[str, float], None] = lambda what, share: None
    row: Callable[[Row], None] = lambda row: None
    failed: Callable[[str, str], None] = lambda title, why: None


def plan(asked: Asked, run_on: str) -> Plan:
    """What is to be measured; no data are read. Raises: DdbenchError where nothing can be."""
    card = card_of(asked.dataset)
    fit_card = card if asked.fit_on is None else card_of(asked.fit_on)
    check_same_signals(card, fit_card)
    found, without, errors = lines(asked, card, fit_card.n_classes)
    if not found:
        told = "\n".join(f"  {one.label}: {one.why}" for one in without)
        lacking = sum(isinstance(error, DataError) for error in errors)
        if lacking == len(errors):
            raise DataError(f"No codec can be measured: files that they need are missing or damaged.\n{told}")
        which = f", or their files are missing or damaged ({lacking} of {len(errors)})" if lacking else ""
        signals = f"the signals of {card.name!r}, shape {card.signal.shape}"
        raise RunError(f"No codec can be measured: they do not take {signals}{which}.\n{told}")
    students: tuple[str, ...] = ()
    if asked.network is not None:
        network, known = asked.network, version("network", asked.network)
        model = registry.build("network", network.name, network.args)
        answered(f"The network '{network}'", lambda: measures(model, card.signal.shape, card.n_classes))
        told = [asked.dataset.model_dump(mode="json"), network.model_dump(mode="json"), known, card.revision]
        told += [asked.training.model_dump(mode="json"), asked.evaluate_on, run_on]
        students = tuple(digest([SEMANTICS, "originals", told, seed]) for seed in asked.seeds)
    keys = tuple(line.key(asked, card.revision, fit_card.revision, run_on) for line in found)
    return Plan(asked, card, fit_card, tuple(found), tuple(without), keys, students)


def work(plan: Plan, kept: Kept, device: torch.device, command: str, heard: Listener) -> Outcome:
    """Measures every line that has no row yet. A line that fails is named in the report, the others go on.

    Raises: DataError where data are missing; RunError where the folder cannot be written.
    """
    asked, card, started = plan.asked, plan.card, now()
    data = _load(asked.dataset, asked)
    fit_data = data if asked.fit_on is None else as_signals_of(card, _load(asked.fit_on, asked))
    measured = data.held_out.take(balanced(data.held_out.labels, card.n_classes, asked.items, card.revision))
    examples = _examples(measured.labels)
    schooling = _schooling(plan, data, kept, device, heard)
    bench = Bench(asked, data, fit_data, measured, examples, device, schooling)
    rows: list[Row] = []
    without, drawn = list(plan.without), {}
    for line, key in zip(plan.lines, plan.keys):
        found = kept.row(key)
        if found is None:
            heard.begun(line.title)
            found = _measured(line, bench, key, heard, without)
            if found is None:
                continue
            kept.keep_row(*found)
        rows.append(found[0])
        drawn[key] = found[1]
        heard.row(found[0])
    report = CodecReport(
        command=command,
        asked=asked,
        revision=card.revision,
        fit_revision=plan.fit_card.revision,
        classes=card.n_classes,
        shape=card.signal.shape,
        held_out=len(data.held_out),
        measures={m.name: m.meaning for m in measures_of(card.signal)},
        features=_features(schooling, asked),
        originals=None if schooling is None else estimate(schooling.accuracy),
        rows=tuple(rows),
        without=tuple(without),
        provenance=provenance_with(_plugins(plan), device, started),
    )
    return Outcome(report, card.signal.normalise(measured.signals[examples]), drawn)


def _load(choice: Choice, asked: Asked) -> Data:
    dataset = registry.build("dataset", choice.name, choice.args)
    return answered(f"The dataset '{choice}'", lambda: data_module.load(dataset, asked.evaluate_on))


def _examples(labels: Tensor) -> Tensor:
    """The first signal of each class, of the first classes."""
    return torch.stack([(labels == k).nonzero()[0, 0] for k in labels.unique().tolist()[:MOST_EXAMPLES]])


def _measured(line: Line, bench: Bench, key: str, heard: Listener, without: list[Without]) -> tuple[Row, Tensor] | None:
    """The row, or None and a word among `without`: codecs are other people's code and may raise anything."""
    try:
        return measure(line, bench, key, heard.share)
    except DdbenchError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001  (as above)
        why = f"{type(error).__name__}: {error}"
    why = " ".join(why.split())
    without.append(Without(label=line.title, why=why, failed=True))
    heard.failed(line.title, why)
    return None


def _schooling(plan: Plan, data: Data, kept: Kept, device: torch.device, heard: Listener) -> Schooling | None:
    asked = plan.asked
    if asked.network is None:
        return None
    school = School(data, asked.network, asked.training, device)
    accuracy, observer = {}, None
    for seed, key in zip(asked.seeds, plan.student_keys):
        found = kept.student(key)
        if found is None:
            heard.begun("student on the originals" + (f", seed {seed}" if len(asked.seeds) > 1 else ""))
            model = school.train(SplitSet(data.train, data.card.signal), seed, partial(heard.share, "student"))
            found = dict(model.state_dict()), {"accuracy": school.accuracy(model)}
            kept.keep_student(key, *found)
        accuracy[seed] = float(found[1]["accuracy"])
        observer = observer or school.restore(found[0])
    assert observer is not None
    return Schooling(school, accuracy, observer)


def _features(schooling: Schooling | None, asked: Asked) -> str:
    if schooling is None:
        return ""
    return (
        f"last layer before the logits of a student on the originals, seed {asked.seeds[0]}: {schooling.school.words()}"
    )


def _plugins(plan: Plan) -> dict[str, str]:
    asked = plan.asked
    used: Sequence[tuple[Kind, Choice | None]] = [
        ("dataset", asked.dataset), ("dataset", asked.fit_on), ("network", asked.network),
        *(("codec", line.codec) for line in plan.lines),
    ]  # fmt: skip
    return {f"{kind} {c.name}": registry.origin(registry.entry(kind, c.name)) for kind, c in used if c is not None}
