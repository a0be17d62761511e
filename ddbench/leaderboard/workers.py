"""Work spread over processes, with its answers in order: the same whatever their number. torch-free."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from ddbench.errors import RunError

Chunk = TypeVar("Chunk")
Answer = TypeVar("Answer")
NUMBER, SENT = struct.Struct("=q"), struct.Struct("=qqq")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    work: Callable[[Chunk], Answer], chunks: Sequence[Chunk], workers: int, warm_up: Callable[[], object] = lambda: None
) -> Iterator[Answer]:
    """`work` of every chunk, in the order of the chunks, done by at most so many processes: forks of this one, and it.

    `warm_up` is what this process has to do some time and may do while only forks are at work. All is done in this
    process, one chunk after another, where there is one worker or one chunk, and where a fork is not to be had or would
    not be safe.

    Raises: what `work` raises, of the first chunk first; RunError where a worker was killed.
    """
    workers = min(workers, len(chunks))
    if workers < 2 or not _can_fork():
        yield from map(work, chunks)
        return
    forks = _Forks(work, chunks, workers - 1)
    try:
        warm_up()
        answers: dict[int, Callable[[], Answer]] = {}
        for i in range(len(chunks)):
            while i not in answers:
                if (mine := forks.queue.take()) is not None:
                    answers[mine] = _tried(work, chunks[mine])
                answers.update(forks.received(wait=mine is None))
            yield answers.pop(i)()
    finally:
        forks.end()


class _Queue:
    """Numbers of chunks, each taken once, by whichever process comes first: a file whose place they share."""

    def __init__(self, n: int) -> None:
        self.file = os.memfd_create("chunks")
        os.write(self.file, b"".join(map(NUMBER.pack, range(n))))
        os.lseek(self.file, 0, os.SEEK_SET)

    def take(self) -> int | None:
        """The next number; None where all are taken."""
        found = os.read(self.file, NUMBER.size)
        return NUMBER.unpack(found)[0] if found else None


class _Forks:
    """Forks of this process at work. They have the chunks from it, take numbers, and end where none is left."""

    def __init__(self, work: Callable[[Any], Any], chunks: Sequence[Any], n: int) -> None:
        self.queue = _Queue(len(chunks))
        # Answers are appended to memory that all share. In a pipe they would wait until this process, which has chunks
        # of its own to do, comes to read them; only where they lie is told through one, which holds a thousand of that.
        self.answers = os.memfd_create("answers")
        self.told, tell = os.pipe()
        fork = multiprocessing.get_context("fork").Process
        self.processes = [fork(target=self._run, args=(work, chunks, tell), daemon=True) for _ in range(n)]
        for process in self.processes:
            process.start()
        os.close(tell)  # so that what is told ends where the last fork does, however that ends

    def _run(self, work: Callable[[Any], Any], chunks: Sequence[Any], tell: int) -> None:
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # Ctrl-C reaches the whole group; the first process ends the others
        os.close(self.told)  # so that telling fails where the first process was killed, and this one ends
        own = os.open(f"/proc/self/fd/{self.answers}", os.O_WRONLY | os.O_APPEND)
        with suppress(OSError, MemoryError):  # nobody to tell, or no memory: the first process knows, or learns
            while (i := self.queue.take()) is not None:
                answer = pickle.dumps(_tried(work, chunks[i]), pickle.HIGHEST_PROTOCOL)
                with open(own, "wb", closefd=False) as file:
                    file.write(answer)
                os.write(tell, SENT.pack(i, os.lseek(own, 0, os.SEEK_CUR) - len(answer), len(answer)))

    def received(self, *, wait: bool) -> dict[int, Callable[[], Any]]:
        """Answers that forks have sent, at least one where it is waited for. Raises: RunError where none will come."""
        os.set_blocking(self.told, wait)
        try:
            told = os.read(self.told, SENT.size * 1000)
        except BlockingIOError:
            return {}
        if wait and not told:
            raise RunError(
                "A worker process was killed, by the system where memory ran out. Run the same command again, with "
                "--workers 1 where memory is short."
            )
        return {i: pickle.loads(os.pread(self.answers, size, at)) for i, at, size in SENT.iter_unpack(told)}

    def end(self) -> None:
        """Lets forks finish what they are at, and nothing else."""
        while self.queue.take() is not None:
            pass
        os.close(self.told)
        for process in self.processes:
            process.join()
        os.close(self.queue.file)
        os.close(self.answers)


class _Given:
    """An answer, or what was raised for when its turn comes."""

    def __init__(self, answer: Any, error: Exception | None) -> None:
        self.answer, self.error = answer, error

    def __call__(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.answer


def _tried(work: Callable[[Any], Any], chunk: Any) -> _Given:
    try:
        return _Given(work(chunk), None)
    except Exception as error:  # noqa: BLE001  (raised where the answer would have been)
        return _Given(None, error)


def _can_fork() -> bool:
    """A fork has only the thread that made it: locks that others hold would stay locked in it for ever."""
    is_alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    return is_alone and "fork" in multiprocessing.get_all_start_methods() and hasattr(os, "memfd_create")


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
