"""Where the cache is, and who is told of what becomes of its entries. torch-free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Touched:
    """What became of an entry: `found` or `made`; `unsound` before it is made anew; `unkept` if it cannot be stored."""

    kind: Literal["found", "made", "unsound", "unkept"]
    path: Path
    size_bytes: int = 0
    why: str = ""

    @property
    def name(self) -> str:
        """Kind and file name, below the cache's folder."""
        return f"{self.path.parent.name}/{self.path.name}"


Listener = Callable[[Touched], None]
_LISTENERS: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """`listener` is told of every entry that this thread touches meanwhile."""
    token = _LISTENERS.set((*_LISTENERS.get(), listener))
    try:
        yield
    finally:
        _LISTENERS.reset(token)


def cache_root() -> Path:
    """DDBENCH_CACHE, else `~/.cache/ddbench`."""
    return Path(os.environ.get("DDBENCH_CACHE") or Path.home() / ".cache" / "ddbench")


def touch(touched: Touched) -> None:
    """Tells whoever listens in this thread what became of an entry."""
    for listener in _LISTENERS.get():
        listener(touched)
