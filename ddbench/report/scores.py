"""Scores of rows beside their accuracies: gains over `random`, recovery, area under accuracy–log-bytes. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.report.cells import NOTHING, headings
from ddbench.report.dimensions import label
from ddbench.report.labels import budget_label, percent
from ddbench.report.notes import ceiling
from ddbench.report.rows import OWN_LABELS, Row, Score, Table
from ddbench.report.sheet import Sheet, Word, words
from ddbench.spec.cell import OWN_RECIPE
from ddbench.spec.mandatory import NAMES
from ddbench.stats import Difference, Interval, area_under_log_bytes, gain, interval, mean, recovery


@dataclass(frozen=True)
class Scores:
    """What a row's accuracy means beside that of `random` and of the whole dataset; None where one of them lacks."""

    over_random: Difference | None
    """Over `random` with the identity codec in float32: what codec and learning add."""
    over_same_codec: Difference | None
    """Over `random` through the row's own codec: what learning adds."""
    recovery: float | None

    def record(self) -> dict[str, Any]:
        return {
            "gain_over_random": _plain(self.over_random),
            "gain_over_random_same_codec": _plain(self.over_same_codec),
            "recovery": self.recovery,
        }


def _plain(value: Difference | None) -> dict[str, float | None]:
    return {"mean": value and value.mean, "half_width": value and value.half_width}


def scores_of(table: Table, row: Row, score: Score) -> Scores:
    """The scores of a row in a column of accuracies; rows that a filter hides are yardsticks all the same.

    `random` and the whole dataset store no soft labels: beside students on own labels stand theirs, on classes.
    """
    own = table.by_seed(row, score)
    if row.is_ceiling or not own or score[0] == OWN_RECIPE:
        return Scores(None, None, None)
    yardstick = table.randoms.get(row.yardstick)
    same_codec = table.randoms.get(row.stored_as)
    on_classes = score[0], score[1].removesuffix(OWN_LABELS)
    plain = table.by_seed(yardstick, on_classes) if yardstick else {}
    same = table.by_seed(same_codec, on_classes) if same_codec else {}
    whole = next((v for r in table.ceilings if (v := ceiling(table, r, on_classes))), None)
    share = recovery(_mean(own), _mean(plain), whole[1].mean) if plain and whole else None
    learns = row.cell.method.name != NAMES.random
    return Scores(gain(own, plain) if row is not yardstick else None, gain(own, same) if learns else None, share)


def _mean(by_seed: dict[int, list[float]]) -> float:
    return mean([mean(values) for values in by_seed.values()])


@dataclass(frozen=True)
class Area:
    """The mean accuracy of one codec × method over the logarithm of bytes, between a table's extreme budgets."""

    codec: str
    method: str
    score: Score
    area: Interval
    low_bytes: int
    high_bytes: int
    budgets: tuple[str, ...]
    """At which the row was measured; below the smallest, accuracy counts as chance."""

    def record(self) -> dict[str, Any]:
        column, student = self.score
        area = {"mean": self.area.mean, "half_width": self.area.half_width, "seeds": self.area.n_seeds}
        ends = {"low_bytes": self.low_bytes, "high_bytes": self.high_bytes, "budgets": list(self.budgets)}
        return {"codec": self.codec, "method": self.method, "column": column, "student": student, "area": area, **ends}


def areas(table: Table, score: Score) -> list[Area]:
    """The area of every codec × method with figures at two budgets or more, best first; none for one budget."""
    series: dict[tuple[str, ...], dict[int, Row]] = {}
    for row in table.rows if score[0] != OWN_RECIPE else ():
        if not row.is_ceiling and row.allowed_bytes and table.by_seed(row, score):
            names = (label("codec", table, row, score), label("method", table, row, score))
            key = (*names, row.network, *row.cell.protocol.student_spaces)
            series.setdefault(key, {}).setdefault(row.allowed_bytes, row)
    caps = sorted({cap for rows in series.values() for cap in rows})
    if len(caps) < 2:
        return []
    chance = 1 / (table.rows[0].classes or next((r.classes for r in table.rows if r.classes), 1))
    found = []
    for (codec, method, *_), rows in series.items():
        by_cap = {cap: table.by_seed(row, score) for cap, row in rows.items()}
        seeds = sorted(set.intersection(*(set(by_seed) for by_seed in by_cap.values())))
        if len(rows) > 1 and seeds:
            by_seed = {
                seed: [
                    area_under_log_bytes([(cap, mean(s[seed])) for cap, s in by_cap.items()], caps[0], caps[-1], chance)
                ]
                for seed in seeds
            }
            budgets = tuple(budget_label(rows[cap].cell) for cap in sorted(rows))
            found.append(Area(codec, method, score, interval(by_seed), caps[0], caps[-1], budgets))
    return sorted(found, key=lambda a: -a.area.mean) if table.is_ranked else found


def sheets(table: Table, decimals: int) -> list[Sheet]:
    """A sheet of scores for each column of accuracies, and one of areas where there are several budgets."""
    made = []
    title = headings(table)[0]
    for score in (s for s in table.scores if s[0] != OWN_RECIPE):
        said = f"{score[0].replace('_', ' ')}, {score[1]}"
        groups = [lines for group in table.groups if (lines := _lines(table, group, score, decimals))]
        if groups:
            about = (
                "Gains in percent points, paired over seeds; recovery: share of the gap between random and the whole "
            )
            about += "dataset that is closed, in percent."
            names = [
                "budget",
                "codec",
                "method",
                "accuracy",
                "gain over\nrandom",
                "gain over random,\nsame codec",
                "recovery",
            ]
            made.append(Sheet([f"Scores, {said}: {title}", about], [names], 3, groups))
        if found := areas(table, score):
            low, high = found[0].low_bytes, found[0].high_bytes
            about = f"Mean accuracy in percent over log-bytes, from {low:,} to {high:,} bytes; linear between budgets, "
            about += "chance below the smallest budget of a row."
            lines = [[a.codec, a.method, figure(a.area, decimals), ", ".join(a.budgets)] for a in found]
            names = ["codec", "method", "area", "budgets"]
            made.append(
                Sheet([f"Area under accuracy against log-bytes, {said}: {title}", about], [names], 2, [words(lines)])
            )
    return made


def _lines(table: Table, group: Sequence[Row], score: Score, decimals: int) -> list[list[Word]]:
    lines: list[list[Word]] = []
    for row in group:
        found = table.accuracy(row, score)
        if found is None or row.is_ceiling:
            continue
        own = scores_of(table, row, score)
        gains = [figure(value, decimals, "+") for value in (own.over_random, own.over_same_codec)]
        share = NOTHING if own.recovery is None else f"{100 * own.recovery:.{decimals}f}"
        place = [label(name, table, row, score) for name in ("budget", "codec", "method")]
        place[0] = place[0] if not lines else ""
        accuracy = Word(figure(found, decimals), table.tie_group(row, score) == 1)
        lines.append([*map(Word, place), accuracy, *map(Word, gains), Word(share)])
    return lines


def figure(value: Interval | Difference | None, decimals: int = 1, sign: str = "") -> str:
    """A score in percent, with `sign` before it where it is above zero; `–` where there is none."""
    if value is None:
        return NOTHING
    return (sign if value.mean > 0 else "") + percent(value.mean, value.half_width, decimals)
