"""Errors that a user can act on: what was asked, what was found, what to do.

The command line prints their message and exits with `exit_code`; it never shows a traceback for one of these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DdbenchError(Exception):
    """Base of every error that is a user's to mend. `exit_code` is what the command line exits with."""

    exit_code = 2


class SpecError(DdbenchError):
    """A suite, a name or an argument is not valid."""


class PluginError(DdbenchError):
    """A plug-in is missing, broken, or breaks its contract."""


class BudgetError(DdbenchError):
    """A storage budget is not valid or holds no item."""


class DataError(DdbenchError):
    """A dataset, or another file that something rests on, is missing, truncated or not what it says.

    `way_out` is a sentence of the message that may be the same for several missing things: how to get them.
    """

    exit_code = 3

    def __init__(self, what: str, way_out: str = "") -> None:
        super().__init__(what if not way_out else f"{what} {way_out}".replace(" \n", "\n"))
        self.what, self.way_out = what, way_out


class ArtifactError(DdbenchError):
    """A distilled set, a checkpoint or a result cannot be read, or says something else than it should."""

    exit_code = 3


class VersionError(ArtifactError):
    """A file is of a version that this ddbench does not know; it may be sound, so nothing may replace it."""


class RunError(DdbenchError):
    """A run folder or a machine does not allow what was asked (unwritable, full, no such device)."""

    exit_code = 3


class Divergence(DdbenchError):
    """A loss stopped being finite. The last finite codes are kept by the caller."""

    exit_code = 1


def printable(text: str) -> str:
    """The text with what a terminal would act on (escape codes, marks that turn the direction) written out.

    Errors quote files that strangers wrote.
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


MOST_NAMES, LONGEST_NAME = 60, 40
"""Of what is known, how much a message shows: names may come from files of others."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names the near misses of `name` among `known`, else all of them; '' where there are none."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(repr(n) for n in near)}?"
    shown = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…" for name in names[:MOST_NAMES]]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"Known: {', '.join(shown)}{more}." if names else ""
