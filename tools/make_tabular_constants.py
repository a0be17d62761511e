"""Makes ddbench/datasets/files/tabular.json from what scikit-learn ships: digests, class sizes, training statistics.

python tools/make_tabular_constants.py [file]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from sklearn import datasets

from ddbench.datasets.tabular import CONSTANTS, DIGITS_SCALE, Whole, split_rows

SIGNIFICANT = 9
"""Digits kept, so that another order of summation gives the same text."""


def constants_of(name: str, channels: int, scale: float = 1.0) -> dict[str, object]:
    """Digest and class sizes of the whole, population mean and std of its training split, a channel each."""
    found = getattr(datasets, f"load_{name}")()
    whole = Whole(found.data.astype("float64"), found.target.astype("int64"))
    train, _ = split_rows(name, whole.labels.tolist())
    values = (whole.values[train] / scale).reshape(len(train), channels, -1)
    return {
        "sha256": whole.sha256,
        "per_class": np.bincount(whole.labels).tolist(),
        **({} if channels == 1 else {"columns": [str(column) for column in found.feature_names]}),
        "mean": [float(f"{v:.{SIGNIFICANT}g}") for v in values.mean((0, 2))],
        "std": [float(f"{v:.{SIGNIFICANT}g}") for v in values.std((0, 2))],
    }


def main(path: Path) -> None:
    made = {
        "breast_cancer": constants_of("breast_cancer", 30),
        "digits": constants_of("digits", 1, DIGITS_SCALE),
        "iris": constants_of("iris", 4),
        "wine": constants_of("wine", 13),
    }
    path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else CONSTANTS)
