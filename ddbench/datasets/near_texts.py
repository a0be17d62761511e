"""Which texts say almost the same, by the words that stand together in them. torch-free."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

SHINGLE = 3
"""Words that stand together."""
THRESHOLD = 0.4
"""Share of common shingles (Jaccard) from which two texts are near-duplicates."""
COMMON = 200
"""Shingles of more texts than these (a turn of speech) link no two of them."""
_WORD = re.compile(r"\w+")


def words(text: str) -> tuple[str, ...]:
    """The words of a text, without case and punctuation."""
    return tuple(_WORD.findall(text.casefold()))


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Every run of three words; of shorter texts the text."""
    found = words(text)
    if len(found) < SHINGLE:
        return frozenset({found or (text,)})
    return frozenset(found[i : i + SHINGLE] for i in range(len(found) - SHINGLE + 1))


def groups(texts: Sequence[str]) -> list[int]:
    """For each text the first one of its group; texts are in one group where near-duplicates link them."""
    sets = [shingles(text) for text in texts]
    where: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, found in enumerate(sets):
        for shingle in found:
            where[shingle].append(i)
    first = list(range(len(texts)))

    def root(i: int) -> int:
        while first[i] != i:
            first[i] = i = first[first[i]]
        return i

    for i, found in enumerate(sets):
        common = Counter(j for s in found if len(where[s]) <= COMMON for j in where[s] if j < i)
        for j, n in common.items():
            if n >= THRESHOLD * (len(found) + len(sets[j]) - n):
                low, high = sorted((root(i), root(j)))
                first[high] = low
    return [root(i) for i in range(len(texts))]
