"""Reading a suite: structure, plug-ins and combinations checked together, every mistake told with its line."""

from __future__ import annotations

from pathlib import Path

from ddbench.planning.expand import combination_faults
from ddbench.planning.named import plugin_faults
from ddbench.spec.find import find_suite
from ddbench.spec.mistakes import structure
from ddbench.spec.suite import Suite
from ddbench.spec.yaml import Document, read


def load_suite(text: str, plugins: bool = True, only: str | None = None) -> Suite:
    """The suite that a path or a shipped suite's name means, checked.

    With `plugins`, the plug-ins that it names are imported, their arguments validated, and every combination tried;
    what cells miss whose title does not hold `only` is passed over.

    Raises: SpecError with a line for each mistake, `file:line: what is wrong and what to do`; DataError where only data
    or weights are missing.
    """
    return check(read(find_suite(text), _label(text)), plugins, only)


def check(document: Document, plugins: bool = True, only: str | None = None) -> Suite:
    """The suite in a document. Raises: SpecError with every mistake, as `load_suite` does."""
    suite, faults = structure(document)
    if plugins:
        faults += plugin_faults(document)
        if suite is not None:
            faults += combination_faults(suite, only)
    if suite is None or faults:
        raise document.error(faults)
    return suite


def _label(text: str) -> str:
    path = Path(text)
    return text if path.is_file() else str(find_suite(text).name)
