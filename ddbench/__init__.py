"""ddbench: the open benchmark for dataset distillation.

`ddbench.run("quickstart")` runs a suite, `ddbench.results("folder")` reads what was run, `ddbench.load("set")`
gives a set as a torch dataset; importing this imports none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ddbench.version import __version__

if TYPE_CHECKING:
    from ddbench.api.results import Results as Results
    from ddbench.api.results import read as results
    from ddbench.api.run import run
    from ddbench.export.dataset import load

_LAZY = {
    "load": ("ddbench.export.dataset", "load"),
    "Results": ("ddbench.api.results", "Results"),
    "results": ("ddbench.api.results", "read"),
    "run": ("ddbench.run", ""),
}
"""Where each name is; a module itself where the second word is empty."""

__all__ = ["Results", "__version__", "load", "results", "run"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LAZY[name]
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
