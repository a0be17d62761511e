"""Recipes: arguments of methods by dataset, codec, space and budget, as versioned data with sources. torch-free.

ddbench_recipes: 1                # version of this format
name: example
version: 1                        # of these recipes; raise it when a rule changes
description: what they are
rules:                            # of two rules that give an argument, the later one wins
  - when: {method: dm, dataset: [mnist, fashion_mnist], budget: {ipc_from: 1, ipc_to: 50}}
    args: {iterations: 20000, lr: 1.0}
    source: arXiv 2110.04181, section 4.1
    found: published              # or adapted (numbers had to be chosen), or validation (found on that split)
    found_with:                   # elsewhere: adapted. One place or a list of them, of all that the source ran
      - {codec: identity, space: signal, budget: [{ipc: 1}, {ipc: 10}, {ipc: 50}], network: {auto: {width: 128}}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ddbench.leaf import Storage
from ddbench.spec.cell import Choice, Found, RecipeUse, Space
from ddbench.spec.combine import Combination, alike, matches
from ddbench.spec.labels import arguments
from ddbench.spec.mistakes import AN_ENTRY, Form, model_faults
from ddbench.spec.suite import Listed, Match
from ddbench.spec.yaml import Document, Fault, read
from ddbench.written import as_written

FORMATS = (1,)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Images(_Part):
    """Budgets of as many bytes as so many float32 signals a class take: one, or a range with both its ends.

    Bytes are meant, not a way to write them: `bytes_per_class: 3136` on 28 × 28 signals is 1 ipc.
    """

    ipc: float | None = Field(None, gt=0, description="Just this many.")
    ipc_from: float | None = Field(None, gt=0, description="At least this many.")
    ipc_to: float | None = Field(None, gt=0, description="At most this many.")

    _written = as_written

    @model_validator(mode="after")
    def _one_form(self) -> Images:
        is_range = self.ipc_from is not None or self.ipc_to is not None
        if (self.ipc is not None) == is_range:
            raise ValueError("a rule's budget is {ipc: 1}, or a range: {ipc_from: 1, ipc_to: 50}, or one end of it")
        if self.ipc_from is not None and self.ipc_to is not None and self.ipc_from > self.ipc_to:
            raise ValueError(f"ipc_from {self.ipc_from:g} is more than ipc_to {self.ipc_to:g}")
        return self

    def hold(self, ipc: float) -> bool:
        if self.ipc is not None:
            return ipc == self.ipc
        return (self.ipc_from or 0) <= ipc and (self.ipc_to is None or ipc <= self.ipc_to)

    def __str__(self) -> str:
        if self.ipc is not None:
            return f"{self.ipc:g} ipc"
        if self.ipc_to is None:
            return f"{self.ipc_from:g} ipc or more"
        return f"{self.ipc_from:g} to {self.ipc_to:g} ipc" if self.ipc_from else f"up to {self.ipc_to:g} ipc"


class Where(_Part):
    """Some combinations: those that have, for each axis named, one of the values named.

    A plug-in matches by name and by the arguments that are given, of a method those that it has without recipes.
    """

    dataset: Listed[Choice] = ()
    codec: Listed[Choice] = ()
    method: Listed[Choice] = ()
    space: Listed[Space] = ()
    budget: Listed[Images] = ()

    def takes(self, combination: Combination, ipc: float | None) -> bool:
        """Whether the combination, of a budget of `ipc` float32 signals a class, is one of these."""
        if not matches(self._but_budget, combination):
            return False
        return not self.budget or (ipc is not None and any(images.hold(ipc) for images in self.budget))

    @cached_property
    def _but_budget(self) -> Match:
        return Match(dataset=self.dataset, codec=self.codec, method=self.method, space=self.space)

    def __str__(self) -> str:
        said = [
            " or ".join(map(_entry, self.method)),
            self.codec and f"with {' or '.join(map(_entry, self.codec))}",
            self.space and f"in {' or '.join(self.space)} space",
            self.dataset and f"on {', '.join(map(_entry, self.dataset))}",
            self.budget and f"at {', '.join(map(str, self.budget))}",
        ]
        return " ".join(part for part in said if part)


class FoundWith(Where):
    """Cells of some kind, as they run: the match network and the storage type count too.

    A method matches by all the arguments that the cell has, those included that no rule and no suite gives.
    """

    storage: Listed[Storage] = ()
    network: Listed[Choice] = ()

    def holds(self, ran: Combination, ipc: float | None, network: Choice) -> bool:
        """Whether the cell that runs `ran`, matched in `network`, is one of these; both have all their arguments."""
        if self.storage and ran.storage not in self.storage:
            return False
        return self.takes(ran, ipc) and (not self.network or any(alike(wanted, network) for wanted in self.network))

    def __str__(self) -> str:
        said = [
            super().__str__(),
            self.storage and f"stored as {' or '.join(self.storage)}",
            self.network and f"matched in {' or '.join(map(_entry, self.network))}",
        ]
        return " ".join(part for part in said if part)


def _entry(choice: Choice) -> str:
    shown = {name: "null" if value is None else value for name, value in choice.args.items()}
    return f"{choice.name}({arguments(shown)})" if shown else choice.name


class Rule(_Part):
    """Arguments of methods, where they apply, and where they come from."""

    when: Where
    args: dict[str, Any] = Field(min_length=1)
    source: str = Field(min_length=1)
    found: Found
    found_with: Listed[FoundWith] = ()
    """Where the source found them; none: wherever `when` holds. What it takes beyond that has them as `adapted`."""

    @field_validator("when")
    @classmethod
    def _of_methods(cls, value: Where) -> Where:
        if not value.method:
            raise ValueError("name the methods whose arguments the rule gives, as in {method: dm}")
        return value

    def found_for(self, ran: Combination, ipc: float | None, network: Choice) -> Found:
        """How the values were found, for the cell that runs `ran`; see `FoundWith.holds`."""
        here = not self.found_with or any(where.holds(ran, ipc, network) for where in self.found_with)
        return self.found if here else "adapted"


class Recipes(_Part):
    """Rules by which learned rows have their arguments."""

    ddbench_recipes: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)
    version: int = Field(1, ge=1, strict=True)
    description: str = ""
    rules: tuple[Rule, ...]


_FORM = Form(
    Recipes,
    {
        "rules": Rule, "when": Where, "found_with": FoundWith, "budget": Images,
        "dataset": Choice, "codec": Choice, "method": Choice, "network": Choice,
    },
    "ddbench_recipes",
    FORMATS[-1],
    {Images: "{ipc: 1} or {ipc_from: 1, ipc_to: 50}", Choice: AN_ENTRY},
)  # fmt: skip


def read_recipes(path: Path, label: str | None = None) -> Recipes:
    """The recipes in a file. Raises: SpecError with a line for each mistake."""
    document = read(path, label)
    recipes, faults = recipes_structure(document)
    if recipes is None or faults:
        raise document.error(faults)
    return recipes


def recipes_structure(document: Document) -> tuple[Recipes | None, list[Fault]]:
    """The recipes, or None where they cannot be made, and every mistake that can be seen without the plug-ins."""
    faults = list(document.faults)
    data = document.data
    if not isinstance(data, dict):
        text = f"recipes are a mapping of keys, found {type(data).__name__}. Begin: ddbench_recipes: 1"
        return None, [*faults, document.fault((), text)]
    if "ddbench_recipes" in data and (
        isinstance(data["ddbench_recipes"], bool) or data["ddbench_recipes"] not in FORMATS
    ):
        text = f"the format of recipes is {data['ddbench_recipes']!r}; this ddbench reads format {FORMATS[-1]}."
        return None, [*faults, document.fault(("ddbench_recipes",), f"{text} Change it or upgrade.")]
    try:
        return Recipes.model_validate(data), faults
    except ValidationError as error:
        return None, faults + model_faults(error, document, _FORM)


def uses_of(
    books: Iterable[Recipes],
    combination: Combination,
    ipc: float | None,
    own: Mapping[str, Any],
    codec: Choice | None,
    network: Choice,
) -> tuple[RecipeUse, ...]:
    """The rules that take the combination, each with the arguments that no later one gives.

    `own` are the arguments that the suite gives itself: they stay, and are noted where a rule had another value.
    `codec` and `network` are those that the cell runs with, all arguments spelled out, as in the combination: how the
    values were found is a matter of what is run.
    """
    taken = [(book, rule) for book in books for rule in book.rules if rule.when.takes(combination, ipc)]
    last = {name: i for i, (_, rule) in enumerate(taken) for name in rule.args}
    ruled = {name: value for _, rule in taken for name, value in rule.args.items() if name not in own}
    method = Choice(name=combination.method.name, args=combination.method.args | ruled)
    ran = replace(combination, method=method, codec=codec)
    uses = []
    for i, (book, rule) in enumerate(taken):
        given = {name: value for name, value in rule.args.items() if last[name] == i}
        replaced = {name: value for name, value in given.items() if name in own and own[name] != value}
        if given:
            uses.append(
                RecipeUse(
                    name=book.name,
                    version=book.version,
                    found=rule.found_for(ran, ipc, network),
                    source=rule.source,
                    args={name: value for name, value in given.items() if name not in replaced},
                    replaced=replaced,
                )
            )
    return tuple(uses)


def rules_for(books: Sequence[Recipes], method: str) -> list[str]:
    """Where the rules for a method apply, in words; of all methods where it has none."""
    every = [rule.when for book in books for rule in book.rules]
    own = [when for when in every if any(choice.name == method for choice in when.method)]
    return list(dict.fromkeys(map(str, own or every)))
