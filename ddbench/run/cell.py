"""One cell from data to result: load, fit, distil, store, read back, train students, test them once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from ddbench import artifact, registry, rng
from ddbench import data as data_module
from ddbench.artifact.card import Card
from ddbench.artifact.distilled import CARD, TENSORS, DistilledSet, leaf_cards
from ddbench.budget import reference_slots
from ddbench.data import Data
from ddbench.distill.build import first_task, learn_set
from ddbench.distill.checkpoint import read_checkpoint, write_checkpoint
from ddbench.distill.loop import Progress
from ddbench.distill.picking import Picking
from ddbench.distill.workshop import Built, Workshop
from ddbench.errors import ArtifactError, Divergence, PluginError, SpecError
from ddbench.evaluate import evaluate_full
from ddbench.evaluate.told import by_labels
from ddbench.files import read_json, write_atomic
from ddbench.interfaces.codec import Codec, Codes, Target
from ddbench.interfaces.lengths import codec_for
from ddbench.interfaces.method import Ceiling, Given, Matcher, Method, Selector
from ddbench.planning.facts import cap_bytes
from ddbench.result.schema import Artifact, LossPoint, StorageReport, StudentRun
from ddbench.run.code_students import as_codes
from ddbench.run.phases import Record
from ddbench.run.storage import ceiling_storage, measure, storage_notes
from ddbench.run.student_checkpoint import StudentCheckpoint
from ddbench.spec.cell import OWN_RECIPE, Cell, Choice, EvaluationProtocol, Space, Training
from ddbench.store import cached

Report = Callable[[str, float], None]
"""Told the phase and its progress in [0, 1]."""
_RUNS = TypeAdapter(list[StudentRun])


@dataclass(frozen=True)
class Outcome:
    """What a cell gives besides its provenance."""

    storage: StorageReport
    runs: tuple[StudentRun, ...]
    artifact: Artifact | None
    losses: tuple[LossPoint, ...]
    notes: tuple[str, ...]
    divergence: Divergence | None = None


@lru_cache(maxsize=2)
def _load(dataset_json: str, evaluate_on: str) -> Data:
    choice = Choice.model_validate_json(dataset_json)
    return data_module.load(registry.build("dataset", choice.name, choice.args), evaluate_on)  # pyright: ignore[reportArgumentType]


def load_data(cell: Cell) -> Data:
    """The cell's data, shared by the cells of one process. Raises: DataError; SpecError where its revision changed."""
    loaded = _load(cell.dataset.model_dump_json(), cell.protocol.evaluate_on)
    if loaded.card.revision != cell.versions.dataset:
        raise SpecError(
            f"The cell was planned for revision {cell.versions.dataset} of {cell.dataset}; the data here are revision "
            f"{loaded.card.revision}. Run the suite into a new folder."
        )
    return loaded


def produce(
    cell: Cell, folder: Path, record: Record, device: torch.device, checkpoint_s: float, report: Report
) -> Outcome:
    """Brings a cell to its outcome, picking up whatever an interrupted run left in `folder`."""
    report("data", 0.0)
    with record.phase("data"):
        data = load_data(cell)
    method: Method = registry.build("method", cell.method.name, cell.method.args)
    if isinstance(method, Ceiling):
        storage = ceiling_storage(data)
        score = partial(evaluate_full, data, cell.protocol)
        runs = students(cell, folder, record, score, device, checkpoint_s, report)
        return Outcome(storage, runs, None, (), tuple(record.notes))

    assert cell.budget is not None
    card = data.card
    cap = cap_bytes(cell, card)
    stored = left_behind(folder, record)
    divergence = None
    if stored is None:
        stored, divergence = make(cell, folder, record, data, method, cap, device, checkpoint_s, report)
    storage = measure(stored, cap)
    for note in storage_notes(storage, cell):
        record.note(note)
    kept = Artifact(file=TENSORS, sha256=stored.card.sha256)
    losses = tuple(LossPoint(step=s, loss=x) for s, x in record.losses)
    if divergence is not None:
        return Outcome(storage, (), kept, losses, tuple(record.notes), divergence)
    whole = complete(cell, stored, data)
    x, source = whole.decode_items()
    signals = torch.bincount(whole.labels[source], minlength=card.n_classes).tolist()
    storage = storage.model_copy(update={"signals": tuple(signals)})
    reference = reference_slots(card.signal.bare.shape, card.n_classes, cap) * card.n_classes
    score = partial(in_each_space, cell, method, whole, (x, source), data, reference, record)
    runs = students(cell, folder, record, score, device, checkpoint_s, report)
    return Outcome(storage, runs, kept, losses, tuple(record.notes))


