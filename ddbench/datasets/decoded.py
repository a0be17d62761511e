"""Picture files decoded once into a memory map, so that no set of pictures has to fit in memory.

A map is `[n, c, h, w]` uint8 in the cache, beside it a JSON file with a digest for each piece of 128 pictures. While it
is made it is called `.partial`, and a journal names the pieces that are on the disk: after a kill the finished pieces
are kept. A map whose pieces do not agree with their digests goes back to that state, and only those are made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from filelock import FileLock

from ddbench.canonical import digest
from ddbench.errors import ArtifactError, DataError, RunError
from ddbench.files import read_json, write_atomic
from ddbench.touched import Touched, cache_root, touch

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

PIECE = 128
"""Pictures in a piece: what is decoded before anything is written, and what a kill costs."""
MOST_THREADS = 16
SHOWN = 5
"""Broken files that an error names."""


@dataclass(frozen=True)
class Pictures:
    """Picture files in order, and how each becomes an array."""

    name: str
    """Of the map's file, for people."""
    files: Sequence[Any]
    """Paths, or whatever `read` takes."""
    listing: str
    """A digest that changes whenever the files do."""
    shape: tuple[int, int, int]
    processing: str
    """Changes whenever `read` would give other pixels."""
    read: Callable[[Any], UInt8[np.ndarray, "c h w"]]
    """Raises: DataError for a file that is no picture."""

    @cached_property
    def key(self) -> str:
        return digest([self.listing, list(self.shape), self.processing, len(self.files), PIECE])

    @property
    def path(self) -> Path:
        return cache_root() / "images" / f"{self.name}-{self.key[:16]}.u8"

    @property
    def picture_bytes(self) -> int:
        channels, height, width = self.shape
        return channels * height * width

    @property
    def size_bytes(self) -> int:
        return self.picture_bytes * len(self.files)

    @property
    def n_pieces(self) -> int:
        return -(-len(self.files) // PIECE)

    def piece(self, index: int) -> Sequence[Any]:
        return self.files[PIECE * index : PIECE * (index + 1)]


def decoded(pictures: Pictures, tell: Callable[[float], None] = lambda _: None) -> UInt8[np.ndarray, "n c h w"]:
    """The pictures as a copy-on-write memory map, made where it is not there yet; `tell` gets the share that is done.

    Raises: DataError naming the files that are no pictures; RunError where the cache cannot be written.
    """
    path = pictures.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if _sound(pictures):
                touch(Touched("found", path, pictures.size_bytes))
            else:
                _make(pictures, tell)
                touch(Touched("made", path, pictures.size_bytes))
            return _mapped(pictures)
    except OSError as error:
        raise RunError(
            f"The map of decoded pictures {path} ({pictures.size_bytes} bytes) could not be written or read: "
            f"{error.strerror or error}. Make room there or name another cache folder with DDBENCH_CACHE, then run the "
            "same command again; what is finished is kept."
        ) from error


def _mapped(pictures: Pictures) -> UInt8[np.ndarray, "n c h w"]:
    import numpy as np

    return np.memmap(pictures.path, dtype=np.uint8, mode="c", shape=(len(pictures.files), *pictures.shape))


def _sound(pictures: Pictures) -> bool:
    """Whether the map is there and is what its digests say; a damaged one becomes a partial one, which is told."""
    path = pictures.path
    if not path.exists():
        return False
    known = _sidecar(pictures)
    with open(path, "rb") as file:
        sound = {i: d for i, d in known.items() if _digest_of(file, pictures, i) == d}
    if len(sound) == pictures.n_pieces and path.stat().st_size == pictures.size_bytes:
        return True
    bad = pictures.n_pieces - len(sound)
    touch(Touched("unsound", path, why=f"{bad} of its {pictures.n_pieces} pieces are not what was written"))
    _journal(pictures).write_text("".join(f"{i} {d}\n" for i, d in sound.items()), encoding="utf-8")
    os.replace(path, _partial(pictures))
    return False


def _make(pictures: Pictures, tell: Callable[[float], None]) -> None:
    """Decodes what the partial map lacks, then gives it its name."""
    partial, broken = _partial(pictures), []
    with open(partial, "r+b" if partial.exists() else "x+b") as file, open(_journal(pictures), "a+") as journal:
        kept = _kept(pictures, file, journal)
        _reserve(file, pictures.size_bytes)
        with ThreadPoolExecutor(_threads()) as pool:  # Pillow's decoders and filters release the interpreter's lock
            for index in range(pictures.n_pieces):
                if index not in kept:
                    faults = _piece(pictures, index, pool, file)
                    broken += faults
                    if not faults:
                        kept[index] = _digest_of(file, pictures, index)
                        journal.write(f"{index} {kept[index]}\n")
                        journal.flush()
                        os.fsync(journal.fileno())
                tell((index + 1) / pictures.n_pieces)
    if broken:
        raise DataError(_broken(pictures, broken))
    about = {
        "key": pictures.key, "listing": pictures.listing, "processing": pictures.processing, "shape": pictures.shape,
        "count": len(pictures.files), "pieces": [kept[i] for i in range(pictures.n_pieces)],
    }  # fmt: skip
    write_atomic(_beside(pictures), json.dumps(about, indent=0))
    os.replace(partial, pictures.path)
    _journal(pictures).unlink()


def _piece(pictures: Pictures, index: int, pool: Executor, file: IO[bytes]) -> list[str]:
    """Decodes one piece and puts it on the disk; what is wrong with its files, if anything, and then writes nothing."""
    import numpy as np

    def attempt(path: Any) -> UInt8[np.ndarray, "c h w"] | str:
        try:
            return pictures.read(path)
        except DataError as error:
            return str(error)

    answers = list(pool.map(attempt, pictures.piece(index)))
    faults = [a for a in answers if isinstance(a, str)]
    if not faults:
        file.seek(PIECE * index * pictures.picture_bytes)
        file.write(np.stack(answers).tobytes())  # pyright: ignore[reportArgumentType, reportCallIssue]
        file.flush()
        os.fsync(file.fileno())
    return faults


def _kept(pictures: Pictures, file: IO[bytes], journal: IO[str]) -> dict[int, str]:
    """The pieces that an earlier attempt finished: those in the journal that the partial map holds as it says."""
    journal.seek(0)
    told = dict(line.split() for line in journal if line.count(" ") == 1 and line.endswith("\n"))
    listed = {int(i): d for i, d in told.items() if i.isdecimal() and int(i) < pictures.n_pieces}
    return {i: d for i, d in listed.items() if _digest_of(file, pictures, i) == d}


def _digest_of(file: IO[bytes], pictures: Pictures, index: int) -> str:
    size = PIECE * pictures.picture_bytes
    file.seek(index * size)
    return hashlib.sha256(file.read(min(size, pictures.size_bytes - index * size))).hexdigest()


def _sidecar(pictures: Pictures) -> dict[int, str]:
    """The digest of each piece as the sidecar has it; nothing where it is missing, damaged or another map's."""
    try:
        about = read_json(_beside(pictures))
        if about["key"] != pictures.key:
            return {}
        return {i: str(d) for i, d in islice(enumerate(about["pieces"]), pictures.n_pieces)}
    except (ArtifactError, KeyError, TypeError):
        return {}


def _reserve(file: IO[bytes], size: int) -> None:
    """Gives the file its size, so that a disk without room says so before the work."""
    if hasattr(os, "posix_fallocate") and size:
        os.posix_fallocate(file.fileno(), 0, size)
    file.truncate(size)


def _threads() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_THREADS)


def _broken(pictures: Pictures, faults: list[str]) -> str:
    more = f" … and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return (
        f"{len(faults)} of the {len(pictures.files)} files of {pictures.name!r} cannot be used: "
        f"{' '.join(faults[:SHOWN])}{more} Replace them by sound ones or remove them; the rest is kept."
    )


def _partial(pictures: Pictures) -> Path:
    return pictures.path.with_suffix(".partial")


def _journal(pictures: Pictures) -> Path:
    return pictures.path.with_suffix(".journal")


def _beside(pictures: Pictures) -> Path:
    return pictures.path.with_suffix(".json")
