"""How the parts of a cell are called in tables and charts. torch-free."""

from __future__ import annotations

from collections.abc import Iterable

from ddbench.spec.cell import Cell, EvaluationProtocol, Training
from ddbench.spec.labels import arguments as arguments
from ddbench.spec.labels import codec_label as codec_label


def method_label(cell: Cell, differing: Iterable[str] = ()) -> str:
    """The method, its space where that is `code`, and those arguments in which rows of a table differ.

    A method's arguments are many and mostly shared; a table says in words which recipe it used, not in every row.
    """
    if cell.origin is not None:
        return f"{cell.origin.name} (made elsewhere)"
    space = "(code)" if cell.space == "code" else ""
    args = {n: cell.method.args[n] for n in differing if n in cell.method.args}
    return " ".join(p for p in (cell.method.name, space, arguments(args)) if p)


def budget_label(cell: Cell) -> str:
    return "none" if cell.budget is None else str(cell.budget)


def networks_label(protocol: EvaluationProtocol) -> str:
    return ", ".join(" ".join(p for p in (n.name, arguments(n.args)) if p) for n in protocol.networks)


def recipe(training: Training) -> str:
    """A student's recipe in one line."""
    return (
        f"{training.epochs} epochs, batch {training.batch}, {training.optimiser} lr {training.lr:g} "
        f"({training.schedule}), weight decay {training.weight_decay:g}, augmentation: {training.augment}"
    )


def percent(share: float, half_width: float | None = None, decimals: int = 1) -> str:
    """`71.2 ± 1.3` of fractions, in percent points."""
    return f"{100 * share:.{decimals}f}" + ("" if half_width is None else f" ± {100 * half_width:.{decimals}f}")


def count(n: float) -> str:
    """A count in at most five characters: 950, 12.3k, 4.7M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if n >= size:
            unit = 1e3 if letter == "k" else size
            return f"{n / unit:.1f}".rstrip("0").rstrip(".") + letter
    return f"{n:.0f}"


def span(values: Iterable[int]) -> str:
    """`4`, or `3–5` where values differ; `–` where there are none."""
    found = sorted(set(values))
    if not found:
        return "–"
    return str(found[0]) if len(found) == 1 else f"{found[0]}–{found[-1]}"
