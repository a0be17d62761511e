"""The package's own tests run where it is installed: `tests/test_thirdparty.py` installs it and starts them."""

from __future__ import annotations

collect_ignore = ["ddbench_example"]
