"""What plug-ins say of a cell before anything is computed: the dataset's card, the codec's leaves, the method's kind.

Plug-ins are other people's code: whatever they raise here becomes an error that names them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from ddbench import registry
from ddbench.canonical import canonical
from ddbench.errors import BudgetError, DdbenchError, PluginError
from ddbench.interfaces.dataset import DatasetCard
from ddbench.interfaces.display import DisplayOf
from ddbench.registry import Kind
from ddbench.spec.cell import Cell, Choice

T = TypeVar("T")
MOST_BYTES = 2**60


def asked(what: str, call: Callable[[], T]) -> T:
    """The answer of a plug-in. Raises: PluginError where it raised anything but a ddbench error."""
    try:
        return call()
    except DdbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{what} failed while it was planned: {type(error).__name__}: {error}.") from error


def full_args(kind: Kind, choice: Choice) -> Choice:
    """The choice with every argument spelled out. Raises: SpecError, PluginError."""
    config = registry.configure(kind, choice.name, choice.args)
    return Choice(name=choice.name, args=config.model_dump(mode="json"))


def version(kind: Kind, choice: Choice) -> str:
    """What a cell's key has of the plug-in with these arguments. Raises: DataError where its files are missing."""
    config = registry.configure(kind, choice.name, choice.args)
    plugin = registry.load(kind, choice.name)
    return asked(f"The {kind} {choice.name!r}", lambda: plugin.version_with(config))


def card_of(choice: Choice) -> DatasetCard:
    """What the dataset says of itself, asked once for each data folder."""
    from ddbench.datasets.locations import data_root

    return _card(registry.load("dataset", choice.name), choice.name, canonical(choice.args), data_root())


@lru_cache(maxsize=64)
def _card(plugin: type[Any], name: str, args: str, root: Path) -> DatasetCard:
    import json

    return asked(f"The dataset {name!r}", lambda: registry.build("dataset", name, json.loads(args)).card())


def display_of(choice: Choice) -> DisplayOf | None:
    """How the dataset's signals are shown; None: by the axes of their shape."""
    return asked(f"The dataset '{choice}'", lambda: registry.build("dataset", choice.name, choice.args).display())


def cap_bytes(cell: Cell, card: DatasetCard) -> int:
    """Bytes that the cell's whole set may take. Raises: BudgetError."""
    assert cell.budget is not None, "the ceiling has no budget"
    shape, signal_bytes = card.signal.bare.shape, card.train_size * card.signal_bytes
    try:
        cap = cell.budget.cap_bytes(shape, card.n_classes, signal_bytes)
    except OverflowError:
        cap = MOST_BYTES + 1
    if cap > MOST_BYTES:
        raise BudgetError(f"The budget {cell.budget} is too large: no set has more than {MOST_BYTES} bytes.")
    return cap


@dataclass(frozen=True)
class Parts:
    """A cell's plug-ins, made: enough to say what fits and what does not go together."""

    card: DatasetCard
    cap_bytes: int
    codec: Any
    method: Any
    leaves: tuple[Any, ...]
    """The codec's."""
    extra: tuple[Any, ...]
    """The method's own."""


def parts_of(cell: Cell) -> Parts:
    """The plug-ins of a cell that has a budget. Raises: DdbenchError where one refuses."""
    from ddbench.interfaces.codec import Target
    from ddbench.interfaces.lengths import codec_for

    card = card_of(cell.dataset)
    cap = cap_bytes(cell, card)
    method = asked(f"The method '{cell.method}'", lambda: registry.build("method", cell.method.name, cell.method.args))
    target = Target(card.signal, card.n_classes, cap, cell.storage, card.family)

    def make() -> tuple[Any, tuple[Any, ...]]:
        codec = codec_for(cell.codec.name, cell.codec.args, target)
        return codec, tuple(codec.leaves())

    codec, leaves = asked(f"The codec '{cell.codec}'", make)
    extra = asked(f"The method '{cell.method}'", lambda: tuple(method.extra_leaves(card.n_classes)))
    return Parts(card, cap, codec, method, leaves, extra)
