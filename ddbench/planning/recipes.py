"""Recipes at work: which files a block names, and the arguments that a combination has from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from ddbench import registry
from ddbench.budget import FLOAT32_BYTES, Budget
from ddbench.errors import DdbenchError, SpecError
from ddbench.interfaces.dataset import DatasetCard
from ddbench.planning.facts import card_of
from ddbench.planning.named import choice_faults
from ddbench.registry import Kind
from ddbench.spec.cell import Choice, RecipeUse
from ddbench.spec.combine import Combination
from ddbench.spec.find import find_recipes
from ddbench.spec.recipes import FoundWith, Recipes, Where, read_recipes, recipes_structure, rules_for, uses_of
from ddbench.spec.suite import Block
from ddbench.spec.yaml import Document, Fault, Way


@dataclass(frozen=True)
class Found:
    """A method with the arguments that recipes give it, before those are validated, and the rules they come from."""

    method: Choice
    uses: tuple[RecipeUse, ...]


def books_of(document: Document, block: Block, here: Way) -> tuple[list[Recipes], list[Fault]]:
    """The recipes that a block names, and what is wrong with their files; a path starts at the suite's folder."""
    books: list[Recipes] = []
    faults: list[Fault] = []
    suite = Path(document.label)
    for j, text in enumerate(block.recipes):
        try:
            books.append(read_recipes(find_recipes(text, suite.parent if suite.is_file() else None), text))
        except (OSError, SpecError) as error:
            faults += [document.fault((*here, "recipes", j), line) for line in str(error).splitlines()]
    return books, faults


@dataclass(frozen=True)
class Later:
    """What a cell has from its block beside the combination."""

    network: Choice
    """The match network."""
    method_args: Mapping[str, Any]
    """Arguments that the block's settings will give."""
    codec_args: Mapping[str, Any]


def with_recipes(books: Sequence[Recipes], block: Block, c: Combination, later: Later) -> Found:
    """The combination's method: its defaults < the rules, a later one first < what the suite wrote in its entry.

    A rule sees the method's arguments of the block's settings, and is told replaced by them.
    Raises: SpecError for a matcher that no rule takes; DdbenchError where the dataset refuses.
    """
    entry = written_at(block, c.origin["method"])
    own = {**entry.args, **later.method_args}
    ipc = None if c.budget is None else images(c.budget, card_of(c.dataset))
    codec = None if c.codec is None else _whole("codec", c.codec)
    seen = replace(c, dataset=_whole("dataset", c.dataset), codec=codec, method=_whole("method", c.method, own))
    ran_codec = None if codec is None else Choice(name=codec.name, args={**codec.args, **later.codec_args})
    uses = uses_of(books, seen, ipc, own, ran_codec, _whole("network", later.network))
    if not uses:
        if _is_matcher(c.method):
            raise SpecError(_no_rule(books, c))
        return Found(c.method, ())
    given = {name: value for use in uses for name, value in (use.args | use.replaced).items()}
    return Found(Choice(name=entry.name, args=given | entry.args), uses)


def _whole(kind: Kind, choice: Choice, own: Mapping[str, Any] | None = None) -> Choice:
    """The choice with every argument, those too that a cell does not write at their default (`written.ADDED`)."""
    fields = registry.load(kind, choice.name).Config.model_fields
    defaults = {
        name: to_jsonable_python(field.get_default(call_default_factory=True))
        for name, field in fields.items()
        if not field.is_required()
    }
    return Choice(name=choice.name, args={**defaults, **choice.args, **(own or {})})


def written_at(block: Block, way: Way) -> Choice:
    """The entry of a block as it was written, without defaults."""
    found: Any = block
    for step in way:
        found = found[step] if isinstance(step, int) else getattr(found, step)
    assert isinstance(found, Choice)
    return found


def images(budget: Budget, card: DatasetCard) -> float:
    """How many float32 signals a class take the budget's bytes."""
    if budget.ipc is not None:
        return budget.ipc
    shape, K = card.signal.bare.shape, card.n_classes
    cap = budget.cap_bytes(shape, K, card.train_size * card.signal_bytes)
    return cap / (K * prod(shape) * FLOAT32_BYTES)


def _is_matcher(method: Choice) -> bool:
    from ddbench.interfaces.method import Matcher

    return issubclass(registry.load("method", method.name), Matcher)


def _no_rule(books: Sequence[Recipes], c: Combination) -> str:
    names = ", ".join(book.name for book in books)
    asked = f"{c.method} with {c.codec} in {c.space} space on {c.dataset} at {c.budget}"
    rules = "; ".join(rules_for(books, c.method.name))
    return (
        f"recipes {names}: no rule is for {asked}. "
        + (f"There are rules for {rules}. " if rules else "They have no rules yet. ")
        + "Add recipes of your own to the list, or leave 'recipes' out of a block for the method's defaults."
    )


def check_recipes(document: Document) -> Recipes:
    """The recipes in a document, checked against the plug-ins. Raises: SpecError with every mistake."""
    recipes, faults = recipes_structure(document)
    for i, rule in enumerate(recipes.rules if recipes else ()):
        at: Way = ("rules", i)
        places: list[tuple[Way, Where]] = [(("when",), rule.when)]
        places += [(("found_with", k), where) for k, where in enumerate(rule.found_with)]
        for way, where in places:
            for kind, j, choice in _plugins(where):
                faults += choice_faults(document, kind, choice, (*at, *way, kind, j), partial=True)
        for choice in rule.when.method:
            faults += _argument_faults(document, choice.name, rule.args, (*at, "args"))
    if recipes is None or faults:
        raise document.error(faults)
    return recipes


def _plugins(where: Where) -> list[tuple[Kind, int, Choice]]:
    kinds: tuple[tuple[Kind, tuple[Choice, ...]], ...] = (
        ("dataset", where.dataset),
        ("codec", where.codec),
        ("method", where.method),
        ("network", where.network if isinstance(where, FoundWith) else ()),
    )
    return [(kind, j, choice) for kind, choices in kinds for j, choice in enumerate(choices)]


def _argument_faults(document: Document, method: str, args: dict[str, Any], at: Way) -> list[Fault]:
    """What is wrong with single arguments; how they go with the rest is known in a suite only."""
    try:
        wrong = registry.argument_faults("method", method, args)
    except DdbenchError:
        return []  # said of the entry that names the method
    return [document.fault((*at, *loc), f"method {method!r}: {text}") for loc, text in wrong if loc and loc[0] in args]
