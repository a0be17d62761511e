"""From a cell to its result; called, `ddbench.run(suite)`, it runs a suite (`ddbench.api.run.run`)."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """Python binds the name of a subpackage in its parent once it is imported: so `ddbench.run` is both."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return import_module("ddbench.api.run").run(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
