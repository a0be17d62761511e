"""Work spread over processes, with its answers in order: the same whatever their number. torch-free."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ddbench.errors import RunError

Chunk = TypeVar("Chunk")
Answer = TypeVar("Answer")
_work: tuple[Callable[[Any], Any], Sequence[Any]]
"""Of a worker: what to do, and with what. It comes with the fork, so that nothing has to be sent."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(work: Callable[[Chunk], Answer], chunks: Sequence[Chunk], workers: int) -> Iterator[Answer]:
    """`work` of every chunk, in the order of the chunks, done by at most so many forks of this process.

    In this process, one chunk after another, where there is one worker or one chunk, and where a fork is not to be had
    or would not be safe.

    Raises: what `work` raises, of the first chunk first; RunError where a worker was killed.
    """
    workers = min(workers, len(chunks))
    if workers < 2 or not _can_fork():
        yield from map(work, chunks)
        return
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _start, (work, chunks))
    try:
        waiting: deque[Future[Answer]] = deque(pool.submit(_do, i) for i in range(len(chunks)))
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise RunError(
            "A worker process was killed, by the system where memory ran out. Run the same command again, with "
            "--workers 1 where memory is short."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _can_fork() -> bool:
    """A fork has only the thread that made it: locks that others hold would stay locked in it for ever."""
    is_alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return is_alone and "fork" in multiprocessing.get_all_start_methods() and os.uname().sysname == "Linux"


def _start(work: Callable[[Any], Any], chunks: Sequence[Any]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the first process ends the others
    _work = work, chunks


def _do(i: int) -> Any:
    work, chunks = _work
    return work(chunks[i])


@contextmanager
def no_collection() -> Iterator[None]:
    """Python's search for cycles rests: it would walk over millions of objects that stay, time and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