def in_each_space(
    cell: Cell, method: Method, stored: DistilledSet, decoded: tuple[torch.Tensor, torch.Tensor], data: Data,
    reference: int, record: Record, *, progress: Callable[[float], None], device: str, **options: Any,
) -> Iterator[list[StudentRun]]:  # fmt: skip
    """Students on the set's decoded signals, on its codes, or on both in turn, by each kind of label that is asked for.

    `decoded` are the signals and, for each, the row of the item that it came from. A stored code is one item. Students
    of a recipe that was declared with the set come last.
    """
    spaces, soft = cell.protocol.student_spaces, method.own_labels(stored.codes, stored.labels, data.card.n_classes)
    parts = len(spaces) + (cell.own_recipe is not None)
    for i, space in enumerate(spaces):

        def share(fraction: float, i: int = i) -> None:
            progress((i + fraction) / parts)

        (x, source), seen = decoded, data
        if space == "code":
            seen = as_codes(stored, data, torch.device(device))
            x = seen.card.signal.normalise(seen.train.signals)
            source = torch.arange(len(x))
        own = own_recipe(cell, method, stored, record, space)
        yield from by_labels(
            x, stored.labels[source], None if soft is None else soft[source], seen, cell.protocol,
            reference_items=reference, own=own, space=space, device=device, progress=share, **options,
        )  # fmt: skip
    if cell.own_recipe is not None:

        def last(fraction: float) -> None:
            progress((len(spaces) + fraction) / parts)

        x, source = decoded
        declared = declared_recipe(cell.protocol, cell.own_recipe, soft is not None)
        yield from by_labels(
            x, stored.labels[source], None if soft is None else soft[source], data, declared,
            reference_items=reference, device=device, progress=last, **options,
        )  # fmt: skip


def declared_recipe(protocol: EvaluationProtocol, own: Training, has_own_labels: bool) -> EvaluationProtocol:
    """The protocol with the recipe that was declared with the set, in its one column: on its own labels if it has any.

    Students of one index start from the same weights as the protocol's.
    """
    fields = {name: getattr(own, name) for name in Training.model_fields}
    labels = ("own",) if has_own_labels else ("hard",)
    return protocol.model_copy(update={**fields, "columns": (OWN_RECIPE,), "labels": labels})


def complete(cell: Cell, stored: DistilledSet, data: Data | None = None) -> DistilledSet:
    """The set with whatever its codec does not store but fits again; most codecs store everything.

    Raises: DataError, SpecError where that needs the cell's data (by default they are loaded) and they are not there.
    """
    if not stored.lacking:
        return stored
    return stored.completed(fit(cell, stored.codec(), data or load_data(cell)))


def own_recipe(
    cell: Cell, method: Method, stored: DistilledSet, record: Record, space: Space = "signal"
) -> tuple[Choice, Training] | None:
    """(match network, how its students are trained) where the set brings that along and students see what it saw."""
    brought = method.recipe(stored.codes) if isinstance(method, Matcher) and cell.space == space else {}
    if cell.network not in cell.protocol.networks:
        return None
    if not brought:
        if isinstance(method, Matcher) and type(method).recipe is not Matcher.recipe and cell.space == space:
            record.note("The set brings no training recipe that can be used: its students have the protocol's.")
        return None
    told = ", ".join(f"{name} {value:.6g}" for name, value in brought.items())
    fields = {name: getattr(cell.protocol, name) for name in Training.model_fields}
    try:
        own = Training.model_validate({**fields, **brought})
    except ValidationError as error:
        raise PluginError(
            f"The method '{cell.method}' asks that students be trained with {told}, which is not a recipe."
        ) from error
    seen = "" if space == "signal" else " on codes"
    record.note(f"Students of {cell.network}{seen} are trained with what the set brings along: {told}.")
    return cell.network, own


