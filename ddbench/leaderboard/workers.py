"""Work spread over processes, with its answers in order: the same whatever their number. torch-free."""

from __future__ import annotations

import gc
import mmap
import multiprocessing
import os
import pickle
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ddbench.errors import DdbenchError, RunError

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
    forks = _forks(work, chunks, min(workers, len(chunks)) - 1)
    if forks is None:
        yield from map(work, chunks)
        return
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


def _forks(work: Callable[[Any], Any], chunks: Sequence[Any], n: int) -> _Forks | None:
    """Forks at work; None for none, or where they are not to be had."""
    # A fork has only the thread that made it: locks that others hold would stay locked in it for ever.
    is_alone = threading.active_count() == 1 and not multiprocessing.current_process().daemon
    if n < 1 or not is_alone or sys.platform != "linux":
        return None
    try:
        return _Forks(work, chunks, n)
    except OSError:
        return None


class _Queue:
    """Numbers of chunks, each taken once, by whichever process comes first: a file whose place they share."""

    def __init__(self, n: int) -> None:
        made = os.memfd_create("chunks")
        try:
            with open(made, "wb", closefd=False) as file:
                file.write(b"".join(map(NUMBER.pack, range(n))))
            # Only of a file that was opened by name does a read take its place and move it in one step.
            self.file = os.open(f"/proc/self/fd/{made}", os.O_RDONLY)
        finally:
            os.close(made)

    def take(self) -> int | None:
        """The next number; None where all are taken."""
        found = os.read(self.file, NUMBER.size)
        return NUMBER.unpack(found)[0] if found else None

    def end(self) -> None:
        """Leaves nothing to take."""
        os.lseek(self.file, 0, os.SEEK_END)
        os.close(self.file)


class _Forks:
    """Forks of this process at work. They have the chunks from it, take numbers, and end where none is left.

    Answers are appended to memory that all share. In a pipe they would wait until this process, which has chunks of its
    own to do, comes to read them; only where they lie is told through one.
    """

    def __init__(self, work: Callable[[Any], Any], chunks: Sequence[Any], n: int) -> None:
        """Raises: OSError where there is no memory or no process for it."""
        self.queue, self.processes = _Queue(len(chunks)), []
        self.told, self.tell = os.pipe()
        self.answers = os.memfd_create("answers")
        try:
            for _ in range(n):
                fork = multiprocessing.get_context("fork").Process(target=self._run, args=(work, chunks), daemon=True)
                fork.start()
                self.processes.append(fork)
        except BaseException:
            os.close(self.tell)
            self.end()
            raise
        os.close(self.tell)  # so that what is told ends where the last fork does, however that ends

    def _run(self, work: Callable[[Any], Any], chunks: Sequence[Any]) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, and the first process ends all
        os.close(self.told)  # so that telling fails where the first process was killed, and this one ends
        try:
            own = os.open(f"/proc/self/fd/{self.answers}", os.O_WRONLY | os.O_APPEND)
            while (i := self.queue.take()) is not None:
                answer = _pickled(_tried(work, chunks[i]))
                padded = -(-len(answer) // mmap.PAGESIZE) * mmap.PAGESIZE
                with open(own, "wb", closefd=False) as file:
                    file.write(answer.ljust(padded, b"\0"))
                os.write(self.tell, SENT.pack(i, os.lseek(own, 0, os.SEEK_CUR) - padded, len(answer)))
        except (OSError, MemoryError):  # nobody to tell, or no memory
            sys.exit(1)

    def received(self, *, wait: bool) -> dict[int, Callable[[], Any]]:
        """Answers that forks have sent, at least one where it is waited for. Raises: RunError where one was killed."""
        os.set_blocking(self.told, wait)
        try:
            told = os.read(self.told, SENT.size * 1000)
        except BlockingIOError:
            told = b""
        if (wait and not told) or any(process.exitcode for process in self.processes):
            raise RunError(
                "A worker process was killed, by the system where memory ran out. Run the same command again, with "
                "--workers 1 where memory is short."
            )
        return {i: self._given(at, size) for i, at, size in SENT.iter_unpack(told)}

    def _given(self, at: int, size: int) -> _Given:
        """The answer that lies there, whose memory is given back."""
        with mmap.mmap(self.answers, size, offset=at) as pages:
            found = pickle.loads(pages[:])
            pages.madvise(mmap.MADV_REMOVE)
        return found

    def end(self) -> None:
        """Lets forks finish what they are at, and nothing else."""
        self.queue.end()
        os.close(self.told)
        for process in self.processes:
            process.join()
            process.close()
        os.close(self.answers)


@dataclass(frozen=True)
class _Given:
    """An answer, or what was raised for when its turn comes."""

    answer: Any = None
    error: Exception | None = None

    def __call__(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.answer


def _tried(work: Callable[[Any], Any], chunk: Any) -> _Given:
    try:
        return _Given(work(chunk))
    except Exception as error:  # noqa: BLE001  (raised where the answer would have been)
        return _Given(error=error)


def _pickled(found: _Given) -> bytes:
    """What can be read again, whatever it is: an error says in a note where it was raised."""
    error = found.error
    if error is not None and not isinstance(error, DdbenchError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        data = pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
        if error is not None:
            pickle.loads(data)
    except Exception as fault:  # noqa: BLE001  (whatever a type of error or answer does)
        said = error or fault
        data = pickle.dumps(_Given(error=RunError(f"A worker failed: {type(said).__name__}: {said}")))
    return data


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
