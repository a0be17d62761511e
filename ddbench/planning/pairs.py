"""Which cells make sense: the rules by which a codec, a method, a space, a budget and a network go together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ddbench.errors import BudgetError, DdbenchError
from ddbench.interfaces.dataset import DatasetCard
from ddbench.planning.facts import Parts, asked, card_of, parts_of
from ddbench.planning.room import by_itself, code_shape, items_of, match_shape, measured, room_of
from ddbench.spec.cell import Cell, Choice


@dataclass(frozen=True)
class PairFault:
    """Why a cell is not defined, and which axis a reader should look at (or `network`, or `student`)."""

    axis: str
    text: str
    index: int = 0
    """Which student."""


def pair_faults(cell: Cell) -> list[str]:
    """Every reason why the cell cannot be run, in words; empty where it can."""
    return [fault.text for fault in faults_of(cell)]


def student_faults(cell: Cell) -> list[str]:
    """Why students of the cell's protocol do not take the dataset's signals; empty where all do."""
    card = card_of(cell.dataset)
    return [fault.text for fault in _students(cell, card.signal.shape, card.n_classes)]


def faults_of(cell: Cell) -> list[PairFault]:
    """`pair_faults` with the axis of each. A text names only what the fault depends on, so that like faults are one."""
    faults: list[PairFault] = []
    try:
        if cell.budget is None:
            card = card_of(cell.dataset)
            faults += [*_ceiling_of_codes(cell), *_students(cell, card.signal.shape, card.n_classes)]
            faults += _augmentation(cell, card)
        else:
            parts = parts_of(cell)
            faults += [*_pair(cell, parts), *_networks(cell, parts), *_augmentation(cell, parts.card)]
            faults += _room(cell, parts)
            if all(fault.axis == "student" for fault in faults):
                faults += _arguments(cell, parts)
    except DdbenchError as error:
        axis = "budget" if isinstance(error, BudgetError) else "codec" if cell.budget else "dataset"
        faults.append(PairFault(axis, f"{cell.codec} on {cell.dataset}: {error} {_way_out(cell, 'dataset', 'codec')}"))
    return faults


def _augmentation(cell: Cell, card: DatasetCard) -> Iterator[PairFault]:
    from ddbench.augment import families

    try:
        families(card.signal.strategy, card.signal.shape)
    except DdbenchError as error:
        yield PairFault("dataset", f"{cell.dataset}: {error}")


def _way_out(cell: Cell, *axes: str) -> str:
    return f"Leave it out by exclude: [{{{', '.join(f'{axis}: {getattr(cell, axis)}' for axis in axes)}}}]."


def _pair(cell: Cell, parts: Parts) -> Iterator[PairFault]:
    from ddbench.interfaces.method import Given, Matcher, Selector

    codec, method = parts.codec, parts.method

    def fault(why: str, *axes: str) -> PairFault:
        subject = " × ".join(str(getattr(cell, axis)) for axis in axes if axis != "space")
        where = f" in {cell.space} space" if "space" in axes else ""
        return PairFault(axes[0], f"{subject}{where} is not defined: {why}. {_way_out(cell, *axes)}")

    if isinstance(method, Given):
        yield fault("a set that was made elsewhere is read by `ddbench evaluate SET`, not made by a suite", "method")
        return
    if cell.space not in method.spaces:
        yield fault(f"the method is defined in {' and '.join(method.spaces)} space", "method", "space")
    for why in _no_code_space(parts):
        if cell.space == "code":
            yield fault(why, "codec", "space")
        if "code" in cell.protocol.student_spaces:
            text = f"{cell.codec} has no students on codes: {why}. {_SIGNAL_STUDENTS} {_way_out(cell, 'codec')}"
            yield PairFault("codec", text)
    if parts.card.signal.symbols and isinstance(method, Matcher) and cell.space == "signal":
        yield fault("the method learns by gradient, and the signals are symbols: match codes", "method", "space")
    elif isinstance(method, Matcher) and cell.space == "signal" and not codec.differentiable:
        yield fault("the method learns by gradient, which does not pass through the codec", "codec", "method")
    elif any(leaf.varies for leaf in parts.leaves) and not isinstance(method, Selector):
        yield fault("items of varying size can be picked, not learned", "codec", "method")
    if not any(leaf.scope == "item" for leaf in parts.leaves):
        yield fault("the codec stores nothing for an item", "codec")
    own = (*parts.leaves, *codec.refitted())
    if clash := {leaf.name for leaf in own} & {leaf.name for leaf in parts.extra}:
        yield fault(f"codec and method both store a leaf called {', '.join(sorted(clash))}", "codec", "method")


def _room(cell: Cell, parts: Parts) -> Iterator[PairFault]:
    if not any(leaf.scope == "item" for leaf in parts.leaves):
        return
    subject = f"{cell.codec} × {cell.method}" if parts.extra else str(cell.codec)
    try:
        items_of(cell, parts)
    except BudgetError as error:
        yield PairFault("budget", f"{subject} on {cell.dataset}, stored as {cell.storage}: {error}")
    need, found = parts.codec.signals_per_item, parts.card.smallest_class
    if found < need:
        text = f"{cell.codec} on {cell.dataset}: one item stores {need} signals, the rarest class has {found}."
        yield PairFault("codec", f"{text} {_way_out(cell, 'dataset', 'codec')}")


def _arguments(cell: Cell, parts: Parts) -> Iterator[PairFault]:
    """What a matcher says to the room; asked only where all else goes together."""
    from ddbench.interfaces.method import Matcher

    if not isinstance(parts.method, Matcher):
        return
    room = room_of(cell, parts)
    try:
        asked(f"The method '{cell.method}'", lambda: parts.method.check(room))
    except DdbenchError as error:
        where = f"{cell.codec} × {cell.method.name} on {cell.dataset} at {cell.budget}"
        stored = "" if cell.storage == "float32" else f", stored as {cell.storage}"
        yield PairFault("method", f"{where}{stored}: {error}")


def _no_code_space(parts: Parts) -> Iterator[str]:
    """Why networks cannot see the codec's codes."""
    codec = parts.codec
    if codec.code_leaf is None:
        yield "the codec has no code space"
    elif code_shape(parts) is None:
        yield f"the codec's code leaf {codec.code_leaf!r} is not a fixed-size item leaf of its"
    if codec.signals_per_item != 1:
        yield f"a code is {codec.signals_per_item} signals, networks in code space need one"