def left_behind(folder: Path, record: Record) -> DistilledSet | None:
    """The set that an interrupted run had finished, None where there is none or it is damaged."""
    if not (folder / CARD).exists():
        return None
    try:
        return artifact.load(folder)
    except ArtifactError as error:
        record.note(f"A damaged set was made anew: {error}")
        for of_the_old in ("students.json", "student.safetensors"):
            (folder / of_the_old).unlink(missing_ok=True)
        return None


def make(
    cell: Cell, folder: Path, record: Record, data: Data, method: Method, cap: int, device: torch.device,
    checkpoint_s: float, report: Report,
) -> tuple[DistilledSet, Divergence | None]:  # fmt: skip
    """Makes the set, writes it and reads it back. Raises: ArtifactError for a set that was made elsewhere."""
    if isinstance(method, Given):
        raise ArtifactError(
            f"{folder} lacks its set, or it was damaged; it was made elsewhere and cannot be made here. "
            "Give the set to `ddbench evaluate` once more."
        )
    report("codec", 0.0)
    with record.phase("codec"):
        shop = workshop(cell, data, cap, device)
    report("distil", 0.0)
    if isinstance(method, Matcher):
        built = learn_with_checkpoints(shop, method, folder, record, checkpoint_s, report)
    else:
        assert isinstance(method, Selector)
        picking = Picking(shop, method, partial(report, "prepare"))
        if method.prepares:
            report("prepare", 0.0)
            with record.phase("prepare"):
                picking.prepare()
            report("distil", 0.0)
        with record.phase("distil"):
            built = picking.pick()
    record.losses = list(built.losses)
    for note in built.notes:
        record.note(note)
    record.save()
    with record.phase("store"):
        artifact.save(folder, card_of(cell, data, shop.codec, built, cap), built.codes)
        stored = artifact.load(folder)
    (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    return stored, built.divergence


def workshop(cell: Cell, data: Data, cap: int, device: torch.device) -> Workshop:
    """What the cell's set is made with: its codec, fitted (or found in the cache), and its match network.

    Raises: SpecError where the codec, or the weights that it rests on, are not those that the cell's key is of.
    """
    target = Target(data.card.signal, data.card.n_classes, cap, cell.storage, data.card.family)
    codec = codec_for(cell.codec.name, cell.codec.args, target)
    if codec.version != cell.versions.codec:
        raise SpecError(
            f"The cell was planned for version {cell.versions.codec} of the codec {cell.codec}; here it has version "
            f"{codec.version} (after a + stands the digest of its weights). Run the suite into a new folder."
        )
    fitted = {n: t.to(device) if isinstance(t, torch.Tensor) else t for n, t in fit(cell, codec, data).items()}
    network = registry.build("network", cell.network.name, cell.network.args)
    return Workshop(cell, data, codec, network, cap, device, fitted)


def fit(cell: Cell, codec: Codec, data: Data) -> Codes:
    """Leaves fitted on the training set, shared by all cells that need the same."""
    return fit_on(cell.dataset, cell.protocol.evaluate_on, cell.codec, codec, data)


def fit_on(dataset: Choice, evaluate_on: str, choice: Choice, codec: Codec, data: Data) -> Codes:
    """Leaves of the codec `choice` fitted on the data's training set, from the cache where they are there."""
    coordinates = {
        "dataset": dataset.model_dump(), "revision": data.card.revision, "evaluate_on": evaluate_on,
        "codec": choice.model_dump(mode="json"), "version": codec.version, "target": repr(codec.target),
    }  # fmt: skip
    stream = rng.generator("codec-fit", dataset=data.card.revision)
    if not codec.has_fit:
        return {}
    found = cached("fit", coordinates, lambda: codec.fit(data.source, stream))  # pyright: ignore[reportArgumentType]
    return dict(found)


def learn_with_checkpoints(
    shop: Workshop, matcher: Matcher, folder: Path, record: Record, checkpoint_s: float, report: Report
) -> Built:
    """Learns the set; at most `checkpoint_s` seconds of it are lost to a kill."""
    path, key = folder / "checkpoint.safetensors", shop.cell.key
    progress, before_s = Progress(), 0.0
    try:
        found = read_checkpoint(path, key)
    except ArtifactError as error:
        record.note(f"The distillation started over: {error}")
        found = None
    if found:
        progress, before_s = found
    task = None
    saved = time.monotonic()

    def tell(fraction: float) -> None:
        nonlocal saved
        report("prepare", fraction)
        if time.monotonic() - saved >= checkpoint_s:
            record.save()
            saved = time.monotonic()

    encodes = shop.codec.keeps_encodings and shop.cell.space == "code"
    if matcher.prepares or encodes:
        report("prepare", 0.0)
        with record.phase("prepare"):
            task = first_task(shop, matcher, tell)
        report("distil", progress.step / max(1, matcher.config.iterations))
    started = saved = time.monotonic()
    total = max(1, matcher.config.iterations)

    def keep(progress: Progress) -> None:
        nonlocal saved
        report("distil", progress.step / total)
        if time.monotonic() - saved >= checkpoint_s:
            write_checkpoint(path, progress, key, before_s + time.monotonic() - started)
            record.save()
            saved = time.monotonic()

    with record.phase("distil", before_s):
        return learn_set(shop, matcher, progress, keep, task)


def card_of(cell: Cell, data: Data, codec: Codec, built: Built, cap: int) -> Card:
    return Card(
        dataset=cell.dataset.name,
        revision=data.card.revision,
        class_names=data.card.class_names,
        signal=data.card.signal,
        codec=cell.codec,
        codec_version=codec.version,
        family="" if data.card.family == data.card.name else data.card.family,
        storage=cell.storage,
        cap_bytes=cap,
        counts=built.counts,
        leaves=(*leaf_cards(built.leaves), *leaf_cards(built.extra, of_method=True)),
        refitted_for=cell.protocol.evaluate_on if codec.refitted() else None,
        method=cell.method if any(x.coder is not None for x in built.extra) else None,
        seed=cell.seed,
        sha256="",
    )


def students(
    cell: Cell,
    folder: Path,
    record: Record,
    score: Callable[..., Iterator[list[StudentRun]]],
    device: torch.device,
    checkpoint_s: float,
    report: Report,
) -> tuple[StudentRun, ...]:
    """Trains and tests the students; those that an interrupted run had finished are kept.

    At most `checkpoint_s` seconds of a student's training are lost to a kill.
    """
    path = folder / "students.json"
    done: list[StudentRun] = []
    if path.exists():
        try:
            done = _RUNS.validate_python(read_json(path))
        except (ArtifactError, ValidationError):
            record.note("The scores of an interrupted run were unreadable; its students were trained again.")
    checkpoint = StudentCheckpoint(folder / "student.safetensors", cell.key, checkpoint_s, record)
    with record.phase("evaluate"):
        told = partial(report, "evaluate")
        for runs in score(seed=cell.seed, device=str(device), done=tuple(done), progress=told, checkpoint=checkpoint):
            done.extend(runs)
            write_atomic(path, json.dumps([r.model_dump(mode="json") for r in done]))
            record.save()
    checkpoint.drop()
    order = {c: i for i, c in enumerate(cell.protocol.columns)}
    spaces = cell.protocol.student_spaces

    def place(run: StudentRun) -> tuple[int, str, int, str, int]:
        return spaces.index(run.space), run.labels, order.get(run.column, 9), run.network, run.student

    return tuple(sorted(done, key=place))
