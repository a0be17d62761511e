"""Whether a result's set is there and is what the result claims: digest, bytes by part, counts, card. torch-free."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ddbench.artifact.card import Card
from ddbench.artifact.layout import CARD, TENSORS
from ddbench.artifact.measure import Measured, measure
from ddbench.errors import ArtifactError
from ddbench.result.schema import Result, StorageReport
from ddbench.submission.claims import NAME
from ddbench.submission.updates import update_faults


def is_within(path: Path, root: Path) -> bool:
    """Whether a path leads nowhere outside `root`, links included."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a null character
        return False


def stored_faults(result: Result, folder: Path, root: Path) -> Iterator[str]:
    """Sentences on what is wrong with the set beside a result in `folder`; nothing outside `root` is opened."""
    if result.artifact is None:
        if result.status == "ok" and result.cell.budget is not None:
            yield "it names no distilled set, so that nobody can check it"
        elif result.status == "ok":
            yield from update_faults(result, None)
        return
    if result.artifact.file != TENSORS:
        yield f"its set should be called {TENSORS} and lie beside it; it names {result.artifact.file[:80]!r}"
        return
    for name in (TENSORS, CARD):
        if not is_within(folder / name, root):
            yield f"its {name} is a link that leads out of the folder"
            return
    try:
        found = measure(folder)
    except ArtifactError as error:
        yield str(error).removesuffix(".")
        return
    yield from (fault.removesuffix(".") for fault in found.faults)
    if found.sha256 != result.artifact.sha256:
        yield f"its {TENSORS} is not the set that it names (its SHA-256 is {found.sha256[:12]}…)"
    if result.bytes is not None:
        yield from _bytes(result.bytes, found)
    yield from _card(result, found.card)
    yield from update_faults(result, found.card)


def _bytes(said: StorageReport, found: Measured) -> Iterator[str]:
    for name in sorted({*said.parts, *found.parts}):
        if said.parts.get(name) != found.parts.get(name):
            yield (
                f"it claims {said.parts.get(name, 'no')} bytes for {name[:80]!r}; "
                f"the file holds {found.parts.get(name, 'none')}"
            )
    for what, claimed, measured in (
        ("bytes in all", said.used, found.used_bytes),
        ("bytes of side information", said.side, found.side_bytes),
        ("bytes as its cap", said.allowed, found.card.cap_bytes),
    ):
        if claimed != measured:
            yield f"it claims {claimed} {what}; the set has {measured}"
    if said.items != found.card.counts:
        yield f"it claims {sum(said.items)} items of {len(said.items)} classes; the set's card counts others"


def _card(result: Result, card: Card) -> Iterator[str]:
    """The card describes the set of this cell, at this cell's cap."""
    cell = result.cell
    for what, of_cell, of_card in (
        ("dataset", cell.dataset.name, card.dataset),
        ("revision of the dataset", cell.versions.dataset, card.revision),
        ("codec", cell.codec, card.codec),
        ("version of the codec", cell.versions.codec, card.codec_version),
        ("storage type", cell.storage, card.storage),
        ("seed", cell.seed, card.seed),
    ):
        if of_cell != of_card:
            yield f"the {what} of its cell is {str(of_cell)[:60]!r}, of its set {str(of_card)[:60]!r}"
    if (budget := cell.budget) is not None and budget.fraction is None:
        cap = budget.cap_bytes(card.signal.bare.shape, card.n_classes, 0)
        if cap != card.cap_bytes:
            yield f"its budget ({budget}) allows {cap} bytes, the cap of its set is {card.cap_bytes}"
    bad = [name for name in card.class_names if "<" in name or not name.isprintable()]
    bad += [name for leaf in card.leaves if not NAME.fullmatch(name := leaf.name)]
    if bad:
        yield f"its card holds markup or control characters in a name: {bad[0][:40]!r}"
