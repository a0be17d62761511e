"""Plug-ins by entry point: named and listed without importing them, imported when asked for. torch-free.

Third-party packages register in the same groups as the built-ins; nobody has precedence, two plug-ins of one name are
an error that names both packages.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from pydantic import ValidationError

from ddbench.errors import PluginError, SpecError, did_you_mean

Kind = Literal["codec", "method", "dataset", "network", "engine"]
KINDS: tuple[Kind, ...] = ("codec", "method", "dataset", "network", "engine")


@cache
def _found(kind: Kind) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = defaultdict(list)
    for point in entry_points(group=f"ddbench.{kind}s"):
        if not any(other.value == point.value and origin(other) == origin(point) for other in found[point.name]):
            found[point.name].append(point)
    return dict(sorted(found.items()))


def refresh() -> None:
    """Forgets what was found, so that packages installed since are seen."""
    _found.cache_clear()
    _load.cache_clear()


def names(kind: Kind) -> list[str]:
    """The registered names of a kind, sorted."""
    return list(_found(kind))


def origin(point: EntryPoint) -> str:
    """The distribution that registers an entry point, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


def entry(kind: Kind, name: str) -> EntryPoint:
    """The one entry point of that name. Raises: PluginError where there is none, or more than one."""
    points = _found(kind).get(name)
    if not points:
        raise PluginError(f"There is no {kind} called {name!r}. {did_you_mean(name, _found(kind))}")
    if len(points) > 1:
        packages = ", ".join(f"{origin(p)} ({p.value})" for p in points)
        raise PluginError(
            f"The {kind} name {name!r} is registered by several packages: {packages}. Uninstall all but one."
        )
    return points[0]


def load(kind: Kind, name: str) -> type[Any]:
    """The plug-in class. Raises: PluginError naming package and cause where it is missing or breaks the contract."""
    return _load(kind, name)


@cache
def _load(kind: Kind, name: str) -> type[Any]:
    point = entry(kind, name)
    where = f"The {kind} {name!r} of {origin(point)} ({point.value})"
    try:
        plugin = point.load()
    except (Exception, SystemExit) as error:  # a plug-in may raise anything while it is imported, or end the program
        raise PluginError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
    faults = contract_faults(kind, plugin)
    if faults:
        raise PluginError(f"{where} breaks the plug-in contract: {'; '.join(faults)}.")
    return plugin


def contract_faults(kind: Kind, plugin: object) -> list[str]:
    """What a plug-in class lacks of its contract, in words; empty where it keeps it."""
    from importlib import import_module

    base = getattr(import_module(f"ddbench.interfaces.{kind}"), kind.capitalize())
    if not isinstance(plugin, type) or not issubclass(plugin, base):
        return [f"it is {plugin!r}, not a subclass of ddbench.interfaces.{kind}.{kind.capitalize()}"]
    faults = []
    if inspect.isabstract(plugin):
        faults.append(f"it does not define {', '.join(sorted(plugin.__abstractmethods__))}")
    for declared in ("version", "source"):
        if not isinstance(getattr(plugin, declared, None), str) or not getattr(plugin, declared):
            faults.append(f"it declares no {declared!r} (a non-empty string)")
    undocumented = [n for n, f in plugin.Config.model_fields.items() if not f.description]
    if undocumented:
        faults.append(f"its arguments {', '.join(undocumented)} have no description")
    return faults


def argument_faults(kind: Kind, name: str, args: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """(way to the argument, what is wrong with it) for every argument that the plug-in does not take."""
    return model_faults(load(kind, name).Config, args)


def model_faults(model: Any, args: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """The same for any pydantic model of arguments."""
    try:
        model(**args)
    except ValidationError as error:
        return [(e["loc"], _argument_fault(e, model)) for e in error.errors()]
    return []


def _argument_fault(e: Any, model: Any) -> str:
    at, said = ".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")
    if not at:
        return f"{said}."
    if e["type"] == "extra_forbidden":
        return f"unknown argument {at!r}. {did_you_mean(at, model.model_fields) or 'It takes none.'}"
    if e["type"] == "missing":
        return f"argument {at!r} is required."
    return f"argument {at!r}: {said}, got {e['input']!r}."


def configure(kind: Kind, name: str, args: dict[str, Any]) -> Any:
    """The plug-in's validated arguments. Raises: SpecError naming every argument that is wrong."""
    return configured(load(kind, name).Config, args, f"The {kind} {name!r}")


def configured(model: type[Any], args: Mapping[str, Any], who: str) -> Any:
    """Validated arguments of `who`. Raises: SpecError naming every argument that is wrong."""
    faults = model_faults(model, args)
    if faults:
        raise SpecError(f"{who} does not take these arguments: {' '.join(text for _, text in faults)}")
    return model(**args)


def build(kind: Kind, name: str, args: dict[str, Any] | None = None, *more: Any) -> Any:
    """An instance of the plug-in: `Class(config, *more)`."""
    return load(kind, name)(configure(kind, name, args or {}), *more)
