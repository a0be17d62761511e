"""What a result tells of the machine it was made on: local paths and the host's name. torch-free."""

from __future__ import annotations

import platform
import re
from typing import Any

from ddbench.result.schema import Result

PATH = re.compile(
    r"""(?:(?<![\w./:~+=-])|(?<=file://))~?(?:/[^\s/'"`,;:()<>|*?]+){2,}/?"""  # /home/me, ~/a/b; not a/b, not https://x/y
    r"""|(?<![\w./:~-])~(?:/[^\s/'"`,;:()<>|*?]+)+"""
    r"""|(?<![A-Za-z0-9])[A-Za-z]:[\\/](?![\\/])[^\s'"`,;()<>|*?]+"""
    r"""|(?<![\w\\])\\\\[\w.$-]+\\[^\s'"`,;()<>|*?]+"""
)
NO_PATH, NO_HOST = "<path>", "<host>"
SHORTEST_HOST = 4
COMMON_HOSTS = {"localhost", "localhost.localdomain"}
SIGNED = ("schema_version", "key", "run_id", "status", "runs", "artifact", "losses")
"""Fields of a result that hold no text, or text by which it is told from others."""


def host_names() -> tuple[str, ...]:
    """This machine's name, whole and without its domain; none that could as well be a word."""
    whole = platform.node()
    return tuple(
        name
        for name in dict.fromkeys((whole, whole.partition(".")[0]))
        if len(name) >= SHORTEST_HOST and name not in COMMON_HOSTS
    )


def cleaned(result: Result, hosts: tuple[str, ...] | None = None) -> tuple[Result, tuple[str, ...]]:
    """The result without local paths and host names in its free text, and the fields that were changed.

    The cell stays as it is, since its key is made of it, but for the words on where its arguments come from.
    """
    data = result.model_dump(mode="json")
    changed: list[str] = []
    clean = _Cleaner(host_names() if hosts is None else hosts, changed)
    for name, value in data.items():
        if name == "cell":
            value |= {"recipe": clean(value["recipe"], "cell.recipe")} if "recipe" in value else {}
        elif name not in SIGNED:
            data[name] = clean(value, name)
    return (Result.model_validate(data) if changed else result), tuple(changed)


def private(value: Any, at: str) -> list[str]:
    """Where plain data hold local paths, each place with its text."""
    if isinstance(value, dict):
        return [found for k, v in value.items() for found in [*private(k, at), *private(v, f"{at}.{k}")]]
    if isinstance(value, list | tuple):
        return [found for i, v in enumerate(value) for found in private(v, f"{at}.{i}")]
    return [f"{at} ({value})"] if isinstance(value, str) and PATH.search(value) else []


class _Cleaner:
    """Replaces what is private in the texts of plain data and notes where."""

    def __init__(self, hosts: tuple[str, ...], changed: list[str]) -> None:
        self.hosts = [re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])") for name in hosts]
        self.changed = changed

    def __call__(self, value: Any, at: str) -> Any:
        if isinstance(value, dict):
            return {self(k, at): self(v, f"{at}.{k}") for k, v in value.items()}
        if isinstance(value, list):
            return [self(v, f"{at}.{i}") for i, v in enumerate(value)]
        if not isinstance(value, str):
            return value
        text = PATH.sub(NO_PATH, value)
        for host in self.hosts:
            text = host.sub(NO_HOST, text)
        if text != value:
            self.changed.append(at)
        return text
