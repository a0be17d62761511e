"""Reading and writing results: what is read is checked as if a stranger had written it. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ddbench.errors import ArtifactError, VersionError
from ddbench.files import MAX_TEXT_BYTES, decoded, parse_json, read_bytes, write_atomic
from ddbench.result.bits import n_right
from ddbench.result.migrations import known_versions, migrated
from ddbench.result.schema import Result, StudentRun

_LISTED = 5
"""Faults that one message lists."""


class ResultError(ArtifactError):
    """A result that is not one of ours or contradicts itself; `faults` are all that is wrong, the message some."""

    def __init__(self, path: str | Path, what: str, faults: Sequence[str], advice: str = "") -> None:
        super().__init__(f"{path} {what}: {_listed(faults)}.{advice}")
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (str(self), self.faults)


def _restored(said: str, faults: tuple[str, ...]) -> ResultError:
    """The error as it was sent from another process."""
    error = ResultError.__new__(ResultError, said)
    error.faults = faults
    return error


def write_result(path: str | Path, result: Result) -> None:
    """Writes a result in one step. Raises: RunError where that is not possible; ValueError where it contradicts itself.

    A contradiction here is the framework's own fault, so it is not a user's error.
    """
    if faults := contradictions(result):
        raise ValueError(f"the result of {result.cell.title} contradicts itself: {'; '.join(faults)}")
    write_atomic(path, _text(result))


def _text(result: Result) -> bytes:
    return result.__pydantic_serializer__.to_json(result, indent=1) + b"\n"


def read_result(path: str | Path) -> Result:
    """The result in a file.

    Raises: ArtifactError where the file is missing or cut short, of an unknown schema version, not of the schema, or
    contradicts itself (its key is not its cell's, its bits are not its accuracy). Older versions are migrated.
    """
    return read_named(path)[0]


def read_named(path: str | Path) -> tuple[Result, str]:
    """The same with `Cell.unseeded` of its cell, which costs little here. Raises: as `read_result`."""
    data = read_bytes(path, MAX_TEXT_BYTES)
    result = _unchanged(data) or _parsed(decoded(data, path), path)
    key, unseeded = result.cell.key_and_unseeded()
    if faults := contradictions(result, key):
        raise ResultError(path, "contradicts itself", faults, " It was edited or damaged; run the cell again.")
    return result, unseeded


def _unchanged(data: bytes) -> Result | None:
    """The result of the bytes that `write_result` writes, letter for letter; None for any other.

    What is written again as it was read has nothing in it that reading converts, passes over or completes. So nearly
    every file is done with here, ten times as fast as value by value.
    """
    try:
        result = Result.model_validate_json(data)
        return result if _text(result) == data else None
    except ValueError:  # pydantic's own, or of a number that JSON has not: the other way says what is wrong
        return None


def _parsed(text: str, path: str | Path) -> Result:
    """The result of a text that may be laid out otherwise. Raises: ArtifactError that names every mistake."""
    data = parse_json(text, path)
    if not isinstance(data, dict) or "schema_version" not in data:
        raise ArtifactError(f"{path} is not a ddbench result: it has no 'schema_version'.")
    version = data["schema_version"]
    known = known_versions()
    if isinstance(version, bool) or version not in known:
        raise VersionError(
            f"{path} has result schema version {_shown(version)}; this ddbench knows {', '.join(map(str, known))}. "
            "A newer ddbench wrote it, or it is damaged: upgrade ddbench, or run the cell again."
        )
    data = migrated(data, path)
    try:
        result = Result.model_validate(data)
    except ValidationError as error:
        raise ResultError(path, "is not a valid result", [_said(e) for e in error.errors()]) from error
    try:
        _text(result)
    except ValueError as error:  # half a surrogate pair, which JSON can name and no file can hold
        raise ResultError(path, "is not a valid result", ["it holds text that is no Unicode"]) from error
    if changed := _reinterpreted(data, result.model_dump(mode="json")):
        raise ResultError(path, "is not a valid result", changed)
    return result


def _said(e: Any) -> str:
    """What pydantic has against a value, with the value; percent are called by their name."""
    at, given, said = ".".join(map(str, e["loc"])) or "result", e["input"], e["msg"]
    if e["type"] == "missing":
        return f"{at}: {said}"
    if e["type"] == "less_than_equal" and at.endswith("accuracy") and 1 < given <= 100:
        return f"{at}: {given:g} looks like percent; accuracies are fractions in [0, 1]"
    return f"{at}: {said}" + (f", got {_shown(given)}" if isinstance(given, str | int | float) else "")


def _shown(value: Any) -> str:
    """A value's beginning, escaped."""
    return repr(value)[:40]


def contradictions(result: Result, key: str | None = None) -> list[str]:
    """Where parts of a result that must agree do not, in words; empty for a sound one. `key`: its cell's, if known."""
    faults = []
    if result.key != (key := key or result.cell.key):
        faults.append(f"its key is {result.key[:12]}… but its cell's is {key[:12]}…")
    if result.status == "ok" and (result.error is not None or not result.runs or result.bytes is None):
        faults.append("its status is ok but it has an error, or lacks runs or bytes")
    if result.status != "ok" and result.error is None:
        faults.append(f"its status is {result.status} but no error is given")
    if result.bytes is not None and result.bytes.allowed is not None:
        parts = sum(result.bytes.parts.values())
        if parts != result.bytes.used:
            faults.append(f"{result.bytes.used} bytes are said to be used but the parts make {parts}")
    for run in result.runs:
        if fault := _score_fault(run):
            faults.append(f"student {run.student} of {run.network} ({run.column}): {fault}")
    return faults


def _reinterpreted(written: Any, read: Any, at: str = "") -> list[str]:
    """Where a value had to be converted to be read (a number written as text, a name for a whole entry).

    Suites may be written short, results may not: what is signed by its key is exactly what is read.
    """
    if isinstance(written, dict) and isinstance(read, dict):
        return [f for k, v in written.items() for f in _reinterpreted(v, read.get(k), f"{at}.{k}".lstrip("."))]
    if isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        return [f for i, (a, b) in enumerate(zip(written, read)) for f in _reinterpreted(a, b, f"{at}.{i}")]
    same = written == read and isinstance(written, bool) == isinstance(read, bool)
    return [] if same else [f"{at}: {str(written)[:40]!r} is not written as results are, expected {str(read)[:40]!r}"]


def _score_fault(run: StudentRun) -> str:
    try:
        right = n_right(run.correct, run.n_test)
    except ValueError as error:
        return f"its bits cannot be read: {error}"
    if abs(right - run.accuracy * run.n_test) > 1e-6 * run.n_test:
        return f"its bits say {right} of {run.n_test} right, its accuracy {run.accuracy:g}"
    return ""


def _listed(found: Sequence[str]) -> str:
    more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return "; ".join(found[:_LISTED]) + more
