"""The block of published figures beside the tables of a dataset: marked `reported`, never ranked. torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from ddbench.report.cells import NOTHING
from ddbench.report.labels import percent
from ddbench.report.published import Figure, beside
from ddbench.report.rows import Table
from ddbench.report.sheet import Sheet, words

ABOUT = (
    "reported: printed by the sources named, by protocols of their own, not measured here. Not ranked, not compared, "
    "without intervals; ± is what the source prints."
)


def blocks(tables: Sequence[Table], figures: Sequence[Figure]) -> list[tuple[str, list[Figure]]]:
    """(dataset, its figures at the budgets of its tables), of every dataset of the tables that was scored on test."""
    by_dataset: dict[str, list[Table]] = {}
    for table in tables:
        if table.cell.protocol.evaluate_on == "test":
            by_dataset.setdefault(table.cell.dataset_label, []).append(table)
    found = [(name, beside(figures, members)) for name, members in by_dataset.items()]
    return [(name, those) for name, those in found if those]


def sheets(tables: Sequence[Table], figures: Sequence[Figure], decimals: int) -> list[Sheet]:
    made = []
    for dataset, found in blocks(tables, figures):
        groups: dict[str, list[list[str]]] = {}
        for figure in found:
            groups.setdefault(figure.budget, []).append(_line(figure, decimals))
        for lines in groups.values():
            for line in lines[1:]:
                line[0] = ""
        names = ["budget", "stored as", "method", "side", "networks", "source", "reported"]
        lines = [words(group) for group in groups.values()]
        made.append(Sheet([f"{dataset}, reported figures", ABOUT], [names], 6, lines))
    return made


def _line(figure: Figure, decimals: int) -> list[str]:
    nets = figure.train_net if figure.train_net == figure.eval_net else f"{figure.train_net} → {figure.eval_net}"
    side = NOTHING if figure.resolution is None else str(figure.resolution)
    accuracy = percent(figure.accuracy, figure.sd, decimals)
    return [figure.budget, figure.codec, figure.method, side, nets, figure.source, accuracy]
