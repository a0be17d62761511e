"""Words left out, against a slow loop; the same words in all items of a row."""

from __future__ import annotations

import torch

from ddbench.augment.series import hashed
from ddbench.augment.words import MOST, worddrop
from ddbench.interfaces.text import text_signal, to_raw, to_texts

TEXTS = ["one two three four five six", "a  b c", "", "longword"]


def signals(texts):
    return text_signal(32).normalise(to_raw(texts, 32))


def slow(text: str, keys: list[float], chance: float) -> str:
    words, kept = text.split(" "), []
    index = 0
    for word in words:
        index += bool(word)
        kept.append(" " * len(word) if word and keys[index] < chance else word)
    return " ".join(kept)


def test_words_are_dropped_as_a_loop_drops_them():
    u = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    u[0, 2] = 0
    x = signals(TEXTS)[None].expand(50, -1, -1, -1)
    found = worddrop(x, u)
    keys = hashed(u, 33).float()
    dropped = 0
    for r in range(50):
        expected = [slow(t, keys[r].tolist(), MOST * float(u[r, 2])) for t in TEXTS]
        assert to_texts(found[r]) == expected
        dropped += sum(a != b for a, b in zip(expected, TEXTS))
    assert to_texts(found[0]) == TEXTS
    assert 20 < dropped < 150
