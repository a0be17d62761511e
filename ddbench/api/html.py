"""Tables for a notebook: HTML in which all that comes from files is escaped. torch-free."""

from __future__ import annotations

from html import escape

from ddbench.report.cells import body, header, headings
from ddbench.report.rows import Table, tables
from ddbench.report.table import Collection, failures


def html(found: Collection, title: str) -> str:
    """The tables of a collection, then what failed."""
    blocks = [f"<p><code>{escape(title)}</code></p>", *map(_table, tables(found.results))]
    if lines := failures(found):
        blocks.append("<p>Failed:</p><ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>")
    return f"<div>{''.join(blocks)}</div>"


def _table(table: Table) -> str:
    title, *more = map(escape, headings(table))
    names, align = header(table)
    head = "".join(f'<th style="text-align:{side}">{escape(name)}</th>' for name, side in zip(names, align))
    lines = [
        "<tr>" + "".join(f'<td style="text-align:{side}">{escape(t)}</td>' for t, side in zip(line, align)) + "</tr>"
        for group in body(table)
        for line in group
    ]
    caption = f"<p><strong>{title}</strong><br>{'<br>'.join(more)}</p>"
    return f"{caption}<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
