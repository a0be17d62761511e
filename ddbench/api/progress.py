"""Progress of a run: a bar on a terminal or in a notebook, plain lines in a pipe, or nothing. torch-free."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from ddbench.interfaces.engine import Event

DONE = ("finished", "failed", "skipped")


class Progress:
    """Takes an engine's events; a context manager that closes the bar."""

    def __init__(self, titles: Mapping[str, str], bar: Any = None, say: Callable[[str], None] | None = None) -> None:
        """`titles` are the names of the cells to run, by key; without a tqdm `bar`, `say` gets the lines."""
        self.titles = titles
        self.bar = bar
        self.say = say
        self.done: set[str] = set()
        self.running: dict[str, str] = {}
        self.failed: dict[str, str] = {}

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, event: Event) -> None:
        title = self.titles.get(event.key, event.key[:16])
        if event.kind == "progress":
            self.running[event.key] = f"{event.text} {event.fraction:.0%}"
        elif event.kind == "started":
            self.done.discard(event.key)
            self.running[event.key] = "starts"
        elif event.kind == "skipped" and (event.key in self.running or event.key in self.done):
            return  # another worker of this very run has the cell
        elif event.kind in DONE:
            self.running.pop(event.key, None)
            self.done.add(event.key)
        if event.kind == "failed":
            self.failed[event.key] = event.text
        if self.bar is not None:
            self._move()
        if event.kind != "progress":
            self._say(event, title)

    def _say(self, event: Event, title: str) -> None:
        if event.kind == "started":
            self._line(f"started   {title}")
            return
        text = " ".join(event.text.split())
        line = f"[{len(self.done)}/{len(self.titles)}] {event.kind} {title}" + (f": {text}" if text else "")
        if self.bar is None:
            self._line(line)
        elif event.kind in ("failed", "lost"):
            self.bar.write(line, file=sys.stderr)

    def _line(self, text: str) -> None:
        if self.bar is None and self.say is not None:
            self.say(text)

    def _move(self) -> None:
        assert self.bar is not None
        self.bar.n = len(self.done)
        shown = [f"{self.titles.get(key, key[:16])} {text}" for key, text in self.running.items()]
        more = f" and {len(shown) - 1} more" if len(shown) > 1 else ""
        self.bar.set_postfix_str((shown[0] + more) if shown else "", refresh=False)
        self.bar.refresh()


def terminal_bar(total: int) -> Any:
    """A bar of tqdm on standard error."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        unit="cell",
        file=sys.stderr,
        dynamic_ncols=True,
        bar_format="{l_bar}{bar:20}| {n}/{total} [{elapsed}] {postfix}",
    )


def notebook_bar(total: int) -> Any:
    """The bar that fits the place: a widget in a notebook, else as on a terminal."""
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="cell")
