"""From what the user gives and says to cells that are ready to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from ddbench.budget import FLOAT32_BYTES, Budget
from ddbench.errors import ArtifactError, SpecError
from ddbench.imported.build import Coded, choice_for, coded
from ddbench.imported.cells import Ready, Wanted, cells_of, check_students, smallest_budget, versions_of
from ddbench.imported.given import Labelled
from ddbench.imported.method import LABELS
from ddbench.imported.own import Own, check_revision, read_own
from ddbench.imported.read import Asked, is_ours, read
from ddbench.interfaces.dataset import DatasetCard
from ddbench.planning.facts import card_of, full_args
from ddbench.spec.cell import Cell, Choice, EvaluationProtocol, Origin, Training
from ddbench.spec.mandatory import NAMES

Recipe = Callable[[EvaluationProtocol, float | None], Training | None]
"""The set's own recipe from the protocol and from its learned step size, None where it has none."""


@dataclass(frozen=True)
class Request:
    """All that the user says."""

    path: Path
    dataset: Choice | None = None
    name: str | None = None
    asked: Asked = field(default_factory=Asked)
    normalisation: str | None = None
    codec: Choice | None = None
    """Of codes that were given in place of signals."""
    protocol: EvaluationProtocol | None = None
    students: int | None = None
    recipe: Recipe = lambda protocol, lr: None
    budget: Budget | None = None
    network: Choice | None = None
    seed: int = 0

    def in_protocol(self, default: EvaluationProtocol) -> EvaluationProtocol:
        found = self.protocol or default
        return found if self.students is None else found.model_copy(update={"students": self.students})


def ready(request: Request) -> list[Ready]:
    """The cells of a set, with the set. Raises: DdbenchError saying what is wrong with it, or with what was said."""
    if is_ours(request.path):
        own = read_own(request.path)
        return [_with_its_cell(request, own, own.cell) if own.cell else _without_a_cell(request, own)]
    if request.dataset is None:
        raise SpecError(f"{request.path} does not say of which dataset it is. Name it: --dataset NAME.")
    return _elsewhere(request, full_args("dataset", request.dataset))


def _elsewhere(request: Request, dataset: Choice) -> list[Ready]:
    card = card_of(dataset)
    form, sets = read(request.path, card, request.asked)
    if len({(s.soft_labels, s.lr) for s in sets}) > 1:
        raise ArtifactError(f"{request.path}: the experiments have different kinds of labels or step sizes.")
    protocol = request.in_protocol(_default_protocol())
    first = sets[0]
    wanted = Wanted(dataset, protocol, _network(request), request.recipe(protocol, first.lr))
    made = [_coded(request, one, card, i) for i, one in enumerate(sets)]
    budget = request.budget or max(
        (smallest_budget(c.used_bytes - c.side_bytes, c.used_bytes, card) for c in made), key=lambda b: b.ipc or 0
    )
    values = _values(request, made[0])
    origin = Origin(name=_name(request), form=form, values=values)
    notes = (f"The set was made elsewhere (read from {form}; {values}); how it was made is not known here.",)
    found = cells_of(made, first.soft_labels, wanted, card, budget, origin, request.seed)
    return [_noted(one, (*notes, *_empty(one.card.counts, card))) for one in found]


def _coded(request: Request, one: Labelled, card: DatasetCard, i: int) -> Coded:
    codec = request.codec and full_args("codec", request.codec)
    if codec is not None and request.normalisation is not None:
        raise SpecError("Codes of a codec need no --normalisation: the codec knows what they mean. Leave it out.")
    choice = codec or choice_for(one, card.signal, request.normalisation, request.asked.resize, str(request.path))
    return coded(one, choice, card, 0)


def _values(request: Request, made: Coded) -> str:
    if request.codec is not None:
        return f"codes of {request.codec}"
    if made.codec.args["form"] == "pictures":
        return "picture files"
    told = f"values declared as {request.normalisation}" if request.normalisation else "8-bit values"
    return f"{told}, resized" if "shape" in made.codec.args else told


