"""One row: a codec at one storage type, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ddbench import registry, rng
from ddbench.codec_report.asked import Asked
from ddbench.codec_report.fidelity import figures
from ddbench.codec_report.fitted import made_ready
from ddbench.codec_report.frechet import frechet_distance
from ddbench.codec_report.learners import School, estimate
from ddbench.codec_report.lines import Line
from ddbench.codec_report.room import Rooms, first_items
from ddbench.codec_report.roundtrip import BATCH, Back, RoundTrip
from ddbench.codec_report.schema import Cost, Estimate, Frechet, Reconstruction, Row, Stored
from ddbench.cost import cost_of
from ddbench.data import Data
from ddbench.evaluate.trainingset import TensorSet
from ddbench.interfaces.codec import Codec, Codes
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.network import Classifier

Tell = Callable[[str, float], None]
"""Told what is done and the share of it."""


@dataclass(frozen=True)
class Schooling:
    """Students on the originals: what rows are compared with."""

    school: School
    accuracy: dict[int, float]
    """By seed."""
    observer: Classifier
    """The student of the first seed: its features are the space of the Fréchet distance."""


@dataclass(frozen=True)
class Bench:
    """What all rows are measured on."""

    asked: Asked
    data: Data
    fit_data: Data
    """What codecs are fitted on, in the reported dataset's signals."""
    measured: Split
    """The held-out signals that are reconstructed."""
    examples: Tensor
    """Indices of those among them that are drawn."""
    device: torch.device
    schooling: Schooling | None


def measure(line: Line, bench: Bench, key: str, tell: Tell) -> tuple[Row, Tensor]:
    """(the row, normalised reconstructions of the examples). Raises: whatever the codec raises."""
    asked, spec = bench.asked, bench.data.card.signal
    tell("fit", 0.0)
    codec = line.build()
    rarest = min(len(members) for members in bench.data.members)

    def ready(codec: Codec) -> Codes:
        dataset = asked.fit_on or asked.dataset
        return made_ready(
            codec, line.codec, dataset, asked.evaluate_on, bench.fit_data, line.budget, first_items(codec, rarest),
            asked.seeds[0], bench.device,
        )  # fmt: skip

    trip = RoundTrip(codec, ready(codec), line.label, rng.seed("decode", seed=asked.seeds[0]), bench.device)
    rooms = Rooms(bench.data, asked.seeds[0], bench.device, line.build, ready)
    tell("encode and decode", 0.0)
    peaks = trip.peaks(bench.measured, spec)
    back = trip.all(bench.measured, spec, lambda share: tell("encode and decode", share))
    originals = spec.normalise(bench.measured.signals)
    row = Row(
        key=key,
        label=line.label,
        codec=line.codec,
        codec_version=line.codec_version,
        package=registry.origin(registry.entry("codec", line.codec.name)),
        storage=line.storage,
        storage_matters=line.storage_matters,
        stored=_stored(trip, back),
        room=tuple(rooms.room(budget) for budget in asked.budgets),
        reconstruction=Reconstruction(signals=len(originals), figures=figures(spec, originals, back.signals)),
        cost=_cost(back, peaks),
        notes=_notes(trip, bench),
    )
    if bench.schooling is not None:
        accuracy, lost = _schooled(trip, bench, bench.schooling, tell)
        distance = _frechet(originals, back, bench.schooling)
        row = row.model_copy(update={"accuracy": accuracy, "lost": lost, "frechet": distance})
    return row, back.signals[bench.examples]


def _stored(trip: RoundTrip, back: Back) -> Stored:
    codec, sizes = trip.codec, back.item_bytes
    return Stored(
        per_item=sum(sizes) / len(sizes),
        least=min(sizes),
        most=max(sizes),
        per_class=trip.class_bytes,
        per_set=trip.bytes["set"],
        signals_per_item=codec.signals_per_item,
        decoder=codec.decoder_bytes,
        decoder_training_data=codec.decoder_training_data,
        refitted=cost_of(codec.refitted(), "float32").total(0, codec.target.n_classes),
    )


def _cost(back: Back, peaks: tuple[int | None, int | None]) -> Cost:
    n = len(back.signals)
    return Cost(
        signals=n,
        batch=BATCH,
        encode_s_per_1000=1000 * back.encode_s / n,
        decode_s_per_1000=1000 * back.decode_s / n,
        encode_peak_bytes=peaks[0],
        decode_peak_bytes=peaks[1],
    )


def _notes(trip: RoundTrip, bench: Bench) -> tuple[str, ...]:
    notes = []
    if trip.bytes["class"]:
        notes.append("Class leaves know an item's class: held-out signals are decoded with their true labels.")
    if bench.asked.fit_on is not None:
        notes.append(f"Fitted on {bench.fit_data.card.name}, revision {bench.fit_data.card.revision}.")
    return tuple(notes)


def _schooled(trip: RoundTrip, bench: Bench, schooling: Schooling, tell: Tell) -> tuple[Estimate, Estimate]:
    """(accuracy of students on the reconstructed training set, what that is below students on the originals)."""
    train, seeds = bench.data.train, bench.asked.seeds
    tell("training set", 0.0)
    back = trip.all(train, bench.data.card.signal, lambda share: tell("training set", share))
    accuracy = {}
    for i, seed in enumerate(seeds):
        model = schooling.school.train(
            TensorSet(back.signals, train.labels), seed, lambda share, i=i: tell("student", (i + share) / len(seeds))
        )
        accuracy[seed] = schooling.school.accuracy(model)
    return estimate(accuracy), estimate({seed: schooling.accuracy[seed] - accuracy[seed] for seed in seeds})


def _frechet(originals: Tensor, back: Back, schooling: Schooling) -> Frechet | None:
    if len(originals) < 2:
        return None
    real, again = (schooling.school.features(schooling.observer, x).numpy() for x in (originals, back.signals))
    return Frechet(distance=frechet_distance(real, again), signals=len(real), dimensions=real.shape[1])
