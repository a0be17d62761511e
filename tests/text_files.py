"""Texts for tests: a few sentences a class, made of words that tell the classes apart."""

from __future__ import annotations

import random
from pathlib import Path

from ddbench.datasets.fortunes import CATEGORIES

SUBJECTS = {"sea": "boat wave tide fish anchor harbour", "sky": "cloud bird star wind moon feather",
            "soil": "root worm clay field stone plough"}  # fmt: skip
COMMON = "the a of some near under old small was seen"


def sentence(subject: str, draw: random.Random, words: int = 9) -> str:
    return " ".join(draw.choice((SUBJECTS[subject] + " " + COMMON).split()) for _ in range(words))


def rows(per_class: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, label), the classes in turn."""
    draw = random.Random(seed)
    return [(sentence(label, draw), label) for _ in range(per_class) for label in SUBJECTS]


def fortunes_tree(folder: Path, per_class: int = 20) -> Path:
    """Files as the package fortunes has them."""
    folder.mkdir(parents=True)
    draw = random.Random(1)
    for name in CATEGORIES:
        texts = [f"{name} {draw.randrange(10**6)}\n\t-- {name} {draw.randrange(10**6)}" for _ in range(per_class)]
        (folder / name).write_text("\n%\n".join(texts) + "\n%\n", "utf-8")
    return folder
