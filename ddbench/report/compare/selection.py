"""What A and B are: two selections of a folder's results by their titles, or two folders. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddbench.errors import SpecError
from ddbench.report.table import Collection, collect
from ddbench.result.schema import Result
from ddbench.spec.cell import Cell
from ddbench.spec.labels import arguments, codec_label

HOW = "Give two run folders, or one folder and two texts: ddbench compare runs/x 'dct × dm' 'identity × dm'."


@dataclass(frozen=True)
class Sides:
    """The two things that are compared, by the names that the user gave them."""

    a_name: str
    b_name: str
    a: tuple[Result, ...]
    b: tuple[Result, ...]
    unreadable: tuple[str, ...] = ()


def sides(words: Sequence[str], only: str | None = None) -> Sides:
    """A and B from the words of the command line. Raises: SpecError, ArtifactError where they select nothing."""
    if len(words) == 2:
        for word in words:
            if not Path(word).is_dir():
                raise SpecError(f"There is no folder {word!r}. {HOW}")
        first, second = (collect(Path(word)) for word in words)
        unreadable = tuple(dict.fromkeys([*first.unreadable, *second.unreadable]))
        a, b = (_chosen(found, only, word) for found, word in zip((first, second), words))
        return Sides(words[0], words[1], a, b, unreadable)
    if len(words) == 3:
        folder, *texts = words
        found = collect(Path(folder))
        rest = Collection(_chosen(found, only, folder), found.unreadable)
        a, b = (_chosen(rest, text, folder) for text in texts)
        twice = {r.key for r in a} & {r.key for r in b}
        if twice:
            title = next(r.cell.title for r in a if r.key in twice)
            raise SpecError(
                f"{texts[0]!r} and {texts[1]!r} both select {len(twice)} of the same cells, such as {title!r}. "
                "Write more of one title, so that a cell belongs to one side."
            )
        return Sides(texts[0], texts[1], a, b, found.unreadable)
    raise SpecError(f"A comparison is between two things, got {len(words)} words. {HOW}")


def _chosen(found: Collection, text: str | None, folder: str) -> tuple[Result, ...]:
    """The results that the text selects. Raises: SpecError where there are none."""
    chosen = tuple(r for r in found.results if text is None or selects(text, r.cell))
    if chosen:
        return chosen
    if not found.results:
        raise SpecError(f"{folder} holds no readable result: {'; '.join(found.unreadable[:2])}")
    titles = sorted({r.cell.title.rpartition(" · seed ")[0] for r in found.results})
    more = f" and {len(titles) - 3} more" if len(titles) > 3 else ""
    raise SpecError(f"Nothing in {folder} has {text!r} in its title. There is: {'; '.join(titles[:3])}{more}.")


def selects(text: str, cell: Cell) -> bool:
    """Whether a cell's description holds every comma-separated part of the text, whatever the case."""
    words = f"{cell.title} · {row_label(cell)} · {cell.protocol.name}".lower()
    return all(part.strip().lower() in words for part in text.split(","))


def row_label(cell: Cell) -> str:
    """Codec × method with all their arguments, space, match network: what may set two rows of a table apart."""
    codec, method, network = (
        codec_label(cell),
        f"{cell.method.name} {arguments(cell.method.args)}".strip(),
        f"{cell.network.name} {arguments(cell.network.args)}".strip(),
    )
    return f"{codec} × {method} ({cell.space}) via {network}"
