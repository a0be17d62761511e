"""LRS and ARS of DD-Ranking, where results hold what their definitions need; what they lack is said. torch-free.

Source: arXiv 2505.13300; fractions throughout, so that the scores lie in [0, 1].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ddbench.canonical import canonical
from ddbench.report.cells import NOTHING, headings
from ddbench.report.dimensions import label
from ddbench.report.labels import span
from ddbench.report.notes import ceiling
from ddbench.report.row import ON_CODES, OWN_LABELS, UNSEEN
from ddbench.report.rows import Row, Score, Table
from ddbench.report.sheet import Sheet, words
from ddbench.spec.cell import OWN_RECIPE, Training
from ddbench.spec.mandatory import NAMES
from ddbench.stats import augmentation_robust_score, label_robust_score, mean

NO_OWN = "no students by a recipe of the set's own: `ddbench evaluate SET --recipe FILE` adds them"
NO_WHOLE = "no row of the whole dataset (method full) in the table"
NO_HARD = "no students of the row learned classes in this column"
NO_OTHER = "the row is not there under the same protocol with the other augmentation (augment: dataset, none)"


@dataclass(frozen=True)
class Ranking:
    """The scores of a row in a column of accuracies, with their parts; `lacks` says what is not there."""

    hlr: float | None = None
    """Accuracy of the whole dataset − of the row, both on hard labels."""
    ior: float | None = None
    """Accuracy of the row by its own recipe − of as many random items by the same recipe."""
    lrs: float | None = None
    ars: float | None = None
    lacks: tuple[str, ...] = ()

    def record(self) -> dict[str, object]:
        found = {"hlr": self.hlr, "ior": self.ior, "lrs": self.lrs, "ars": self.ars}
        return {**found, "dd_ranking_lacks": list(self.lacks)}


def columns(table: Table) -> list[Score]:
    """Columns that the scores are made in: students of one network who learned classes from signals."""
    return [
        s
        for s in table.scores
        if s[0] != OWN_RECIPE and not s[0].endswith(ON_CODES) and s[1] != UNSEEN and not s[1].endswith(OWN_LABELS)
    ]


def ranking(table: Table, row: Row, score: Score, made: Sequence[Table]) -> Ranking:
    """The scores of a row; `made` are all tables at hand, since ARS needs two protocols."""
    lacks: list[str] = []
    hlr, ior = _hlr(table, row, score, lacks), _ior(table, row, score, lacks)
    gains = _augmented_gains(table, row, score, made, lacks)
    return Ranking(
        hlr and hlr[0] - hlr[1],
        ior and ior[0] - ior[1],
        label_robust_score(*hlr, *ior) if hlr and ior else None,
        augmentation_robust_score(*gains) if gains else None,
        tuple(lacks),
    )


def _hlr(table: Table, row: Row, score: Score, lacks: list[str]) -> tuple[float, float] | None:
    whole = next((v for r in table.ceilings if (v := ceiling(table, r, score))), None)
    own = _mean(table, row, score)
    if whole is None:
        lacks.append(f"LRS: {NO_WHOLE}")
    if own is None:
        lacks.append(f"LRS: {NO_HARD}")
    return None if whole is None or own is None else (whole[1].mean, own)


def _ior(table: Table, row: Row, score: Score, lacks: list[str]) -> tuple[float, float] | None:
    recipe = row.cell.own_recipe
    learned = ((OWN_RECIPE, score[1] + OWN_LABELS), (OWN_RECIPE, score[1]))
    own = next((found for one in learned if (found := _mean(table, row, one)) is not None), None)
    if recipe is None or own is None:
        lacks.append(f"LRS: {NO_OWN}")
        return None
    random = _random(table, row, learned[1], recipe)
    if random is None:
        lacks.append(f"LRS: no random × identity with {span(row.signals)} items a class, evaluated by the same recipe")
        return None
    return own, random


def _augmented_gains(
    table: Table, row: Row, score: Score, made: Sequence[Table], lacks: list[str]
) -> tuple[float, float, float, float] | None:
    """(row, random) with augmentation, then without."""
    found: dict[str, tuple[float, float]] = {}
    for one in made:
        if _but_augmentation(one) != _but_augmentation(table):
            continue
        same = next((r for r in one.all_rows if _but_protocol(r) == _but_protocol(row)), None)
        own = same and _mean(one, same, score)
        if same is None or own is None:
            continue
        random, augment = _random(one, same, score), one.cell.protocol.augment
        if random is None:
            lacks.append(f"ARS: no random × identity with {span(row.signals)} items a class, augment: {augment}")
            return None
        found[augment] = own, random
    if set(found) != {"dataset", "none"}:
        lacks.append(f"ARS: {NO_OTHER}")
        return None
    return *found["dataset"], *found["none"]


def _random(table: Table, row: Row, score: Score, recipe: Training | None = None) -> float | None:
    """The accuracy of as many random items in float32; with `recipe`, of students by it."""
    for other in table.all_rows:
        cell = other.cell
        is_plain = cell.codec.name == NAMES.identity and not cell.codec.args and cell.storage == "float32"
        is_random = cell.method.name == NAMES.random and is_plain and cell.space == "signal"
        if is_random and set(other.signals) == set(row.signals) and (recipe is None or cell.own_recipe == recipe):
            return _mean(table, other, score)
    return None


def _but_augmentation(table: Table) -> str:
    protocol = table.cell.protocol.in_signal_space.model_dump(mode="json", exclude={"augment", "name", "full"})
    versions = table.cell.versions.model_dump(include={"dataset", "students", "semantics"})
    return canonical([table.cell.dataset.model_dump(), protocol, versions, table.is_ranked])


def _but_protocol(row: Row) -> str:
    exclude = {"protocol", "seed", "recipe", "origin", "own_recipe"}
    return canonical(row.cell.model_dump(mode="json", exclude=exclude))


def _mean(table: Table, row: Row, score: Score) -> float | None:
    by_seed = table.by_seed(row, score)
    return mean([mean(values) for values in by_seed.values()]) if by_seed else None


def sheets(made: Sequence[Table]) -> list[Sheet]:
    """A sheet for each table and column, with what the scores lack below it."""
    about = (
        "In [0, 1], larger is better. LRS = (e^α − e⁻¹)/(e − e⁻¹), α = (IOR − HLR)/2; ARS likewise of the mean gain "
        "over as many random items, with augmentation and without. HLR, IOR in percent points (arXiv 2505.13300)."
    )
    found = []
    for table in made:
        for score in columns(table):
            groups, lacks = [], defaultdict(list)
            for group in table.groups:
                lines = []
                for row in (r for r in group if not r.is_ceiling):
                    own = ranking(table, row, score, made)
                    for why in own.lacks:
                        lacks[why].append(row)
                    place = [label(n, table, row, score) for n in ("budget", "codec", "method")]
                    parts = [NOTHING if x is None else f"{100 * x:+.1f}" for x in (own.hlr, own.ior)]
                    lines.append([*place, *parts, *(NOTHING if x is None else f"{x:.4f}" for x in (own.lrs, own.ars))])
                for line in lines[1:]:
                    line[0] = ""
                if lines:
                    groups.append(words(lines))
            if groups:
                n = sum(map(len, groups))
                title = f"DD-Ranking, {score[0].replace('_', ' ')}, {score[1]}: {headings(table)[0]}"
                notes = [f"{len(rows)} of {n} rows lack {why}." for why, rows in lacks.items()]
                names = ["budget", "codec", "method", "HLR", "IOR", "LRS", "ARS"]
                found.append(Sheet([title, about], [names], 3, groups, notes))
    return found
