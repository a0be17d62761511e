"""Sheets as text: for a terminal, and as Markdown. torch-free."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ddbench.report.sheet import Sheet, Word


def printable(text: str) -> str:
    """Text without control characters: names come from files, and a terminal obeys what it is sent."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def terminal(sheets: Sequence[Sheet], failures: Sequence[str]) -> str:
    """Sheets for a terminal: groups of lines between rules, `*` before the best."""
    from tabulate import SEPARATING_LINE, tabulate

    blocks = []
    for sheet in sheets:
        lines: list[Any] = []
        for group in sheet.groups:
            lines += [*([SEPARATING_LINE] if lines else []), *([_starred(word) for word in line] for line in group)]
        names = ["\n".join(dict.fromkeys(p for p in level if p)) for level in zip(*sheet.names)]
        grid = tabulate(lines, _bottom(names), "simple", disable_numparse=True, colalign=_align(sheet))
        blocks.append("\n".join([*sheet.headings, "", grid, *sheet.noted("*")]))
    return printable(_joined(blocks, "Failed:", "  ", failures))


def _bottom(names: Sequence[str]) -> list[str]:
    """Header cells filled up from above, so that short names stand over their columns."""
    height = max(name.count("\n") for name in names)
    return ["\n" * (height - name.count("\n")) + name for name in names]


def _starred(word: Word) -> str:
    return f"*{word.text}" if word.is_best else word.text


def markdown(sheets: Sequence[Sheet], failures: Sequence[str]) -> str:
    """Sheets as GitHub's Markdown, the best in bold; nothing of a name is taken for mark-up."""
    from tabulate import tabulate

    blocks = []
    for sheet in sheets:
        title, *more = map(escaped, sheet.headings)
        names = [" ".join(dict.fromkeys(p for p in level if p)).replace("\n", " ") for level in zip(*sheet.names)]
        lines = [[_bold(word) for word in line] for group in sheet.groups for line in group]
        grid = tabulate(lines, [*map(escaped, names)], "github", disable_numparse=True, colalign=_align(sheet))
        notes = [f"- {escaped(note)}" for note in sheet.noted("Bold:")]
        blocks.append("\n".join([f"## {title}", "", *more, "", grid, *(["", *notes] if notes else [])]))
    return _joined(blocks, "## Failed\n", "- ", [escaped(line) for line in failures])


def _bold(word: Word) -> str:
    return f"**{escaped(word.text)}**" if word.is_best else escaped(word.text)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    line = printable(" ".join(text.split()))
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    # An underscore inside a word is no mark-up, so that most names stay as they are.
    return re.sub(r"([\\`*\[\]|~])|(?<!\w)(_)|(_)(?!\w)", r"\\\1\2\3", line)


def _align(sheet: Sheet) -> list[str]:
    return ["left" if i < sheet.left else "right" for i in range(len(sheet.names[-1]))]


def _joined(blocks: list[str], title: str, bullet: str, lines: Sequence[str]) -> str:
    if lines:
        blocks = [*blocks, "\n".join([title, *(bullet + line for line in lines)])]
    return "\n\n".join(blocks) + "\n"
