"""Entries of the content cache that several processes may want at once: each is computed by one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import Tensor

from ddbench.store import entry_path, read_entry, write_entry

POLL_S = 0.2
"""Seconds between two looks at entries that other processes are at work on."""

Compute = Callable[[list[int]], Sequence[dict[str, Tensor]]]


def cached_each(
    kind: str, coordinates: Sequence[dict[str, Any]], compute: Compute, together: int = 1
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """(index, tensors) of every entry, in the order in which they become available.

    `compute` is given the indices of at most `together` entries that are missing and that no other process is at; each
    is stored as soon as it returns. Entries that another process holds are left for last, so that processes that want
    the same share the work. The kernel gives a lock back when a process dies.
    """
    waiting = list(range(len(coordinates)))
    while waiting:
        behind = len(waiting)
        for i, tensors in _round(kind, coordinates, compute, together, tuple(waiting)):
            waiting.remove(i)
            yield i, tensors
        if len(waiting) == behind:
            time.sleep(POLL_S)


def _round(
    kind: str, coordinates: Sequence[dict[str, Any]], compute: Compute, together: int, wanted: tuple[int, ...]
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """The wanted entries that are there, up to the first `together` that this process computes."""
    mine: list[int] = []
    with ExitStack() as locks:
        for i in wanted:
            path = entry_path(kind, coordinates[i])
            found = read_entry(path)
            if found is None and _claim(path, locks):
                # it may have been written between the look and the lock
                found = read_entry(path)
                if found is None:
                    _clear(path)
                    mine.append(i)
            if found is not None:
                yield i, found
            if len(mine) == together:
                break
        if mine:
            for i, tensors in zip(mine, compute(mine), strict=True):
                yield i, write_entry(entry_path(kind, coordinates[i]), tensors)


def _clear(path: Path) -> None:
    """Drops what a process that was killed amid writing the entry left beside it; the caller holds the entry's lock."""
    for half in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(OSError):
            half.unlink()


def _claim(path: Path, locks: ExitStack) -> bool:
    """Whether this process may compute the entry. A cache that takes no locks is no reason to wait."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except (OSError, NotImplementedError):
        return True
    locks.callback(lock.release)
    return True
