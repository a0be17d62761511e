"""Shared work done beforehand, by the code that a cell would do it with, so that cells find it in the cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

import torch

from ddbench import registry
from ddbench.distill.build import first_task
from ddbench.distill.encoded import encode_split
from ddbench.distill.picking import Picking
from ddbench.errors import DataError, DdbenchError, RunError
from ddbench.files import write_atomic
from ddbench.interfaces.method import Selector
from ddbench.planning.facts import cap_bytes
from ddbench.planning.shared import Share, tests_codes
from ddbench.run.cell import load_data, workshop
from ddbench.run.phases import exact_float32
from ddbench.spec.cell import Cell
from ddbench.store import Touched, cache_root, listening

Status = Literal["ready", "no data", "unkept", "failed"]
Tell = Callable[[float], None]
"""Told the share of the present work that is done."""


@dataclass
class Prepared:
    """What became of one share."""

    share: Share
    status: Status = "ready"
    why: str = ""
    """What went wrong; '' where nothing did."""
    seconds: float = 0.0
    data_bytes: int = 0
    """Signals in memory, for a share of data."""
    touched: list[Touched] = field(default_factory=list)

    def count(self, kind: str) -> tuple[int, int]:
        """(entries, bytes) of the cache that were `made` or `found`, each counted once."""
        sizes = {t.path: t.size_bytes for t in self.touched if t.kind == kind}
        return len(sizes), sum(sizes.values())


def prepare(shares: Sequence[Share], device: torch.device, begin: Callable[[Share], Tell]) -> Iterator[Prepared]:
    """Does the shares one after the other; one that fails is told and the rest goes on, without what needs its data.

    `begin` is called before each share and gives what its progress is told to. What is made is kept at once: after an
    interruption the same call goes on. Raises: RunError where the cache cannot be written.
    """
    _check_cache()
    missing: dict[str, str] = {}
    for share in shares:
        cell = share.cells[0]
        data = f"{cell.dataset.model_dump_json()} {cell.protocol.evaluate_on}"
        if data in missing:
            yield Prepared(share, "no data", f"waits for the data of {cell.dataset}")
            continue
        done = _attempt(share, cell, device, begin(share))
        if share.kind == "data" and done.status != "ready":
            missing[data] = done.why
        yield done


def _attempt(share: Share, cell: Cell, device: torch.device, tell: Tell) -> Prepared:
    done, start = Prepared(share), time.monotonic()
    try:
        with listening(done.touched.append), exact_float32():
            done.data_bytes = _do(share, cell, device, tell)
    except RunError:
        raise
    except DataError as error:
        done.status, done.why = "no data", str(error)
    except DdbenchError as error:
        done.status, done.why = "failed", str(error)
    except (torch.OutOfMemoryError, MemoryError) as error:
        done.status, done.why = "failed", f"memory ran out: {error}"
    except Exception as error:  # noqa: BLE001 (whatever a plug-in raises: the other shares go on)
        done.status, done.why = "failed", f"{type(error).__name__}: {error}"
    unkept = next((t for t in done.touched if t.kind == "unkept"), None)
    if unkept and done.status == "ready":
        done.status, done.why = "unkept", unkept.why
    done.seconds = time.monotonic() - start
    return done


def _do(share: Share, cell: Cell, device: torch.device, tell: Tell) -> int:
    """Does one share; gives the bytes of the data where it is one of data."""
    data = load_data(cell)
    if share.kind == "data":
        return sum(s.signals.nbytes for s in (data.train, data.held_out))
    shop = workshop(cell, data, cap_bytes(cell, data.card), device)
    if share.kind == "codes":
        both = any(tests_codes(c) for c in share.cells)
        encode_split(shop.codec, shop.fitted, data, "train", device, tell)
        if both:
            encode_split(shop.codec, shop.fitted, data, "held_out", device, tell)
    if share.kind == "prepare":
        method = registry.build("method", cell.method.name, cell.method.args)
        if isinstance(method, Selector):
            Picking(shop, method, tell).prepare()
        else:
            first_task(shop, method, tell)
    return 0


def _check_cache() -> None:
    """Raises: RunError where nothing could be kept, before hours go into it."""
    root = cache_root()
    probe = root / f".probe-{uuid4().hex[:8]}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        write_atomic(probe, b"")
    except (OSError, RunError) as error:
        raise RunError(
            f"The cache {root} cannot be written, so nothing would be kept: {error}. Free it, or name another folder "
            "with the variable DDBENCH_CACHE."
        ) from error
    finally:
        with suppress(OSError):
            probe.unlink()
