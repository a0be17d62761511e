"""A comparison as a sentence and a table: for a terminal, Markdown, JSON. torch-free."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Literal

from ddbench.report.compare.comparison import Compared, Comparison
from ddbench.stats import CONFIDENCE, PairedDifference

Format = Literal["terminal", "markdown", "json"]
FORMATS: tuple[Format, ...] = ("terminal", "markdown", "json")
NOTHING = "–"
HEADER = ("dataset", "budget", "A", "B", "A − B", "p", "least p", "seeds")
USUAL_LEVEL = 1 - CONFIDENCE


def render(compared: Compared, form: Format) -> str:
    """All that was found, ending in a line break."""
    if form == "json":
        return json.dumps(record(compared), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    markdown = form == "markdown"
    blocks = [_block(c, compared, markdown) for c in compared.found]
    if len(blocks) > 1:
        blocks.insert(0, f"{len(blocks)} comparisons, not pooled: their protocols or the versions of a plug-in differ.")
    for title, lines in (("Without a partner", compared.alone), ("Unreadable", compared.unreadable)):
        if lines:
            blocks.append(
                "\n".join([f"{title}:", *([""] if markdown else []), *(f"- {_shown(x, markdown)}" for x in lines)])
            )
    return "\n\n".join(blocks) + "\n"


def sentence(c: Comparison, a_name: str = "A", b_name: str = "B") -> str:
    """What was found, in one sentence."""
    d = c.difference
    side = f"{100 * abs(d.mean):.1f} points {'above' if d.mean >= 0 else 'below'}"
    pairs = f"{_count(d.n_pairs, 'pair')} over {_count(d.n_cells, 'cell')}"
    if d.half_width is None:
        width = "one seed of a cell says nothing about the spread between seeds, so there is no interval"
    else:
        low, high = (100 * (d.mean + s * d.half_width) for s in (-1, 1))
        width = f"{100 * CONFIDENCE:g} % interval over seeds {low:+.1f} to {high:+.1f}"
        width += ", which leaves zero out" if d.is_apart else ", which holds zero: not told apart"
    return f"A ({a_name}) is {side} B ({b_name}) in {c.column}: {pairs}, {width}; p = {p_text(d.p_value)}, {_reach(d)}."


def _reach(d: PairedDifference) -> str:
    least = f"where these pairs could give {p_text(d.least_p)} at best"
    return least + (" (too few for less than 0.05: run more seeds)" if d.least_p > USUAL_LEVEL else "")


def p_text(p: float) -> str:
    return f"{p:.2g}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def _block(c: Comparison, compared: Compared, markdown: bool) -> str:
    from tabulate import tabulate

    lines = [
        [
            _shown(line.dataset, markdown),
            line.budget,
            f"{100 * line.a:.1f}",
            f"{100 * line.b:.1f}",
            *_figures(line.difference),
            f"{len(line.seeds)}",
        ]
        for line in c.cells
    ]
    if len(lines) > 1:
        lines.append([f"all {len(lines)} cells", "", "", "", *_figures(c.difference), ""])
    align = ("left", "left", *["right"] * (len(HEADER) - 2))
    grid = tabulate(lines, HEADER, "github" if markdown else "simple", disable_numparse=True, colalign=align)
    text = sentence(c, compared.a_name, compared.b_name)
    notes = [f"apart in: {what}" for what in c.apart] + list(c.notes) + [_how_to_read(c)]
    bullet = "- " if markdown else ""
    head = f"protocol {c.protocol}, scored on the {c.evaluate_on} split"
    shown = [_shown(x, markdown) for x in (text, head)]
    return "\n".join([shown[0], "", shown[1], "", grid, "", *(bullet + _shown(note, markdown) for note in notes)])


def _figures(d: PairedDifference) -> list[str]:
    width = "" if d.half_width is None else f" ± {100 * d.half_width:.1f}"
    return [f"{100 * d.mean:+.1f}{width}", p_text(d.p_value), p_text(d.least_p)]


def _how_to_read(c: Comparison) -> str:
    test = (
        "" if c.half_width_test is None else f" Other test images would move A − B by ± {100 * c.half_width_test:.1f}."
    )
    low, high = (100 * x for x in c.bootstrap)
    return (
        f"Accuracies in percent; ± is the half width of the {100 * CONFIDENCE:g} % interval over distillation seeds, "
        f"paired. p: two-sided, sign flips of the pairs.{test} "
        f"Bootstrap over cells and seeds: {low:+.1f} to {high:+.1f}."
    )


def _shown(text: str, markdown: bool) -> str:
    """Text of a file or of the command line, harmless where it is shown."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if not markdown:
        return plain
    plain = plain.replace("&", "&amp;").replace("<", "&lt;")
    return "".join("\\" + c if c in "\\`*_[]|" else c for c in plain)


def record(compared: Compared) -> dict[str, Any]:
    """The same as plain data: exact numbers, accuracies and differences as fractions."""
    return {
        "a": compared.a_name,
        "b": compared.b_name,
        "confidence": CONFIDENCE,
        "comparisons": [
            {"sentence": sentence(c, compared.a_name, compared.b_name), **_plain(c)} for c in compared.found
        ],
        "without_partner": list(compared.alone),
        "unreadable": list(compared.unreadable),
    }


def _plain(c: Comparison) -> dict[str, Any]:
    found = asdict(c)
    found["rows"] = [{"a": a, "b": b} for a, b in c.rows]
    found["bootstrap"] = dict(zip(("low", "high"), c.bootstrap))
    return found
