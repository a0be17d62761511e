"""Splits that no generator draws: which items are for test follows from the items' content alone. torch-free."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

TEST_SHARE = 0.2


def side_by_content(labels: Sequence[int], digests: Sequence[str], group: Sequence[int] | None = None) -> list[bool]:
    """For each item, whether it is for test: of every class a fifth (rounded, at most; one item at least).

    Groups (items with the same number in `group`) stay together. They are taken in the order of their lowest digest,
    each where its items still fit into the shares of their classes; the same files give the same split everywhere.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for i, g in enumerate(range(len(labels)) if group is None else group):
        members[g].append(i)
    left = Counter({k: max(1, round(n * TEST_SHARE)) for k, n in Counter(labels).items() if n > 1})
    test = [False] * len(labels)
    for items in sorted(members.values(), key=lambda items: min(digests[i] for i in items)):
        asked = Counter(labels[i] for i in items)
        if all(left[k] >= n for k, n in asked.items()):
            left -= asked
            for i in items:
                test[i] = True
    return test
