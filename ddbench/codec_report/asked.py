"""What is asked of a codec report: read from the words of a command line, all mistakes named at once. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from ddbench.budget import Budget
from ddbench.errors import DdbenchError, SpecError, did_you_mean
from ddbench.leaf import Storage
from ddbench.planning.facts import full_args
from ddbench.registry import Kind
from ddbench.spec.cell import Choice, Training
from ddbench.spec.yaml import parse

STORAGES: tuple[Storage, ...] = get_args(Storage)
BATCH = 64
"""Batch of students: the recipe of the whole dataset in `suites/quickstart.yaml`."""
BUDGET_FORMS = tuple(Budget.model_fields)


class Asked(BaseModel):
    """A report in full: what the figures depend on, but for the versions of plug-ins and the revision of data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: Choice
    codecs: tuple[Choice, ...]
    """None named: every codec that is installed, with its default arguments, as far as it takes the signals."""
    storages: tuple[Storage, ...]
    budgets: tuple[Budget, ...]
    """Budgets for which items are counted; codecs are measured as they are built for the first."""
    evaluate_on: Literal["test", "validation"]
    items: int | None
    """At most so many held-out signals are reconstructed; None: all."""
    fit_on: Choice | None
    """The dataset on which codecs are fitted, if not the reported one."""
    seeds: tuple[int, ...]
    network: Choice | None
    """The student's; None: no students."""
    training: Training


class Words(BaseModel):
    """The same as a user writes it."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    codecs: tuple[str, ...] = ()
    storages: str = "float32,float16,uint8"
    budgets: tuple[str, ...] = ("ipc:1", "ipc:10")
    evaluate_on: Literal["test", "validation"] = "test"
    items: int | None = None
    fit_on: str | None = None
    seeds: tuple[int, ...] = (0,)
    student: bool = True
    network: str = "auto: {width: 16}"
    epochs: int = 4


def read(words: Words) -> Asked:
    """What the words ask for. Raises: SpecError with a line for each mistake."""
    faults: list[str] = []
    dataset = _plugin("dataset", "DATASET", words.dataset, faults)
    codecs = [_plugin("codec", "--codec", text, faults) for text in words.codecs]
    fit_on = None if words.fit_on is None else _plugin("dataset", "--fit-on", words.fit_on, faults)
    network = _plugin("network", "--network", words.network, faults) if words.student else None
    storages = [_storage(text, faults) for text in words.storages.split(",") if text.strip()]
    budgets = [_budget(text, faults) for text in words.budgets]
    if not storages:
        faults.append(f"--storage names no type. Known: {', '.join(STORAGES)}.")
    if not budgets:
        faults.append("--budget is empty. Write it as ipc:1, bytes_per_class:4000 or fraction:0.01.")
    if faults:
        raise SpecError("\n".join(dict.fromkeys(faults)))
    return Asked.model_validate(
        {
            "dataset": dataset, "codecs": _once(codecs), "storages": _once(storages), "budgets": _once(budgets),
            "evaluate_on": words.evaluate_on, "items": words.items, "fit_on": fit_on, "seeds": _once(words.seeds),
            "network": network, "training": {"epochs": words.epochs, "batch": BATCH, "augment": "none"},
        }
    )  # fmt: skip


def _once(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(value for i, value in enumerate(values) if value not in values[:i])


def _plugin(kind: Kind, where: str, text: str, faults: list[str]) -> Choice | None:
    """The plug-in with all its arguments; None where it does not exist or does not take them."""
    try:
        document = parse(text, f"{where} {text!r}")
        if document.faults:
            raise document.error(document.faults)
        choice = Choice.model_validate(document.data)
        return full_args(kind, choice)
    except ValidationError as error:
        told = "; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())
        faults.append(f"{where} {text!r}: {told}.")
    except DdbenchError as error:
        said = str(error)
        faults.append(said if said.startswith(where) else f"{where}: {said}")
    return None


def _storage(text: str, faults: list[str]) -> Storage | None:
    name = text.strip()
    if name in STORAGES:
        return cast(Storage, name)
    faults.append(f"--storage: there is no storage type {name!r}. {did_you_mean(name, STORAGES)}")
    return None


def _budget(text: str, faults: list[str]) -> Budget | None:
    form, _, value = (part.strip() for part in text.partition(":"))
    if form not in BUDGET_FORMS:
        faults.append(
            f"--budget {text!r}: there is no form {form!r}. {did_you_mean(form, BUDGET_FORMS)} Write it as ipc:1."
        )
        return None
    try:
        return Budget.model_validate({form: _number(value)})
    except ValidationError as error:
        told = "; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())
        faults.append(f"--budget {text!r}: {told}.")
        return None


def _number(text: str) -> int | float | str:
    """The number that the text writes; the text itself where it writes none, for the message."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
