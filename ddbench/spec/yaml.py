"""YAML as plain data that remembers where each value stood, so that a mistake can be shown with its line. torch-free.

Accepted is what a settings file needs: mappings with text keys, lists, text, numbers, booleans, null, anchors and
merge keys.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ddbench.errors import DataError, DdbenchError, SpecError

MAX_FILE_BYTES = 1_000_000
MAX_VALUES = 20_000
"""Values after aliases are expanded: a few lines of nested aliases may otherwise stand for billions."""
MAX_DEPTH = 40
MAX_INTEGER = 2**63 - 1

_TAG = "tag:yaml.org,2002:"
_SCALARS = {"null", "bool", "int", "float", "str", "timestamp", "value"}

Way = tuple[str | int, ...]
"""Way to a value: keys and list indices from the top."""


@dataclass(frozen=True, order=True)
class Fault:
    """One mistake and its line (1-based; 0 where the data came from no file)."""

    line: int
    text: str
    is_missing: bool = False
    """Not a mistake of the file: it names data or weights that are not here."""
    way_out: str = ""
    """How to get what is missing."""


@dataclass(frozen=True)
class Document:
    """Plain data, and where each of its values stood."""

    label: str
    """What the user called the file."""
    data: Any
    marks: dict[Way, tuple[int, int]] = field(default_factory=dict)
    """(line, column) by path, 1-based; of the key for a value in a mapping."""
    faults: tuple[Fault, ...] = ()
    """Mistakes that did not stop the reading, duplicate keys for one."""
    refused: dict[Way, Fault] = field(default_factory=dict)
    """Those of `faults` for which a value was left out (it is null in `data`), by its path."""
    lacking: dict[Way, Fault] = field(default_factory=dict)
    """Of `faults`, the last for which a mapping lacks a key that was written, by the mapping's path."""

    def written(self, path: Sequence[str | int]) -> Way:
        """The part of `path` that the file has.

        Steps that it does not have are passed over: a validated value may sit deeper than what was written (a single
        value that stands for a list, a plug-in's arguments in their short form).
        """
        here: Way = ()
        for step in path:
            if (*here, step) in self.marks:
                here = (*here, step)
        return here

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the value at `path`, or of the innermost one that holds it."""
        return self.marks.get(self.written(path), (0, 0))[0]

    def fault(self, path: Sequence[str | int], said: str | DdbenchError) -> Fault:
        """The mistake at `path`; below a value that was refused, that mistake: what else is said of it is not true."""
        here = self.written(path)
        for end in range(len(here) + 1):
            if here[:end] in self.refused:
                return self.refused[here[:end]]
        line = self.marks.get(here, (0, 0))[0]
        if isinstance(said, DataError):
            return Fault(line, said.what, True, said.way_out)
        return Fault(line, str(said))

    def error(self, faults: Iterable[Fault]) -> DdbenchError:
        """One error that lists every mistake as `file:line: what`, in the order of the file.

        Where the file is right and only data or weights are missing, a DataError: each missing thing once, with its
        lines, then once how to get such things.
        """
        ordered = sorted(set(faults))
        if not ordered or not all(fault.is_missing for fault in ordered):
            lines = (f"{self.label}:{f.line or 1}: {f.text} {f.way_out}".rstrip() for f in ordered)
            return SpecError("\n".join(lines))
        places: dict[str, list[int]] = {}
        for fault in ordered:
            places.setdefault(fault.text, []).append(fault.line or 1)
        said = [f"{self.label}:{','.join(map(str, dict.fromkeys(at)))}: {text}" for text, at in places.items()]
        ways = dict.fromkeys(fault.way_out for fault in ordered if fault.way_out)
        return DataError("\n".join([f"{self.label} needs what is not here.", *said]), "\n".join(["", *ways]))


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, except that `1e-3` is a number, as in YAML 1.2."""


