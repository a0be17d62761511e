"""What may be given as a suite: a name, a path, a mapping as its YAML has it, or a `Suite`. torch-free at import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import yaml

from ddbench.errors import SpecError
from ddbench.spec.suite import Suite

MADE = "suite"
"""What a suite that came from no file is called in the list of its mistakes."""


@dataclass(frozen=True)
class Given:
    """A checked suite, and the YAML that a run folder keeps of it."""

    suite: Suite
    text: bytes


def given(suite: str | PathLike[str] | Mapping[str, Any] | Suite, only: str | None = None) -> Given:
    """The suite that was given, checked. Raises: SpecError with every mistake; DataError where data are missing.

    What cells miss whose title does not hold `only` is passed over.
    """
    from ddbench.planning.load import check, load_suite
    from ddbench.spec.find import find_suite
    from ddbench.spec.yaml import parse

    if isinstance(suite, str | PathLike):
        text = fspath(suite)
        return Given(load_suite(text, only=only), find_suite(text).read_bytes())
    if isinstance(suite, Suite):
        suite = suite.model_dump(mode="json", exclude_unset=True)
    if not isinstance(suite, Mapping):
        raise SpecError(
            f"A suite is a shipped suite's name, a path, a mapping as its YAML has it, or a Suite; got {suite!r:.80}."
        )
    try:
        written = yaml.safe_dump(dict(suite), sort_keys=False, allow_unicode=True)
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(
            f"The suite holds values that YAML has not: {' '.join(str(error).split())[:200]}. "
            "Use text, numbers, true, false, null, lists and mappings."
        ) from error
    return Given(check(parse(written, MADE), only=only), written.encode())
