"""How long cells will take, roughly: operations of their networks, over what this machine is seen to do in a moment."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from ddbench import registry
from ddbench.budget import FLOAT32_BYTES
from ddbench.canonical import canonical
from ddbench.errors import PluginError
from ddbench.planning.facts import Parts, asked, card_of
from ddbench.planning.room import by_itself, code_shape, measured, room_of, training_items
from ddbench.planning.shared import preparation, tests_codes
from ddbench.spec.cell import Cell, Choice, EvaluationProtocol, Space
from ddbench.spec.mandatory import NAMES

if TYPE_CHECKING:
    from ddbench.interfaces.codec import CodecWork
    from ddbench.interfaces.dataset import DatasetCard
    from ddbench.interfaces.network import Measures

BOTH_WAYS = 3
"""A value's forward and backward pass, in forward passes."""
PROBE_S = 0.3
SHARE = 0.4
"""What of a lone convolution's speed whole networks reach, with norm, pooling and augmentation; seen on one core."""


RUNTIME_BYTES = 700_000_000
"""What a process takes before it computes anything: Python, PyTorch and its libraries, on the CPU."""
AUGMENTED = 4
"""Copies of values in an update: themselves, their gradient, and what augmentation makes of them; 4.5 were seen."""
FORTH_AND_BACK = 2
"""Activations are held, and a gradient as large as the largest of them comes beside them."""


@dataclass(frozen=True)
class Work:
    """Operations of a cell, in FLOP: its updates, its students, its codec, and what it shares with others."""

    updates: float | None
    """None where the method does not say."""
    students: float
    coding: float = 0.0
    """Of the codec: the set's own items, in every update where gradients pass through the decoder."""
    shared: dict[str, float] = field(default_factory=dict)
    """What is done once for all cells that have it under one name: a method's preparation, a data set's codes."""


def work_of(
    cell: Cell, parts: Parts | None, items: int | None, reference: int | None, kept: Collection[str] = ()
) -> Work:
    """`items` a class the set holds (None: they vary), `reference` the float32 identity codec would hold.

    `kept` are the names of the cache entries of what the method prepares. What codecs fit is not in it.
    """
    from ddbench.interfaces.method import Maker, Matcher

    students = _students(cell, parts, items, reference)
    if parts is None:
        return Work(0.0, students)
    updates, shared = 0.0, _codes(cell, parts)
    if isinstance(parts.method, Maker) and parts.method.uses_network:
        room = room_of(cell, parts)
        if prepare := parts.method.prepare_passes(room) * room.network.flop:
            shared[preparation(cell, parts, kept)] = prepare
        if isinstance(parts.method, Matcher):
            passes = parts.method.passes(room)
            updates = None if passes is None else passes * room.network.flop
    return Work(updates, students, _coding(cell, parts, items or reference or 1), shared)


def _codes(cell: Cell, parts: Parts) -> dict[str, float]:
    """What encoding whole splits takes where networks see codes: each once for all cells, if the codec keeps them."""
    splits = {}
    if (cell.space == "code" and cell.method.name != NAMES.random) or tests_codes(cell):
        splits["train"] = training_items(cell, parts.card)[1]
    if tests_codes(cell):
        splits["held_out"] = _tested(cell, parts.card)
    if not splits or not (encode := _codec_work(cell, parts).encode):
        return {}
    codec = parts.codec
    named = [cell.dataset.model_dump(mode="json"), cell.protocol.evaluate_on, cell.codec.name, codec.encodes_by]
    who = "" if codec.keeps_encodings else cell.key
    return {canonical(["codes", *named, split, who]): signals * encode for split, signals in splits.items()}


def _coding(cell: Cell, parts: Parts, items: int) -> float:
    """First items are encoded and last ones decoded; in between, where networks see signals, each update decodes all.

    A gradient costs as much as the pass forwards, and once more where it moves the decoder's weights; where items go
    through the decoder by parts, each part does so forwards once more.
    """
    from ddbench.interfaces.method import Matcher

    took, m = _codec_work(cell, parts), items * parts.card.n_classes
    each = took.encode + took.decode
    if isinstance(parts.method, Matcher) and cell.space == "signal":
        passes = 2 if parts.codec.chunk_of(m) is None else 3
        each += parts.method.config.iterations * (passes * took.decode + took.weights)
    return m * parts.codec.signals_per_item * each


def _codec_work(cell: Cell, parts: Parts) -> CodecWork:
    from ddbench.interfaces.codec import CodecWork

    found = asked(f"The codec '{cell.codec}'", parts.codec.work)
    if not isinstance(found, CodecWork):
        raise PluginError(f"The codec '{cell.codec}' gives {found!r} from work(), which is no CodecWork.")
    said = {**vars(found), "most_at_once": found.most_at_once or 1}
    if not all(isinstance(v, int | float) and 0 <= v < float("inf") for v in said.values()):
        raise PluginError(f"The codec '{cell.codec}' gives {found!r} from work(): all should be finite and ≥ 0.")
    return found


