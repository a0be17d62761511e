"""The mistakes in a suite's structure, in words: unknown keys, wrong types, names that nothing bears. torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from ddbench.budget import Budget
from ddbench.errors import did_you_mean
from ddbench.spec.cell import Choice, EvaluationProtocol, Training
from ddbench.spec.suite import AXES, FORMATS, PLUGIN_AXES, Block, Match, Setting, Suite
from ddbench.spec.yaml import Document, Fault, Way


@dataclass(frozen=True)
class Form:
    """A kind of file: its model, and the models below it by the key under which they stand."""

    root: type[BaseModel]
    models: Mapping[str | int, type[BaseModel]]
    head: str
    """The key that holds the version of the format."""
    version: int
    wanted: Mapping[type[BaseModel], str]
    """How to write those models that are not just mappings."""

    def model(self, loc: Way) -> type[BaseModel]:
        """The model at a location, or the innermost one that holds it."""
        model = self.root
        for part in loc:
            model = self.models.get(part, model)
        return model


AN_ENTRY = "a name or {name: {arguments}}"
_MODELS: dict[str | int, type[BaseModel]] = {
    "grid": Block, "protocol": EvaluationProtocol, "protocols": EvaluationProtocol, "full": Training,
    "settings": Setting, "exclude": Match, "include": Match, "when": Match, "budgets": Budget, "budget": Budget,
    "datasets": Choice, "codecs": Choice, "methods": Choice, "dataset": Choice, "codec": Choice, "method": Choice,
    "networks": Choice, "network": Choice,
}  # fmt: skip
_SUITE = Form(
    Suite, _MODELS, "ddbench", FORMATS[-1],
    {Budget: "{ipc: 1}, {bytes_per_class: 3136} or {fraction: 0.01}", Choice: AN_ENTRY},
)  # fmt: skip


def structure(document: Document) -> tuple[Suite | None, list[Fault]]:
    """The suite, or None where it cannot be made, and every mistake that can be seen without the plug-ins."""
    faults = list(document.faults)
    data = document.data
    if not isinstance(data, dict):
        found = type(data).__name__
        return None, [*faults, document.fault((), f"a suite is a mapping of keys, found {found}. Begin: ddbench: 1")]
    if "ddbench" in data and (isinstance(data["ddbench"], bool) or data["ddbench"] not in FORMATS):
        known = ", ".join(map(str, FORMATS))
        text = f"the suite format is {data['ddbench']!r}; this ddbench reads format {known}. Change it or upgrade."
        return None, [*faults, document.fault(("ddbench",), text)]
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        return None, faults + model_faults(error, document, _SUITE)
    suite._document = document
    return suite, faults + list(_dangling(suite, document))


def model_faults(error: ValidationError, document: Document, form: Form) -> list[Fault]:
    """What pydantic has against a document, in words and with lines."""
    return [_fault(e, document, form) for e in error.errors() if e["type"] != "too_short" or not e["input"]]


def _fault(e: Any, document: Document, form: Form) -> Fault:
    loc = _plain(e["loc"])
    if e["type"] == "value_error":  # said of a whole entry, which may lack only what could not be read
        here = document.written(loc)
        for path, fault in document.refused.items():
            if path[:-1] == here:
                return fault
    if e["type"] == "too_short" and (lost := document.lacking.get(document.written(loc))):
        return lost  # what was written there is no key, so that nothing is left
    return document.fault(loc, _words(e, form))


def _words(e: Any, form: Form) -> str:
    """A pydantic mistake as a sentence of what is wrong and what would be right."""
    loc = _plain(e["loc"])
    name = next((part for part in reversed(loc) if isinstance(part, str)), "")
    key, given, kind = repr(loc[-1] if loc else ""), e["input"], e["type"]
    if kind == "extra_forbidden":
        return f"unknown key {key}. {did_you_mean(str(loc[-1]), form.model(loc[:-1]).model_fields)}"
    if kind == "missing":
        if loc == (form.head,):
            return f"the key {form.head!r} is missing. Begin with: {form.head}: {form.version}"
        return f"the key {key} is missing."
    if given is None:
        return f"{name!r} has no value. Give one or leave the key out."
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{name!r} takes {form.wanted.get(form.model(loc), 'a mapping')}, got {given!r}."
    if kind in ("tuple_type", "list_type"):
        return f"{name!r} takes a list, got {given!r}."
    if kind == "too_short":
        return f"{name!r} is empty. Give at least one value."
    said = e["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"{name!r}: {said}."
    hint = ""
    if kind == "literal_error" and isinstance(given, str):
        hint = " " + did_you_mean(given, e["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", "))
    return f"{name!r}: {said[:1].lower() + said[1:]}, got {given!r}.{hint}"


def _plain(loc: Way) -> Way:
    """The location without the mark of which form `protocol` has."""
    return (loc[0], *loc[2:]) if loc[:1] == ("protocol",) else loc


def _dangling(suite: Suite, document: Document) -> Iterator[Fault]:
    """Protocol names that are not defined, and rules that name a plug-in which their block does not have."""
    if isinstance(suite.protocol, str) and suite.protocol not in suite.protocols:
        yield document.fault(("protocol",), no_protocol(suite.protocol, suite))
    for i, block in enumerate(suite.grid):
        if block.protocol is not None and block.protocol not in suite.protocols:
            yield document.fault(("grid", i, "protocol"), no_protocol(block.protocol, suite))
        for where, rule in _rules(block):
            for axis in PLUGIN_AXES:
                known = {c.name for c in (*getattr(block, AXES[axis]), *_included(block, axis))}
                for j, choice in enumerate(getattr(rule, axis)):
                    if choice.name not in known:
                        text = f"the block has no {axis} {choice.name!r}, so this rule matches nothing."
                        at = ("grid", i, *where, axis, j)
                        yield document.fault(at, f"{text} {did_you_mean(choice.name, known)}".rstrip())
        for j, setting in enumerate(block.settings):
            if not setting.codec_args and not setting.method_args:
                text = "this setting sets nothing. Give it codec_args or method_args."
                yield document.fault(("grid", i, "settings", j), text)


def _rules(block: Block) -> Iterator[tuple[Way, Match]]:
    for j, rule in enumerate(block.exclude):
        yield ("exclude", j), rule
    for j, setting in enumerate(block.settings):
        yield ("settings", j, "when"), setting.when


def _included(block: Block, axis: str) -> list[Choice]:
    return [choice for rule in block.include for choice in getattr(rule, axis)]


def no_protocol(name: str, suite: Suite) -> str:
    """Says that a protocol's name is not defined."""
    hint = did_you_mean(name, suite.protocols) or "Define it under 'protocols'."
    return f"there is no protocol {name!r}. {hint}"
