"""A codec report as text: for a terminal, Markdown, CSV. torch-free."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ddbench.codec_report.schema import CodecReport, Estimate, Room, Row
from ddbench.report.labels import percent, span

NONE = "–"
HEADINGS = {"psnr_db": "PSNR dB", "ssim": "SSIM", "nrmse": "NRMSE"}
DIGITS = {"psnr_db": 2, "ssim": 4, "nrmse": 4}


@dataclass(frozen=True)
class Column:
    heading: str
    cell: Callable[[Row], str]
    left: bool = False


def columns(report: CodecReport) -> list[Column]:
    """The columns that at least one row has something to say in."""
    shown = [name for name in report.measures if name != "nrmse"] or ["nrmse"]
    found = [
        Column("codec", lambda row: row.label, left=True),
        Column("storage", lambda row: row.storage_label, left=True),
        Column("B/item", lambda row: _bytes(row.stored.per_item)),
        Column("B/class", lambda row: f"{row.stored.per_class:,}"),
        Column("B/set", lambda row: f"{row.stored.per_set:,}"),
        *(_room_column(i, str(budget)) for i, budget in enumerate(report.asked.budgets)),
        *(_measure_column(name) for name in shown),
    ]
    if any(row.frechet for row in report.rows):
        found.append(Column("FD", lambda row: f"{row.frechet.distance:.2f}" if row.frechet else NONE))
    if report.originals is not None:
        found.append(Column("acc. %", lambda row: points(row.accuracy)))
        found.append(Column("lost", lambda row: points(row.lost)))
    found += [
        Column("enc. s/1k", lambda row: f"{row.cost.encode_s_per_1000:.3f}"),
        Column("dec. s/1k", lambda row: f"{row.cost.decode_s_per_1000:.3f}"),
        Column("peak MB", _peak),
    ]
    return found


def terminal(report: CodecReport) -> str:
    """Headings, table, what has no row, notes; ends in a line break."""
    from tabulate import tabulate

    made = columns(report)
    grid = tabulate(
        [[c.cell(row) for c in made] for row in report.rows], [c.heading for c in made], "simple",
        disable_numparse=True, colalign=["left" if c.left else "right" for c in made],
    )  # fmt: skip
    blocks = ["\n".join(headings(report)), *([grid] if report.rows else []), *_listed(report, "  ")]
    return "\n\n".join(blocks) + "\n"


def markdown(report: CodecReport) -> str:
    """The same with the meaning of the columns and the command."""
    from tabulate import tabulate

    made = columns(report)
    lines = [[c.cell(row).replace("|", "\\|") for c in made] for row in report.rows]
    grid = tabulate(
        lines, [c.heading for c in made], "github", disable_numparse=True,
        colalign=["left" if c.left else "right" for c in made],
    )  # fmt: skip
    title, *more = headings(report)
    told = [f"- {HEADINGS[name]}: {text}" for name, text in report.measures.items()]
    if report.features:
        told.append(f"- FD: Gaussian Fréchet distance, {_samples(report)}; features: {report.features}.")
    blocks = [f"# {title}", "\n\n".join(more), *([grid] if report.rows else []), *_listed(report, "- ")]
    blocks += ["\n".join(told), f"```\n{report.command}\n```"]
    return "\n\n".join(blocks) + "\n"


def as_csv(report: CodecReport) -> str:
    """A line a row with every figure as a plain number; empty where there is none."""
    text = io.StringIO()
    records = [_record(report, row) for row in report.rows]
    writer = csv.DictWriter(text, list(dict.fromkeys(n for r in records for n in r)) or ["codec"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def headings(report: CodecReport) -> list[str]:
    """What was measured, in a few lines."""
    asked, rows = report.asked, report.rows
    n = rows[0].reconstruction.signals if rows else 0
    fitted = "" if asked.fit_on is None else f", fitted on {asked.fit_on} (revision {report.fit_revision})"
    lines = [
        f"Codecs alone on {asked.dataset}{fitted}",
        f"Revision {report.revision}; {n:,} of {report.held_out:,} held-out signals ({asked.evaluate_on}) "
        f"reconstructed. Codecs are built as for {asked.budgets[0]}.",
    ]
    if report.originals is not None:
        seeds = len(asked.seeds)
        lines.append(
            f"Students on the originals: {points(report.originals)} % "
            f"({seeds} seed{'s' if seeds > 1 else ''}); "
            f"'lost' is what students on reconstructions are below that, in points"
            + (", ± half a 95 % interval over seeds." if seeds > 1 else ".")
        )
    if rows and rows[0].frechet:
        lines.append(f"FD: Fréchet distance of features of that student, {_samples(report)}. It is no FID.")
    made = report.provenance
    lines.append(f"{made.processor}, {made.device}, {made.threads} thread{'s' if made.threads > 1 else ''}.")
    return lines


def points(found: Estimate | None) -> str:
    """A share in percent points."""
    return NONE if found is None else percent(found.mean, found.half_width).replace("-", "−")


def _samples(report: CodecReport) -> str:
    first = next(row.frechet for row in report.rows if row.frechet)
    return f"{first.signals:,} signals each in {first.dimensions:,} dimensions"


def _listed(report: CodecReport, bullet: str) -> list[str]:
    blocks = []
    for title, failed in (("Failed:", True), ("Not measured, since they do not take what was asked:", False)):
        lines = [f"{bullet}{one.label}: {one.why}" for one in report.without if one.failed == failed]
        if lines:
            blocks.append("\n".join([title, *([""] if bullet == "- " else []), *lines]))
    free = [f"{bullet}{line}" for row in report.rows for line in _uncharged(row)]
    if free:
        blocks.append("\n".join(["Not charged:", *([""] if bullet == "- " else []), *dict.fromkeys(free)]))
    return blocks


def _uncharged(row: Row) -> list[str]:
    stored, lines = row.stored, []
    if stored.decoder:
        data = stored.decoder_training_data or "not said"
        lines.append(f"{row.label}: a decoder of {stored.decoder:,} bytes, trained on: {data}")
    if stored.refitted:
        lines.append(f"{row.label}: {stored.refitted:,} bytes that are fitted again on the training set; not ranked")
    return lines


def _room_column(index: int, budget: str) -> Column:
    return Column(f"at {budget}", lambda row: _items(row.room[index]))


def _items(room: Room) -> str:
    return "0" if room.items is None else span(room.items)


def _measure_column(name: str) -> Column:
    def cell(row: Row) -> str:
        found = row.reconstruction.figures.get(name)
        if found is None:
            return NONE
        return "exact" if found.mean is None else f"{found.mean:.{DIGITS[name]}f}"

    return Column(HEADINGS[name], cell)


def _bytes(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _peak(row: Row) -> str:
    peaks = [p for p in (row.cost.encode_peak_bytes, row.cost.decode_peak_bytes) if p is not None]
    return f"{max(peaks) / 1e6:.1f}" if peaks else NONE


def _record(report: CodecReport, row: Row) -> dict[str, object]:
    made: dict[str, object] = {
        "dataset": str(report.asked.dataset), "revision": report.revision, "fit_on": str(report.asked.fit_on or ""),
        "codec": row.label, "codec_version": row.codec_version, "package": row.package, "storage": row.storage_label,
        "bytes_per_item": row.stored.per_item, "bytes_per_item_least": row.stored.least,
        "bytes_per_item_most": row.stored.most, "bytes_per_class": row.stored.per_class,
        "bytes_per_set": row.stored.per_set, "decoder_bytes": row.stored.decoder, "refitted_bytes": row.stored.refitted,
        "signals_per_item": row.stored.signals_per_item,
    }  # fmt: skip
    for room in row.room:
        made[f"items at {room.budget}"] = 0 if room.items is None else sum(room.items) / len(room.items)
    made["signals"] = row.reconstruction.signals
    for name, figure in row.reconstruction.figures.items():
        made[name] = figure.mean
    made["exact_signals"] = max((f.exact for f in row.reconstruction.figures.values()), default=0)
    made |= {"frechet": row.frechet and row.frechet.distance, "frechet_signals": row.frechet and row.frechet.signals}
    for name, found in (("accuracy", row.accuracy), ("lost", row.lost)):
        made |= {name: found and found.mean, f"{name}_half_width": found and found.half_width}
    cost = row.cost.model_dump(exclude={"signals"})
    return made | cost


def summary(row: Row) -> str:
    """A row in a line, for progress."""
    parts: Sequence[str] = [f"{_bytes(row.stored.per_item)} B an item"]
    name, found = next(iter(row.reconstruction.figures.items()))
    parts = [*parts, f"{HEADINGS[name]} {'exact' if found.mean is None else f'{found.mean:.{DIGITS[name]}f}'}"]
    if row.accuracy is not None:
        parts = [*parts, f"accuracy {points(row.accuracy)} %"]
    return ", ".join(parts)
