"""The plug-ins that a suite names: whether they exist, load, keep the contract and take the arguments given.

Works on the plain data, so that wrong names are reported together with mistakes of structure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from ddbench import registry
from ddbench.errors import DdbenchError
from ddbench.registry import Kind
from ddbench.spec.cell import Choice
from ddbench.spec.suite import AXES, PLUGIN_AXES
from ddbench.spec.yaml import Document, Fault, Way


def plugin_faults(document: Document) -> list[Fault]:
    """Every plug-in of the document that cannot be used as it is written."""
    faults: list[Fault] = []
    for kind, raw, path, partial in _named(document.data):
        try:
            choice = Choice.model_validate(raw)
        except ValidationError:
            continue  # a mistake of structure, reported as such
        faults += choice_faults(document, kind, choice, path, partial)
    return faults


def choice_faults(document: Document, kind: Kind, choice: Choice, path: Way, partial: bool = False) -> list[Fault]:
    """What is wrong with one plug-in's name or arguments; `partial` ones, as in rules, may leave any out."""
    try:
        wrong = registry.argument_faults(kind, choice.name, choice.args)
    except DdbenchError as error:
        return [document.fault((*path, choice.name), str(error))]
    return [
        document.fault((*path, choice.name, "args", *loc), f"{kind} {choice.name!r}: {text}")
        for loc, text in wrong
        if not partial or (loc and loc[0] in choice.args)
    ]


def _named(data: Any) -> Iterator[tuple[Kind, Any, Way, bool]]:
    """(kind, entry as written, way to it, whether its arguments may be partial)."""
    if not isinstance(data, dict):
        return
    yield from _students(data.get("protocol"), ("protocol",))
    protocols = data.get("protocols")
    for name, protocol in protocols.items() if isinstance(protocols, dict) else ():
        yield from _students(protocol, ("protocols", name))
    for i, block in _mappings(data.get("grid")):
        here: Way = ("grid", i)
        for axis in PLUGIN_AXES:
            yield from _entries(axis, block.get(AXES[axis]), (*here, AXES[axis]))
            for j, rule in _mappings(block.get("include")):
                yield from _entries(axis, rule.get(axis), (*here, "include", j, axis))
            for j, rule in _mappings(block.get("exclude")):
                yield from _entries(axis, rule.get(axis), (*here, "exclude", j, axis), partial=True)
            for j, setting in _mappings(block.get("settings")):
                if isinstance(when := setting.get("when"), dict):
                    yield from _entries(axis, when.get(axis), (*here, "settings", j, "when", axis), partial=True)
        yield from _entries("network", block.get("network"), (*here, "network"))


def _students(protocol: Any, path: Way) -> Iterator[tuple[Kind, Any, Way, bool]]:
    if isinstance(protocol, dict):
        yield from _entries("network", protocol.get("networks"), (*path, "networks"))


def _entries(kind: Kind, value: Any, path: Way, partial: bool = False) -> Iterator[tuple[Kind, Any, Way, bool]]:
    for i, entry in enumerate(value if isinstance(value, list | tuple) else [value]):
        if entry is not None:
            yield kind, entry, (*path, i), partial


def _mappings(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    for i, item in enumerate(value if isinstance(value, list | tuple) else [value]):
        if isinstance(item, dict):
            yield i, item
