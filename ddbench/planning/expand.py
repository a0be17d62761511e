"""From a suite to its cells: every argument spelled out, versions filled in, every combination tried for sense."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ddbench import registry
from ddbench.canonical import canonical
from ddbench.errors import DdbenchError
from ddbench.planning.facts import card_of, full_args, version
from ddbench.planning.named import choice_faults, plugin_faults
from ddbench.planning.pairs import PairFault, faults_of
from ddbench.planning.recipes import Later, books_of, with_recipes
from ddbench.registry import Kind
from ddbench.spec.cell import Cell, Choice, EvaluationProtocol, RecipeUse, Versions, holds, title_of
from ddbench.spec.combine import MAX_COMBINATIONS, Combination, combinations, matches, size
from ddbench.spec.mandatory import NAMES
from ddbench.spec.mistakes import no_protocol
from ddbench.spec.recipes import Recipes
from ddbench.spec.suite import AXES, PLUGIN_AXES, Block, Setting, Suite
from ddbench.spec.yaml import Fault, Way


def expand(suite: Suite, only: str | None = None) -> list[Cell]:
    """The suite's cells in the order of its blocks and lists, each key once.

    Where data or weights are missing, cells whose title does not hold `only` are left out in silence.

    Raises: SpecError with every mistake; DataError where the suite is right, with all that it needs and is not here.
    """
    return expand_wanted(suite, only)[0]


def expand_wanted(suite: Suite, only: str | None) -> tuple[list[Cell], bool]:
    """`expand`, and whether cells were left out for what they miss."""
    work = _expanded(suite, only)
    if work.faults:
        raise suite.document.error(work.faults)
    return list(work.cells.values()), work.passed_over


def combination_faults(suite: Suite, only: str | None = None) -> list[Fault]:
    """Why the suite cannot be expanded: pairs that are not defined, budgets that hold no item, and the like."""
    return expand_all(suite, only)[1]


def expand_all(suite: Suite, only: str | None = None) -> tuple[list[Cell], list[Fault]]:
    """The cells that can be made, and every reason why others cannot, as `expand` has it."""
    work = _expanded(suite, only)
    return list(work.cells.values()), list(dict.fromkeys(work.faults))


def _expanded(suite: Suite, only: str | None) -> _Expansion:
    work = _Expansion(suite, only, faults=plugin_faults(suite.document))
    for i, block in enumerate(suite.grid):
        work.block(i, block)
    return work


def title(c: Combination) -> str:
    """The title of the combination's cell, which needs no data. A ceiling has no budget, and its codec is given."""
    if is_ceiling(c.method):
        return title_of(c.dataset, None, Choice(name=NAMES.identity), c.method, "signal", c.seed)
    return title_of(c.dataset, c.budget, c.codec or Choice(name=NAMES.identity), c.method, c.space, c.seed)


