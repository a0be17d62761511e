"""What a set costs, measured, and what a reader must be told of that."""

from __future__ import annotations

from ddbench.artifact import DistilledSet
from ddbench.budget import allowed_with_side
from ddbench.cost import cost_of
from ddbench.data import Data
from ddbench.errors import ArtifactError
from ddbench.interfaces.codec import Codec
from ddbench.result.schema import StorageReport
from ddbench.spec.cell import Cell


def measure(stored: DistilledSet, cap: int) -> StorageReport:
    """The set's bytes as they stand in the file. Raises: ArtifactError where they pass what the budget allows."""
    used, side = stored.used_bytes, stored.side_bytes
    if used - side > cap or used > allowed_with_side(cap):
        raise ArtifactError(
            f"The set takes {used} bytes ({side} of side information), the budget allows {cap}: the codec "
            f"{stored.card.codec.name!r} stores more than it declares."
        )
    codec = stored.codec()
    return StorageReport(
        allowed=cap,
        used=used,
        parts=stored.parts,
        side=side,
        over_cap=max(0, used - cap),
        decoder=codec.decoder_bytes,
        decoder_training_data=codec.decoder_training_data,
        refitted=refitted_bytes(codec),
        free_in_domain=codec.decoder_bytes if codec.free_in_domain else 0,
        items=stored.card.counts,
        signals=tuple(n * codec.signals_per_item for n in stored.card.counts),
    )


def refitted_bytes(codec: Codec) -> int:
    """What the leaves would take that the codec does not store but fits again on the training set."""
    return cost_of(codec.refitted(), "float32").total(0, codec.target.n_classes)


def storage_notes(storage: StorageReport, cell: Cell) -> list[str]:
    notes = []
    if storage.over_cap:
        assert storage.allowed
        share = storage.over_cap / storage.allowed
        notes.append(f"Side information passes the cap by {storage.over_cap} bytes ({share:.2%}).")
    if storage.refitted:
        notes.append(
            f"The codec's transform ({storage.refitted:,} bytes) is not stored: it is fitted again on the real "
            "training set whenever the set is read. The row is not ranked."
        )
    if storage.free_in_domain:
        notes.append(
            f"The codec's decoder ({storage.free_in_domain:,} bytes) was trained on the dataset itself and costs "
            "nothing here. The row is not ranked."
        )
    if cell.storage != "float32":
        notes.append(f"Codes are stored as {cell.storage}; students train on the rounded set.")
    return notes


def ceiling_storage(data: Data) -> StorageReport:
    """What the whole training set takes as the dataset stores it."""
    counts = tuple(len(m) for m in data.members)
    used = len(data.train) * data.card.signal_bytes
    return StorageReport(
        allowed=None, used=used, parts={"signals": used}, side=0, over_cap=0, decoder=0, items=counts, signals=counts
    )
