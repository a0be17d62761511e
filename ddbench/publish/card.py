"""The README of what is published: a dataset card in the hub's form, made of the results alone. torch-free."""

from __future__ import annotations

import html
from collections.abc import Sequence

import yaml

from ddbench.publish.gather import Gathered, Item
from ddbench.report.table import Collection, render
from ddbench.version import __version__

README = "README.md"
MARK = "<!-- Written by `ddbench publish`, which replaces it when it publishes here again. -->"
LONGEST_TABLES = 200_000
"""Letters of tables that a card has; readers of more take `ddbench table`."""


def card(made: Gathered, name: str, licence: str | None, fetch: Sequence[str]) -> Item:
    """The card of what was gathered. `fetch` are the shell lines that bring it to a reader's folder `here`."""
    head = {
        "pretty_name": name,
        **({"license": licence} if licence else {}),
        "tags": ["dataset-distillation", "dataset-condensation", "ddbench"],
        "viewer": False,
    }
    datasets = sorted({result.cell.dataset_label for result in made.results})
    sets = sum(result.artifact is not None for result in made.results)
    blocks = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---",
        MARK,
        f"# {_safe(name)}",
        f"{len(made.results)} results of ddbench, the open benchmark for dataset distillation, and {sets} distilled "
        f"sets, of {', '.join(map(_safe, datasets)) or 'no dataset'}. Each `result.json` says what was run and what "
        "fresh students reached, item by item; the set beside it is the file on which they trained, its bytes "
        "measured.",
        "```sh\n" + "\n".join([*fetch, "ddbench table here"]) + "\n```",
        '```python\nimport ddbench\n\nddbench.results("here").to_pandas()\n```',
    ]
    if not licence:
        blocks.append("No licence was named. The sets are made from their datasets, whose licences hold for them too.")
    if made.changed:
        blocks.append(
            f"Local paths and host names were taken out of the free text of {len(made.changed)} results; "
            "nothing that a key, a digest or a figure rests on was changed."
        )
    blocks += [_tables(made), f"Written by ddbench {__version__}."]
    return Item(README, ("\n\n".join(blocks) + "\n").encode())


def _tables(made: Gathered) -> str:
    text = _safe(render(Collection(tuple(made.results)), "markdown")).strip()
    if len(text) <= LONGEST_TABLES:
        return text
    return "The tables are too long for a card: `ddbench table here` prints them."


def _safe(text: str) -> str:
    """Text that came from files, so that it is neither a tag nor a link nor a picture; what is escaped stays so."""
    return html.unescape(text).replace("&", "&amp;").replace("<", "&lt;").replace("](", "]&#40;")
