"""Sheets as LaTeX that compiles as pasted: booktabs tables, every character of a name escaped. torch-free."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby

from ddbench.report.sheet import Sheet, Word

PREAMBLE = "% Made by `ddbench table`. Needs in the preamble: \\usepackage{booktabs}"
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\char34{}", "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}",
    "*": "{*}", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "–": "--", "—": "---", "−": "$-$", "…": r"\dots{}",
    "†": r"$\dagger$", "‡": r"$\ddagger$", "²": "$^2$", "≤": r"$\le$", "≥": r"$\ge$",
}  # fmt: skip
"""Brackets and stars stand in braces: at the start of a line LaTeX would take them for arguments of the last one."""
LIGATURES = "-',"
"""Characters that LaTeX joins when two of them meet."""
ACCENTS = {
    "\u0300": r"\`", "\u0301": r"\'", "\u0302": r"\^", "\u0303": r"\~", "\u0304": r"\=", "\u0306": r"\u",
    "\u0307": r"\.", "\u0308": r'\"', "\u030a": r"\r", "\u030b": r"\H", "\u030c": r"\v", "\u0327": r"\c",
}  # fmt: skip


def latex(sheets: Sequence[Sheet], failures: Sequence[str]) -> str:
    """A `table` for each sheet, the best in bold; notes below it, failures as comments at the end."""
    blocks = [PREAMBLE, *(_table(sheet) for sheet in sheets)]
    if failures:
        blocks.append("\n".join(f"% failed: {' '.join(_ascii(line).split())}" for line in failures))
    return "\n\n".join(blocks) + "\n"


def _table(sheet: Sheet) -> str:
    n = len(sheet.names[-1])
    title, *more = map(escaped, sheet.headings)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{title}.}}"]
    lines += [rf"\begin{{tabular}}{{{'l' * sheet.left}{'r' * (n - sheet.left)}}}", r"\toprule", *_header(sheet)]
    for group in sheet.groups:
        lines += [r"\midrule", *(_line([_word(word) for word in line]) for line in group)]
    lines += [r"\bottomrule", r"\end{tabular}"]
    notes = [*more, *map(escaped, sheet.noted("Bold:"))]
    lines += [rf"\par\smallskip{{\footnotesize\raggedright {note}\par}}" for note in notes]
    return "\n".join([*lines, r"\end{table}"])


def _header(sheet: Sheet) -> list[str]:
    """The levels of the header; neighbours of one name above the last level share it, with a rule below."""
    lines = []
    for level in sheet.names[:-1]:
        cells, rules, at = [], [], 1
        for name, same in groupby(level):
            width = len(list(same))
            if name:
                cells.append(rf"\multicolumn{{{width}}}{{c}}{{{escaped(name)}}}")
                rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
            else:
                cells += [""] * width
            at += width
        lines += [_line(cells), "".join(rules)]
    return [*lines, _line([escaped(name) for name in sheet.names[-1]])]


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _word(word: Word) -> str:
    if not word.is_best:
        return escaped(word.text)
    return rf"\textbf{{\boldmath {escaped(word.text)}}}"


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is, in ASCII; characters that its fonts lack stand by their number."""
    line = " ".join(text.split())
    meets_itself = (c in LIGATURES and c == after for c, after in zip(line, line[1:] + " "))
    return "".join(_escaped(c) + ("{}" if meets else "") for c, meets in zip(line, meets_itself))


def _escaped(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if " " <= character <= "~":
        return character
    base, *marks = unicodedata.normalize("NFD", character)
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in ACCENTS:
        return rf"{ACCENTS[marks[0]]}{{{base}}}"
    return f"[U+{ord(character):04X}]".replace("[", "{[}").replace("]", "{]}")


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
