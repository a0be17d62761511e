"""Small trees of picture files in published layouts: what a picture shows is told by its colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

TEN = ("animals", "buildings", "food", "geography", "office", "people", "plants", "recreation", "tools",
       "transportation")  # fmt: skip
OTHER = ("computer", "containers", "decorations", "education", "electronics", "science", "shapes", "signs_and_symbols",
         "special")  # fmt: skip


def picture(path: Path, colour: int, width: int = 40, height: int = 30, seed: int = 0) -> Path:
    """A noisy picture whose mean depends on `colour`, in the format of the suffix."""
    draw = np.random.default_rng([colour, seed, width])
    pixels = np.clip(draw.normal(40 + 18 * colour, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def imagenet_tree(root: Path, wnids: list[str], train: int = 4, val: int = 2) -> Path:
    for k, wnid in enumerate(wnids):
        for part, count in (("train", train), ("val", val)):
            for i in range(count):
                name = f"{wnid}_{i}.JPEG" if part == "train" else f"ILSVRC2012_val_{i:08d}.JPEG"
                picture(root / part / wnid / name, k, 48 + 8 * (i % 2), 40, seed=i + 100 * (part == "val"))
    return root


def blots(path: Path, seed: int, side: int = 24) -> Path:
    """A drawing on transparent paper: coarse random blocks, so that two seeds give two unlike drawings."""
    draw = np.random.default_rng(seed)
    pixels = np.kron(draw.integers(0, 2, (6, 6, 4)) * 255, np.ones((side // 6, side // 6, 1))).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, "RGBA").save(path)
    return path


def clipart_tree(root: Path, per_class: int = 5) -> Path:
    """`per_class` unlike drawings in each folder of the package's layout."""
    for k, name in enumerate((*TEN, *OTHER)):
        for i in range(per_class):
            blots(root / name / "below" / f"drawing_{i}.png", 1000 * k + i)
    return root