def memory_of(cell: Cell, parts: Parts | None, items: int | None, reference: int | None) -> int:
    """Bytes that the cell's process takes at its peak, roughly: what PyTorch needs, a backward pass, encoded data.

    A pass is of one part of the students' batches, or of as many values as the matcher has at once; the update's real
    values lie beside it, and in signal space all values of the set. Codecs are in it as far as they say what they take.
    Of 453 published cells nine in ten took 0.9 to 2.4 times as much, the median 1.4 times.
    """
    from ddbench.interfaces.method import Matcher

    card, held = card_of(cell.dataset), 0
    if parts is None:
        return RUNTIME_BYTES + _students_pass(cell, card, cell.protocol.batch)
    took, m = _codec_work(cell, parts), (items or reference or 1) * card.n_classes
    given = m * parts.codec.signals_per_item
    peaks = [_students_pass(cell, card, min(cell.protocol.batch, given))]
    if isinstance(parts.method, Matcher):
        room = room_of(cell, parts)
        matching = _back_and_forth(parts.method.values_at_once(room) * room.network.activations)
        held = AUGMENTED * parts.method.real_at_once(room) * prod(room.shape) * FLOAT32_BYTES
        if cell.space == "code":
            held += card.train_size * prod(room.shape) * FLOAT32_BYTES
        else:
            held += AUGMENTED * room.all_values * prod(room.shape) * FLOAT32_BYTES
            chunk = parts.codec.chunk_of(m)
            decoding = (chunk or m) * parts.codec.signals_per_item * took.gradient_bytes
            peaks.append(decoding if chunk else decoding + matching)  # by chunks once the network's way back is done
        peaks.append(matching)
    if _codes(cell, parts):
        from ddbench.distill.encoded import encode_batch

        given = max(given, encode_batch(card.signal.shape))
    peaks.append(took.pass_bytes * min(given, took.most_at_once or given))
    return RUNTIME_BYTES + held + took.networks_bytes + max(peaks)


def _students_pass(cell: Cell, card: DatasetCard, batch: int) -> int:
    """Bytes of the largest pass of a student by itself: a part of the batch, or all of it with batch norm."""
    from ddbench.interfaces.parts import values_at_once

    part, peak = min(batch, values_at_once(card.signal.shape)), 0
    for network in cell.protocol.networks:
        found = _measures(network, card.signal.shape, card.n_classes)
        peak = max(peak, _back_and_forth((batch if found.batch_norm else part) * found.activations))
    return peak


def _back_and_forth(activations: int) -> int:
    return FORTH_AND_BACK * FLOAT32_BYTES * activations


def seconds(found: Iterable[Work], flop_s: float) -> float:
    """Of cells one after the other. Right within a factor of about two where methods and codecs say what they do."""
    total, shared = 0.0, {}
    for work in found:
        total += (work.updates or 0.0) + work.coding + work.students
        shared |= work.shared
    return (total + sum(shared.values())) / (SHARE * flop_s)


def flop_rate(device: str) -> float:
    """FLOP a second of a convolution of 64 channels on the device, as many threads as this process has."""
    import torch

    conv = torch.nn.Conv2d(64, 64, 3, padding=1, device=device)
    x = torch.randn(32 if device == "cpu" else 1024, 64, 16, 16, device=device)
    flop, best, begun = 2 * x.numel() * conv.weight[0].numel(), float("inf"), time.perf_counter()
    with torch.no_grad():
        while time.perf_counter() - begun < PROBE_S:
            start = time.perf_counter()
            conv(x)
            if device != "cpu":
                torch.cuda.synchronize(device)
            best = min(best, time.perf_counter() - start)
    return flop / best


def _students(cell: Cell, parts: Parts | None, items: int | None, reference: int | None) -> float:
    from ddbench.evaluate.schedule import equal_epochs, schedule_for

    protocol, card = cell.protocol, card_of(cell.dataset)
    tested = _tested(cell, card)
    if parts is None:
        items, shape = training_items(cell, card)[1], card.signal.shape
        full = equal_epochs(protocol.full or protocol, items)
        samples = BOTH_WAYS * full.samples(full.steps) + tested
        flop = samples * sum(_measures(n, shape, card.n_classes).flop for n in protocol.networks)
        return protocol.students * (flop + _fits(protocol, items, shape, card.n_classes))
    kinds, total = len(protocol.labels_for(parts.method.stores_labels)), 0.0
    for space in protocol.student_spaces:
        size = (items or reference or 1) * card.n_classes * _values(space, parts)
        samples = sum(
            BOTH_WAYS * s.samples(s.steps) + tested
            for s in (schedule_for(c, protocol, size, (reference or 1) * card.n_classes) for c in protocol.columns)
        )
        shape = (card.signal.shape if space == "signal" else code_shape(parts)) or card.signal.shape
        total += samples * sum(_measures(n, shape, card.n_classes).flop for n in protocol.networks)
        total += _fits(protocol, size, shape, card.n_classes)
    return protocol.students * kinds * total


def _tested(cell: Cell, card: DatasetCard) -> int:
    """Items that students are scored on."""
    return card.test_size if cell.protocol.evaluate_on == "test" else card.train_size - training_items(cell, card)[1]


def _fits(protocol: EvaluationProtocol, items: int, shape: tuple[int, ...], n_classes: int) -> float:
    """What the protocol's estimators do, each once for all columns."""
    from ddbench.interfaces.estimator import Estimator

    built = (registry.build("network", n.name, n.args) for n in protocol.networks if by_itself(n))
    return sum(e.work(items, prod(shape), n_classes) for e in built if isinstance(e, Estimator))


def _values(space: Space, parts: Parts) -> int:
    return parts.codec.signals_per_item if space == "signal" else 1


def _measures(network: Choice, shape: tuple[int, ...], n_classes: int) -> Measures:
    """The network on the shape; nothing at all where it does not take it, which plans tell elsewhere."""
    from ddbench.interfaces.network import Measures

    return measured(network, shape, n_classes).measures or Measures(0, 0, False)
