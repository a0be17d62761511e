"""Makes the embedded Fashion-MNIST subset from the full files: two contact sheets and their digests.

    DDBENCH_DATA=… python tools/make_fashion_mnist_small.py [folder]

Prints the SHA-256 of each sheet; they stand in ddbench/datasets/embedded.py. Another PNG encoder may write other bytes
for the same pictures, so a new digest does not by itself mean new pictures.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from PIL import Image

from ddbench import rng
from ddbench.datasets.embedded import COLUMNS, FILES, FashionMnistSmall, Sheet
from ddbench.datasets.idx import SIDE, FashionMnist
from ddbench.datasets.stratify import stratified
from ddbench.interfaces.dataset import Split


def rows(split: Split, sheet: Sheet) -> list[list[int]]:
    """For each class, the rows of the full split that the sheet holds, ascending."""
    per_class = [sheet.per_class] * 10
    return stratified(split.labels.tolist(), per_class, rng.seed("fashion_mnist_small", split=sheet.split))


def draw_sheet(split: Split, sheet: Sheet) -> Image.Image:
    """The contact sheet of the drawn rows."""
    chosen = [i for of_class in rows(split, sheet) for i in of_class]
    tiles = split.signals[chosen, 0].reshape(-1, COLUMNS, SIDE, SIDE)
    return Image.fromarray(tiles.swapaxes(1, 2).reshape(-1, COLUMNS * SIDE).numpy())


def main(folder: Path) -> None:
    full = FashionMnist().load()
    for split, sheet in zip(full, (FashionMnistSmall.train, FashionMnistSmall.test)):
        path = folder / sheet.file
        draw_sheet(split, sheet).save(path, optimize=True)
        content = path.read_bytes()
        sys.stdout.write(f"{path.name}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILES)
