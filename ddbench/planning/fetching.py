"""Which datasets and codecs a suite uses, before it is expanded: what has to be made ready for planning itself."""

from __future__ import annotations

from collections.abc import Callable

from ddbench import registry
from ddbench.canonical import canonical
from ddbench.errors import DdbenchError
from ddbench.planning.expand import combination_faults, is_ceiling, title
from ddbench.planning.facts import asked, card_of, full_args
from ddbench.planning.named import plugin_faults
from ddbench.registry import Kind
from ddbench.spec.cell import Choice, holds
from ddbench.spec.combine import combinations, matches
from ddbench.spec.suite import Block, Suite
from ddbench.spec.yaml import Way


def used(suite: Suite, only: str | None = None) -> list[tuple[Kind, Choice]]:
    """Every dataset and codec of the suite's cells whose title holds `only`, with all its arguments, each once.

    Raises: SpecError for plug-ins that are not there, or not with these arguments, with every other mistake.
    """
    if plugin_faults(suite.document):  # then all that is wrong is told at once
        raise suite.document.error(combination_faults(suite))
    found: dict[str, tuple[Kind, Choice]] = {}
    for block in suite.grid:
        for kind, choice in _of(block, only):
            found.setdefault(canonical([kind, choice.model_dump(mode="json")]), (kind, choice))
    return sorted(found.values(), key=lambda use: use[0] != "dataset")


def fetch(kind: Kind, choice: Choice, download: bool, tell: Callable[[float], None]) -> str:
    """What the plug-in did to have its files ready; ''. Raises: DataError where they are not, PluginError."""
    config, plugin = registry.configure(kind, choice.name, choice.args), registry.load(kind, choice.name)
    return asked(f"The {kind} {choice.name!r}", lambda: plugin.fetch(config, download, tell))


def is_planned_without(kind: Kind, choice: Choice) -> bool:
    """Whether plans can be made though the plug-in's files are missing: a dataset may say what it is without them."""
    try:
        return kind == "dataset" and bool(card_of(choice).name)
    except DdbenchError:
        return False


def _of(block: Block, only: str | None) -> list[tuple[Kind, Choice]]:
    whole: dict[str, Choice] = {}

    def complete(axis: str, entry: Choice, at: Way) -> Choice:
        if axis not in ("dataset", "codec"):
            return entry
        memo = canonical([axis, entry.model_dump(mode="json")])
        if memo not in whole:
            whole[memo] = full_args(axis, entry)
        return whole[memo]

    found: list[tuple[Kind, Choice]] = []
    done: set[tuple[int, int | None, tuple[int, ...], bool]] = set()
    for c in combinations(block, complete):
        if not holds(title(c), only):
            continue
        rules = tuple(j for j, rule in enumerate(block.settings) if rule.codec_args and matches(rule.when, c))
        if (key := (id(c.dataset), c.codec and id(c.codec), rules, is_ceiling(c.method))) in done:
            continue
        done.add(key)
        found.append(("dataset", c.dataset))
        if c.codec is None or is_ceiling(c.method):
            continue
        args = c.codec.args
        for j in rules:
            args = args | block.settings[j].codec_args
        try:
            found.append(("codec", full_args("codec", Choice(name=c.codec.name, args=args))))
        except DdbenchError:
            continue  # expanding the suite tells it, with its line
    return found