_Loader.add_implicit_resolver(
    _TAG + "float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def read(path: Path, label: str | None = None) -> Document:
    """The document in a file. Raises: SpecError where it cannot be read, is too large, or is not YAML."""
    label = label or str(path)
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise SpecError(
                f"{label} is {size} bytes long; a suite or a recipes file has at most {MAX_FILE_BYTES}. "
                "Is it the right file?"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SpecError(f"{label} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{label} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    return parse(text, label)


def parse(text: str, label: str) -> Document:
    """The document in a text. Raises: SpecError with the line where it is not YAML or stands for too much."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise SpecError(
                    f"{label}:1: the file is empty. A suite begins with 'ddbench: 1', "
                    "a recipes file with 'ddbench_recipes: 1'."
                )
            walk = _Walk(loader, label)
            data = walk.value(node, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = ", ".join(p for p in (error.context, error.problem) if p)
        raise SpecError(f"{label}:{line}: not valid YAML: {what}.") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 1
        raise SpecError(f"{label}:{line}: not valid YAML: {error.reason}.") from error
    except RecursionError as error:
        raise SpecError(f"{label}:1: the values are nested too deeply (more than {MAX_DEPTH} levels).") from error
    return Document(label, data, walk.marks, tuple(walk.faults), walk.refused, walk.lacking)


class _Walk:
    """One pass over the composed nodes: data, marks and faults."""

    def __init__(self, loader: _Loader, label: str) -> None:
        self.loader, self.label = loader, label
        self.marks: dict[Way, tuple[int, int]] = {}
        self.faults: list[Fault] = []
        self.refused: dict[Way, Fault] = {}
        self.lacking: dict[Way, Fault] = {}
        self.count = 0

    def value(self, node: yaml.Node, path: Way, at: yaml.Node | None = None, depth: int = 0) -> Any:
        """The node's value; `at` is the node that a reader would look at (the key, in a mapping)."""
        mark = (at or node).start_mark
        line = mark.line + 1
        self.marks[path] = (line, mark.column + 1)
        self.count += 1
        if self.count > MAX_VALUES:
            raise SpecError(
                f"{self.label}:{line}: the file stands for more than {MAX_VALUES} values once its aliases are expanded."
            )
        if depth > MAX_DEPTH:
            raise SpecError(
                f"{self.label}:{line}: the values are nested more than {MAX_DEPTH} levels deep. "
                "Does an alias refer to itself?"
            )
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self.mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, (*path, i), depth=depth + 1) for i, item in enumerate(node.value)]
        value, fault = self.scalar(node)
        if fault:
            self.refused[path] = Fault(line, fault)
            self.faults.append(self.refused[path])
        return value

    def mapping(self, node: yaml.MappingNode, path: Way, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                merged = {**self.merge(key_node, value_node, path, depth), **merged}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _TAG + "merge":
                continue
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _TAG + "str":
                shown = f" {key_node.value}" if isinstance(key_node, yaml.ScalarNode) else ""
                self.lacking[path] = Fault(line, f"the key{shown} is not text. Put it in quotes if it is a name.")
                self.faults.append(self.lacking[path])
                continue
            key = key_node.value
            if not _encodable(key):
                self.lacking[path] = Fault(line, "this key holds half a surrogate pair, which is no character.")
                self.faults.append(self.lacking[path])
                continue
            if key in first:
                self.faults.append(
                    Fault(line, f"the key {key!r} is given twice; first on line {first[key]}. Keep one of them.")
                )
                continue
            first[key] = line
            own[key] = self.value(value_node, (*path, key), key_node, depth + 1)
        return {**merged, **own}

    def merge(self, key_node: yaml.Node, node: yaml.Node, path: Way, depth: int) -> dict[str, Any]:
        """What `<<: *alias` or `<<: [*a, *b]` brings; earlier sources win, as YAML has it."""
        merged: dict[str, Any] = {}
        here = self.marks[path]
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            value = self.value(source, path, key_node, depth + 1)
            if isinstance(value, dict):
                merged = {**value, **merged}
            else:
                self.refused.pop(path, None)  # the rest of the mapping was taken
                self.faults.append(Fault(key_node.start_mark.line + 1, "'<<' merges mappings only."))
        self.marks[path] = here
        return merged

    def scalar(self, node: yaml.Node) -> tuple[Any, str]:
        """(the value, what is wrong with it); the value is None where something is."""
        kind = node.tag.removeprefix(_TAG)
        if not isinstance(node, yaml.ScalarNode) or kind not in _SCALARS:
            return None, f"values tagged {node.tag!r} are not taken here. Leave the tag out."
        if kind in ("str", "timestamp", "value"):
            if not _encodable(node.value):
                return None, "this text holds half a surrogate pair, which is no character."
            return node.value, ""
        try:
            value = self.loader.construct_object(node, deep=True)
        except (ValueError, KeyError, IndexError, OverflowError):
            return None, f"{node.value!r} is not a valid {kind}."
        if isinstance(value, float) and not math.isfinite(value):
            return None, f"{node.value} is not a finite number."
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            return None, "this whole number does not fit 64 bits."
        return value, ""


def _encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)