_SIGNAL_STUDENTS = (
    "Give its block a protocol of the same name and fields whose student_spaces is signal (such rows stand in the same "
    "table)."
)


def _ceiling_of_codes(cell: Cell) -> Iterator[PairFault]:
    if "code" in cell.protocol.student_spaces:
        why = "the ceiling stores nothing, so there are no codes to train on"
        yield PairFault("method", f"{cell.method} has no students on codes: {why}. {_SIGNAL_STUDENTS}")


def _networks(cell: Cell, parts: Parts) -> Iterator[PairFault]:
    from ddbench.interfaces.estimator import NO_MATCH
    from ddbench.interfaces.method import Maker

    shape = match_shape(cell, parts)
    matches = isinstance(parts.method, Maker) and parts.method.uses_network
    if matches and by_itself(cell.network):
        way = "Match with a neural network such as auto, and name it among the protocol's networks."
        yield PairFault("network", f"'{cell.network}' is no match network: {NO_MATCH}. {way}")
    elif matches and shape is not None:
        refusal = _refused(cell, cell.network, shape, parts.card.n_classes, "match network")
        if refusal:
            yield PairFault("network", refusal if cell.space == "signal" else f"{cell.codec}: {refusal}")
    if "signal" in cell.protocol.student_spaces:
        yield from _students(cell, parts.card.signal.shape, parts.card.n_classes)
    code = code_shape(parts)
    if "code" in cell.protocol.student_spaces and code is not None:
        yield from _students(cell, code, parts.card.n_classes, f"{cell.codec}, students on codes: ")


def _students(cell: Cell, shape: tuple[int, ...], n_classes: int, told: str = "") -> Iterator[PairFault]:
    for i, choice in enumerate(cell.protocol.networks):
        if by_itself(choice):
            continue  # it says what it does not take when it is fitted: there is nothing to build
        if refusal := _refused(cell, choice, shape, n_classes, "student"):
            yield PairFault("student", told + refusal, i)


def _refused(cell: Cell, choice: Choice, shape: tuple[int, ...], n_classes: int, role: str) -> str:
    refusal = measured(choice, shape, n_classes).refusal
    return refusal and f"the {role} '{choice}' does not take shape {shape} of {cell.dataset}: {refusal}"
