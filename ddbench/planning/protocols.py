"""An evaluation protocol by itself, and a recipe for students: of a suite, or from a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ddbench import registry
from ddbench.errors import SpecError, did_you_mean
from ddbench.planning.facts import full_args
from ddbench.spec.cell import Choice, EvaluationProtocol, Training
from ddbench.spec.find import find_suite
from ddbench.spec.mistakes import AN_ENTRY, Form, model_faults, no_protocol, structure
from ddbench.spec.suite import Suite
from ddbench.spec.yaml import Document, read

T = TypeVar("T", bound=BaseModel)


def protocol_of(text: str) -> EvaluationProtocol:
    """The protocol that `text` means: a suite's (SUITE, or SUITE:NAME where it has several), or that of a YAML file.

    Raises: SpecError naming file, line and fault.
    """
    where, _, name = (text, "", "") if Path(text).is_file() else text.partition(":")
    document = read(find_suite(where), where)
    if isinstance(document.data, dict) and "grid" not in document.data:
        if name:
            raise SpecError(f"{where} holds one protocol, not a suite of several: leave ':{name}' out.")
        return with_all_arguments(_model(EvaluationProtocol, document))
    suite, faults = structure(document)
    if suite is None or faults:
        raise document.error(faults)
    return with_all_arguments(_named(suite, name, where))


def recipe_of(path: Path, protocol: EvaluationProtocol, lr: float | None = None) -> Training:
    """The recipe of a YAML file of `Training` fields; what it does not say is the protocol's, or `lr`, the set's own.

    Raises: SpecError naming file, line and fault.
    """
    document = read(path, str(path))
    given = _model(Training, document)
    return recipe(protocol, lr, {name: getattr(given, name) for name in given.model_fields_set})


def recipe(protocol: EvaluationProtocol, lr: float | None, fields: dict[str, object] | None = None) -> Training:
    """The protocol's recipe with the learned step size of a set, and then with `fields`."""
    known = {name: getattr(protocol, name) for name in Training.model_fields}
    return Training.model_validate({**known, **({} if lr is None else {"lr": lr}), **(fields or {})})


def with_all_arguments(protocol: EvaluationProtocol) -> EvaluationProtocol:
    """The protocol with every argument of its networks spelled out. Raises: SpecError, PluginError."""
    faults = [text for n in protocol.networks for _, text in registry.argument_faults("network", n.name, n.args)]
    if faults:
        raise SpecError(f"The protocol {protocol.name!r} names networks wrongly: {' '.join(faults)}")
    networks = tuple(full_args("network", network) for network in protocol.networks)
    return protocol.model_copy(update={"networks": networks})


def _named(suite: Suite, name: str, where: str) -> EvaluationProtocol:
    if name:
        if name in suite.protocols:
            return suite.protocols[name]
        if isinstance(suite.protocol, EvaluationProtocol) and suite.protocol.name == name:
            return suite.protocol
        raise SpecError(f"{where}: {no_protocol(name, suite)}")
    used = {p.model_dump_json(): p for block in suite.grid if (p := suite.protocol_of(block)) is not None}
    if len(used) != 1:
        names = ", ".join(sorted(suite.protocols))
        raise SpecError(f"The suite {where} uses several protocols: give {where}:NAME, NAME one of {names}.")
    return next(iter(used.values()))


def _model(model: type[T], document: Document) -> T:
    """A model from a whole document. Raises: SpecError with every mistake and its line."""
    form = Form(model, {"networks": Choice, "full": Training}, "", 1, {Choice: AN_ENTRY})
    faults = list(document.faults)
    if not isinstance(document.data, dict) or not document.data:
        keys = ", ".join(list(model.model_fields)[:3])
        raise document.error([*faults, document.fault((), f"a mapping is needed, with keys such as {keys}.")])
    try:
        found = model.model_validate(document.data)
    except ValidationError as error:
        raise document.error([*faults, *model_faults(error, document, form)]) from None
    if faults:
        raise document.error(faults)
    return found


def choice_of(text: str, what: str) -> Choice:
    """A plug-in as it is written in a command: NAME, or {NAME: {argument: value}} as in a suite.

    Raises: SpecError where it is neither.
    """
    from ddbench.spec.yaml import parse

    document = parse(text, what)
    if document.faults:
        raise document.error(document.faults)
    try:
        return Choice.model_validate(document.data)
    except ValidationError:
        raise SpecError(f"{what} takes {AN_ENTRY}; got {text!r}. {did_you_mean(text, ())}".rstrip()) from None
