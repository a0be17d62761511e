"""Whether a result says what a result has to say: every student that its protocol asks for, once; names that are names.

torch-free. `ddbench.result.io.read_result` has seen to the schema, the key and the bits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

from ddbench.budget import allowed_with_side
from ddbench.result.schema import Result, StorageReport
from ddbench.result.verification import RUN_ID
from ddbench.spec.cell import OWN_RECIPE
from ddbench.spec.networks import labels

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""Of plug-ins."""
_SHOWN = 3


def claim_faults(result: Result) -> Iterator[str]:
    """Sentences on what is wrong."""
    if not re.fullmatch(RUN_ID, result.run_id):
        yield f"its run id {result.run_id[:40]!r} is not of letters, digits, '_', '-' and '.'"
    yield from _names(result)
    yield from _texts(result.cell.model_dump(mode="json"), "cell")
    if result.status == "ok":
        yield from _students(result)
    if result.bytes is not None:
        yield from _bytes(result.bytes)


def _names(result: Result) -> Iterator[str]:
    cell = result.cell
    chosen = [("dataset", cell.dataset), ("codec", cell.codec), ("method", cell.method), ("network", cell.network)]
    for kind, choice in [*chosen, *(("student network", n) for n in cell.protocol.networks)]:
        if not NAME.fullmatch(choice.name):
            yield f"the {kind} is called {choice.name[:40]!r}, which no plug-in can be called"


def _texts(value: Any, at: str) -> Iterator[str]:
    """Markup and control characters have no place in what a cell is made of."""
    if isinstance(value, str) and ("<" in value or not value.isprintable()):
        yield f"{at} holds markup or control characters: {value[:40]!r}"
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(name, f"a key of {at}")
            yield from _texts(inner, f"{at}.{name}")
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _texts(inner, f"{at}.{i}")


def _students(result: Result) -> Iterator[str]:
    """Each student of the protocol once: fewer are not what the protocol says, more are a choice among them."""
    cell, protocol = result.cell, result.cell.protocol
    ceiling = cell.budget is None
    columns = ("equal_epochs",) if ceiling else protocol.columns
    spaces = ("signal",) if ceiling else protocol.student_spaces
    fewest = protocol.students * len(protocol.networks)
    if fewest > len(result.runs):
        yield f"it lacks students: its protocol asks for {fewest} or more, it has {len(result.runs)}"
        return
    of_protocol = {run.labels for run in result.runs if run.column != OWN_RECIPE}
    kinds = protocol.labels if "own" in of_protocol else ("hard",)
    networks, students = labels(protocol.networks), range(protocol.students)
    wanted: set[tuple[str, str, str, str, int]] = set(product(columns, networks, kinds, spaces, students))
    if cell.own_recipe is not None:
        told = {run.labels for run in result.runs if run.column == OWN_RECIPE}
        wanted |= set(product((OWN_RECIPE,), networks, ("own",) if "own" in told else ("hard",), ("signal",), students))
    found = Counter((r.column, r.network, r.labels, r.space, r.student) for r in result.runs)
    for said, those in (
        ("lacks students that its protocol asks for", wanted - set(found)),
        ("has students that its protocol does not ask for", set(found) - wanted),
        ("has students twice", {student for student, n in found.items() if n > 1}),
    ):
        if those:
            shown = "; ".join(f"{c}, {n}, {k}, {s}, student {i}" for c, n, k, s, i in sorted(those)[:_SHOWN])
            more = f"; and {len(those) - _SHOWN} more" if len(those) > _SHOWN else ""
            yield f"it {said}: {shown}{more}"
    if len(sizes := {run.n_test for run in result.runs}) > 1:
        yield f"its students were tested on {' and '.join(map(str, sorted(sizes)))} items; the test set is one"


def _bytes(stored: StorageReport) -> Iterator[str]:
    if len(stored.items) != len(stored.signals):
        yield f"it counts items of {len(stored.items)} classes and signals of {len(stored.signals)}"
    if any(n < 0 for n in (*stored.items, *stored.signals)):
        yield "it counts less than no items of a class"
    if stored.side > stored.used:
        yield f"its side information takes {stored.side} of {stored.used} bytes"
    if stored.allowed is None:
        return
    if stored.over_cap != max(0, stored.used - stored.allowed):
        yield f"it uses {stored.used} of {stored.allowed} bytes and says that it is over the cap by {stored.over_cap}"
    if stored.used - stored.side > stored.allowed or stored.used > allowed_with_side(stored.allowed):
        yield (
            f"it uses {stored.used} bytes ({stored.side} of side information) where {stored.allowed} are allowed; only "
            "side information may pass the cap, by at most 2 %"
        )