@dataclass
class _Expansion:
    suite: Suite
    only: str | None = None
    cells: dict[str, Cell] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    """Cells less their seed, which no rule asks for."""
    full: dict[str, Choice | None] = field(default_factory=dict)
    books: list[Recipes] = field(default_factory=list)
    """The recipes of the block at hand."""
    wanted: bool = True
    """Whether `only` asks for the combination at hand."""
    passed_over: bool = False
    """Whether one that is not asked for misses data or weights."""

    def block(self, i: int, block: Block) -> None:
        here: Way = ("grid", i)
        if size(block) > MAX_COMBINATIONS:
            self.fault(here, f"this block makes {size(block)} combinations; the most is {MAX_COMBINATIONS}.")
            return
        protocol = self.protocol(block, here)
        network = self.complete("network", block.network, (*here, "network"))
        self.books, faults = books_of(self.suite.document, block, here)
        self.faults += faults
        if protocol is None or network is None:
            return
        made = 0
        for combination in combinations(block, lambda axis, entry, at: self.complete(_kind(axis), entry, here + at)):
            self.wanted = holds(title(combination), self.only)
            self.add(block, here, combination, protocol, network)
            made += 1
        self.wanted = True
        valid = [self.complete(axis, entry, here) for axis in PLUGIN_AXES for entry in getattr(block, AXES[axis])]
        if not made and None not in valid:
            self.fault((*here, "exclude"), "the rules leave no cell of this block. Take one back, or drop the block.")

    def add(self, block: Block, here: Way, c: Combination, protocol: EvaluationProtocol, network: Choice) -> None:
        """Makes the combination's cell. A ceiling stores nothing, so codec, space, storage and network are set."""
        rules = [(j, setting) for j, setting in enumerate(block.settings) if matches(setting.when, c)]
        free = is_ceiling(c.method)
        codec = self.codec_of(c, here, rules, free)
        if codec is None and (free or c.codec is not None):
            return
        if (known := self.known(c, here, codec)) is None:
            return
        settled = self.settled(block, here, c, network, rules)
        if settled is None:
            return
        method, uses = settled
        if not free and (codec is None or c.budget is None):
            lacking = "codecs" if codec is None else "budgets"
            self.fault(here, f"the block has no {lacking}, which the method {method.name!r} needs.")
            return
        if free:
            network = self.complete("network", Choice(name=NAMES.network), here) or network
        assert codec is not None
        try:
            cell = Cell(
                dataset=c.dataset,
                codec=codec,
                method=method,
                space="signal" if free else c.space,
                storage="float32" if free else c.storage,
                budget=None if free else c.budget,
                network=network,
                protocol=protocol,
                seed=c.seed,
                recipe=uses,
                versions=Versions(
                    dataset=known[0],
                    codec=known[1],
                    method=version("method", method),
                    network=version("network", network),
                    students=tuple(version("network", student) for student in protocol.networks),
                ),
            )
        except DdbenchError as error:
            self.fault((*here, *c.origin["dataset"]), error)
            return
        self.keep(cell, here, c)

    def codec_of(self, c: Combination, here: Way, rules: list[tuple[int, Setting]], free: bool) -> Choice | None:
        """The codec with the arguments of matching settings; None where there is none, or they are not valid."""
        codec = self.complete("codec", Choice(name=NAMES.identity), here) if free else c.codec
        for j, setting in rules:
            if setting.codec_args and codec is not None and not free:
                codec = self.with_args("codec", codec, setting.codec_args, (*here, "settings", j, "codec_args"))
        return codec

    def known(self, c: Combination, here: Way, codec: Choice | None) -> tuple[str, str] | None:
        """Revision of the dataset and version of the codec; None where files are missing, which is told of both."""
        revision = codec_version = None
        try:
            revision = card_of(c.dataset).revision
        except DdbenchError as error:
            self.fault((*here, *c.origin["dataset"]), error)
        try:
            codec_version = "" if codec is None else version("codec", codec)
        except DdbenchError as error:
            self.fault((*here, *c.origin.get("codec", ("codec",))), error)
        return None if revision is None or codec_version is None else (revision, codec_version)

    def keep(self, cell: Cell, here: Way, c: Combination) -> None:
        """Adds the cell unless it is there; of a ceiling, one seed is enough."""
        unseeded = cell.unseeded
        if unseeded in self.tried:
            if cell.budget is not None:
                self.cells.setdefault(cell.key, cell)
            return
        self.tried.add(unseeded)
        for fault in faults_of(cell):
            self.fault(self.place(fault, here, c), fault.text)
        self.cells.setdefault(cell.key, cell)

    def place(self, fault: PairFault, here: Way, c: Combination) -> Way:
        """Where that which the fault is about was written."""
        if fault.axis == "student":
            return (*self.protocol_place(here), "networks", fault.index)
        return (*here, *c.origin.get(fault.axis, (fault.axis,)))

    def protocol_place(self, here: Way) -> Way:
        """Where the protocol of a block was written: by name under `protocols`, or as the suite's own."""
        i = here[1]
        assert isinstance(i, int)
        name = self.suite.grid[i].protocol or self.suite.protocol
        return ("protocols", name) if isinstance(name, str) else ("protocol",)

    def settled(
        self, block: Block, here: Way, c: Combination, network: Choice, rules: list[tuple[int, Setting]]
    ) -> tuple[Choice, tuple[RecipeUse, ...]] | None:
        """The method with the arguments of recipes and matching settings; None where those are not valid."""
        later = Later(
            network=network,
            method_args={k: v for _, rule in rules for k, v in rule.method_args.items()},
            codec_args={k: v for _, rule in rules for k, v in rule.codec_args.items()},
        )
        started = self.started(block, here, c, later)
        if started is None:
            return None
        method, uses = started
        for j, setting in rules:
            if setting.method_args:
                changed = self.with_args("method", method, setting.method_args, (*here, "settings", j, "method_args"))
                if changed is None:
                    return None
                method = changed
        return method, uses

    def started(
        self, block: Block, here: Way, c: Combination, later: Later
    ) -> tuple[Choice, tuple[RecipeUse, ...]] | None:
        """The method before any setting, with what the block's recipes give it, and the rules that do."""
        if not self.books or (
            not is_ceiling(c.method) and None in (c.codec, c.budget)
        ):  # which is a fault told elsewhere
            return c.method, ()
        try:
            found = with_recipes(self.books, block, c, later)
        except DdbenchError as error:
            self.fault((*here, *c.origin["method"]), str(error))
            return None
        settings = later.method_args
        wrong = registry.argument_faults("method", found.method.name, found.method.args)
        if settings:  # those that they replace, and how all go together, are judged with the settings
            wrong = [(loc, text) for loc, text in wrong if loc and loc[0] not in settings]
        names = ", ".join(book.name for book in self.books)
        for _, text in wrong:
            self.fault((*here, "recipes"), f"recipes {names}: method {found.method.name!r}: {text}")
        if wrong:
            return None
        method = found.method if settings else self.complete("method", found.method, here)
        return None if method is None else (method, found.uses)

    def with_args(self, kind: Kind, choice: Choice, args: dict[str, Any], at: Way) -> Choice | None:
        merged = Choice(name=choice.name, args=choice.args | args)
        wrong = choice_faults(self.suite.document, kind, merged, at)
        self.faults += wrong
        return None if wrong else self.complete(kind, merged, at)

    def complete(self, kind: Kind, choice: Choice, at: Way) -> Choice | None:
        """The choice with all arguments; None, with its faults noted unless they are already, where it is not valid."""
        memo = canonical([kind, choice.model_dump()])
        if memo not in self.full:
            wrong = choice_faults(self.suite.document, kind, choice, at)
            known = {fault.text for fault in self.faults}
            self.faults += [fault for fault in wrong if fault.text not in known]
            self.full[memo] = None if wrong else full_args(kind, choice)
        return self.full[memo]

    def protocol(self, block: Block, here: Way) -> EvaluationProtocol | None:
        protocol = self.suite.protocol_of(block)
        if protocol is None:
            at = (*here, "protocol") if block.protocol is not None else ("protocol",)
            self.fault(at, no_protocol(str(block.protocol or self.suite.protocol), self.suite))
            return None
        at = (*self.protocol_place(here), "networks")
        networks = [self.complete("network", entry, (*at, j)) for j, entry in enumerate(protocol.networks)]
        whole = tuple(choice for choice in networks if choice is not None)
        for j, choice in enumerate(networks):
            if choice is not None and choice in networks[:j]:
                self.fault((*at, j), f"the network {choice.name!r} is given twice with the same arguments. Keep one.")
                return None
        return protocol.model_copy(update={"networks": whole}) if len(whole) == len(networks) else None

    def fault(self, at: Way, said: str | DdbenchError) -> None:
        fault = self.suite.document.fault(at, said)
        if self.wanted or not fault.is_missing:
            self.faults.append(fault)
        else:
            self.passed_over = True


def _kind(axis: str) -> Kind:
    assert axis in ("dataset", "codec", "method")
    return axis


def is_ceiling(method: Choice) -> bool:
    """Whether the method takes all training items: its cells have no budget, and the codec is given."""
    from ddbench.interfaces.method import Ceiling

    return issubclass(registry.load("method", method.name), Ceiling)