def _with_its_cell(request: Request, own: Own, cell: Cell) -> Ready:
    """The row that the set has, or would have under another protocol."""
    _check_said(request, own)
    if request.dataset is not None and full_args("dataset", request.dataset) != cell.dataset:
        raise SpecError(f"The set is of {cell.dataset_label}, not of {request.dataset}. Leave --dataset out.")
    card = card_of(cell.dataset)
    check_revision(own.stored.card, card.revision, cell.dataset.name)
    protocol = request.in_protocol(cell.protocol)
    if own.stored.card.refitted_for not in (None, protocol.evaluate_on):
        raise SpecError(f"The codec was fitted for students scored on {own.stored.card.refitted_for}; so is the set.")
    wanted = Wanted(cell.dataset, protocol, cell.network, request.recipe(protocol, None) or cell.own_recipe)
    versions = versions_of(wanted, cell.codec, cell.versions.codec, cell.method, card.revision)
    update = {"protocol": protocol, "own_recipe": wanted.own_recipe, "versions": versions}
    again = cell.model_copy(update=update)
    check_students(again)
    result = own.result
    losses = () if result is None else tuple((p.step, p.loss) for p in result.losses)
    digest = own.stored.card.sha256
    notes = (f"A set that was there is evaluated (digest {digest[:16]}…); it was not made anew.", *_notes_of(own))
    return Ready(again, own.stored.card, own.stored.codes, notes, own.files, losses)


def _without_a_cell(request: Request, own: Own) -> Ready:
    _check_said(request, own)
    stored, held = own.stored, own.stored.card
    dataset = full_args("dataset", request.dataset or Choice(name=held.dataset))
    card = card_of(dataset)
    check_revision(held, card.revision, dataset.name)
    protocol = request.in_protocol(_default_protocol())
    wanted = Wanted(dataset, protocol, _network(request), request.recipe(protocol, None))
    stores_labels = any(leaf.name == LABELS and leaf.of_method for leaf in held.leaves)
    soft = request.asked.soft_labels if stores_labels and request.asked.soft_labels != "auto" else "none"
    method = full_args("method", Choice(name=NAMES.imported, args={"digest": held.sha256, "soft_labels": soft}))
    origin = Origin(name=_name(request), form="a set of ddbench", values=f"codes of {held.codec}")
    notes = ["The set has the form of ddbench's; how it was made is not known here."]
    if stores_labels and soft == "none":
        notes.append("Its soft labels are not used: --soft-labels probabilities or logits says what they are.")
    cell = Cell(
        dataset=dataset,
        codec=held.codec,
        method=method,
        space="signal",
        storage=held.storage,
        budget=request.budget or _budget_of(held.cap_bytes, card),
        network=wanted.network,
        protocol=protocol,
        seed=held.seed,
        own_recipe=wanted.own_recipe,
        origin=origin,
        versions=versions_of(wanted, held.codec, held.codec_version, method, card.revision),
    )
    check_students(cell)
    return Ready(cell, held, stored.codes, tuple(notes), own.files)


def _check_said(request: Request, own: Own) -> None:
    """Raises: SpecError for options that mean nothing to a set that says all of itself."""
    said = {
        "--normalisation": request.normalisation, "--codec": request.codec, "--resize": request.asked.resize or None,
        "--signals": request.asked.names.signals, "--labels": request.asked.names.labels,
    }  # fmt: skip
    if own.cell is not None:
        said |= {"--budget": request.budget, "--network": request.network, "--name": request.name}
    if given := [name for name, value in said.items() if value is not None]:
        raise SpecError(f"{request.path} is a set of ddbench, which says that itself: leave {', '.join(given)} out.")


def _budget_of(cap_bytes: int, card: DatasetCard) -> Budget:
    """The budget with a cap of so many bytes, as whole signals a class where it is some."""
    per_class = -(-cap_bytes // card.n_classes)
    signal = FLOAT32_BYTES * prod(card.signal.bare.shape)
    whole = per_class % signal == 0
    return Budget.model_validate({"ipc": per_class // signal} if whole else {"bytes_per_class": per_class})


def _notes_of(own: Own) -> tuple[str, ...]:
    return () if own.result is None else own.result.notes


def _empty(counts: tuple[int, ...], card: DatasetCard) -> list[str]:
    names = [name for name, n in zip(card.class_names, counts) if n == 0]
    return [f"No item is of the classes {', '.join(names)}."] if names else []


def _noted(one: Ready, notes: tuple[str, ...]) -> Ready:
    return Ready(one.cell, one.card, one.codes, notes, one.files, one.losses)


def _name(request: Request) -> str:
    name = request.name if request.name is not None else request.path.resolve().stem
    if not name or not name.isprintable() or len(name) > 80:
        raise SpecError(f"{name!r} is no name for a row: give one line of up to 80 letters with --name.")
    return name


def _network(request: Request) -> Choice:
    return full_args("network", request.network or Choice(name=NAMES.network))


def _default_protocol() -> EvaluationProtocol:
    from ddbench.planning.protocols import with_all_arguments

    return with_all_arguments(EvaluationProtocol.model_validate({}))
