"""Bytes: what a set may cost, what its parts cost, how many items fit. torch-free.

The cap is on the whole set. Payload never passes it; side information (masks, scales, a step size, soft labels) may
pass it by at most 2 % where it alone would push the last item out (DESIGN.md §5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, prod

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ddbench.errors import BudgetError
from ddbench.written import as_written

FLOAT32_BYTES = 4
SIDE_ALLOWANCE_PERCENT = 2


class Budget(BaseModel):
    """Bytes, as `ipc: n` float32 signals a class, as `bytes_per_class: N`, or as `fraction: r` of the training set."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    ipc: float | None = Field(None, gt=0, description="Bytes of this many float32 signals a class (the paper's rule).")
    bytes_per_class: int | None = Field(None, gt=0, description="Bytes a class.")
    fraction: float | None = Field(None, gt=0, le=1, description="Share of the training set's bytes as it is stored.")

    _written = as_written

    @model_validator(mode="after")
    def _one_form(self) -> Budget:
        given = [n for n in ("ipc", "bytes_per_class", "fraction") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a budget has one of ipc, bytes_per_class, fraction; this one has {', '.join(given) or 'none'}"
            )
        return self

    def cap_bytes(self, shape: tuple[int, ...], n_classes: int, train_bytes: int) -> int:
        """Bytes of the whole set: `shape` is the signal's, `train_bytes` the training set's as stored.

        Counted in exact decimals: 0.29 of 100 bytes are 29, which binary fractions would make 28.
        """
        if self.ipc is not None:
            return floor(Fraction(str(self.ipc)) * prod(shape) * FLOAT32_BYTES) * n_classes
        if self.bytes_per_class is not None:
            return self.bytes_per_class * n_classes
        assert self.fraction is not None
        return floor(Fraction(str(self.fraction)) * train_bytes)

    def __str__(self) -> str:
        if self.ipc is not None:
            return f"{self.ipc:g} ipc"
        return f"{self.bytes_per_class} B/class" if self.bytes_per_class else f"{self.fraction:g} of train"


@dataclass(frozen=True)
class Cost:
    """Bytes of a set's parts: a row of each scope, split into payload and side information."""

    item: int
    item_side: int = 0
    per_class: int = 0
    per_class_side: int = 0
    per_set: int = 0
    per_set_side: int = 0

    def total(self, items: int, n_classes: int) -> int:
        """Bytes of a set with `items` items in all."""
        return (
            self.payload(items, n_classes)
            + items * self.item_side
            + n_classes * self.per_class_side
            + self.per_set_side
        )

    def payload(self, items: int, n_classes: int) -> int:
        return items * self.item + n_classes * self.per_class + self.per_set


def fits(cost: Cost, items: int, n_classes: int, cap_bytes: int) -> bool:
    """Whether a set of `items` items keeps the cap: payload within it, everything within it plus the side allowance."""
    return cost.payload(items, n_classes) <= cap_bytes and cost.total(items, n_classes) <= allowed_with_side(cap_bytes)


def allowed_with_side(cap_bytes: int) -> int:
    return cap_bytes * (100 + SIDE_ALLOWANCE_PERCENT) // 100


def needed_per_class(payload: int, total: int, n_classes: int) -> int:
    """The fewest bytes a class whose cap holds a set of this payload and these bytes in all."""
    with_allowance = -(-total * 100 // (100 + SIDE_ALLOWANCE_PERCENT))
    return -(-max(payload, with_allowance) // n_classes)


def slots(cost: Cost, n_classes: int, cap_bytes: int) -> int:
    """Items a class: the most such that one more of every class would not fit.

    All that is counted stays within the cap, but each class's last item is let in where payload alone would fit.
    Raises: BudgetError where not even one item a class fits.
    """
    K = n_classes
    row = K * (cost.item + cost.item_side)
    n = max(0, cap_bytes - cost.total(0, K)) // (row or 1)
    if fits(cost, K * (n + 1), K, cap_bytes):
        n += 1
    if n < 1:
        need = cost.total(K, K)
        enough = needed_per_class(cost.payload(K, K), need, K)
        raise BudgetError(
            f"The budget of {cap_bytes} bytes ({cap_bytes // K} a class) holds no item: one item a class needs {need} "
            f"bytes ({cost.item + cost.item_side} an item, {cost.per_class + cost.per_class_side} more a class, "
            f"{cost.per_set + cost.per_set_side} for the set). Give at least {enough} bytes a class."
        )
    return n


def reference_slots(shape: tuple[int, ...], n_classes: int, cap_bytes: int) -> int:
    """n₀: items a class of the float32 identity codec at this budget, at least 1; it sets the equal-steps column."""
    return max(1, cap_bytes // (n_classes * prod(shape) * FLOAT32_BYTES))


def pack(sizes: Sequence[Sequence[int]], cost: Cost, cap_bytes: int) -> list[int]:
    """How many items of each class fit when sizes vary: classes in turn, each taking its next item in draw order.

    `sizes[k]` are the payload bytes of class k's items in that order, on top of `cost.item`. No item is passed over
    for a smaller one, so the choice does not lean to items that compress well. When no class's next item fits within
    the cap, one last item is let in where payload alone would fit, of a class that has fewest.

    Raises: BudgetError where a class stays empty.
    """
    K = len(sizes)
    counts = [0] * K
    varying = 0

    def next_bytes(k: int) -> tuple[int, int]:
        """(payload, everything) with class k's next item."""
        items, more = sum(counts) + 1, varying + sizes[k][counts[k]]
        return cost.payload(items, K) + more, cost.total(items, K) + more

    open_classes = list(range(K))
    while open_classes:
        for k in list(open_classes):
            if counts[k] < len(sizes[k]) and next_bytes(k)[1] <= cap_bytes:
                varying += sizes[k][counts[k]]
                counts[k] += 1
            else:
                open_classes.remove(k)
    for k in sorted(range(K), key=counts.__getitem__):
        if counts[k] < len(sizes[k]):
            payload, total = next_bytes(k)
            if payload <= cap_bytes and total <= allowed_with_side(cap_bytes):
                counts[k] += 1
                break
    if min(counts) < 1:
        raise _empty(counts.index(0), sizes, cost, cap_bytes)
    return counts


def pack_jointly(size: Callable[[int], int], most: int, cap_bytes: int) -> int:
    """The most items a class, up to `most`, of a set that `size` measures whole and that keeps the cap.

    For items whose bytes are known only beside the others: `size(n)` are the bytes of everything with n items a class.
    It is asked where a straight line through what is known crosses the cap, and in the middle every other time.

    Raises: BudgetError where not even one item a class fits.
    """
    known = {1: size(1)}
    if known[1] > cap_bytes:
        raise BudgetError(
            f"The budget of {cap_bytes} bytes holds no item: one item a class needs {known[1]} bytes with what is "
            "stored once. Give more bytes, or a stronger compression."
        )
    fit, over, tried = 1, most + 1, 0
    while over - fit > 1:
        a, b = (1, fit) if over not in known else (fit, over)
        slope = (known[b] - known[a]) / (b - a) if b > a else 0
        guess = fit + int((cap_bytes - known[fit]) / slope) if slope > 0 else 8 * fit
        if over in known and tried % 2:
            guess = (fit + over) // 2
        n, tried = min(max(guess, fit + 1), over - 1), tried + 1
        known[n] = size(n)
        fit, over = (n, over) if known[n] <= cap_bytes else (fit, n)
    return fit


def _empty(k: int, sizes: Sequence[Sequence[int]], cost: Cost, cap_bytes: int) -> BudgetError:
    K = len(sizes)
    if not sizes[k]:
        return BudgetError(f"Class {k} has no item to store. Every class needs at least one.")
    first = sum(s[0] for s in sizes if s)
    enough = -(-(cost.total(K, K) + first) // K)
    return BudgetError(
        f"The budget of {cap_bytes} bytes ({cap_bytes // K} a class) holds no item of class {k}: the first items "
        f"of the classes take {first} bytes and the rest {cost.total(K, K)}. {enough} bytes a class are enough, "
        "or give a stronger compression."
    )
