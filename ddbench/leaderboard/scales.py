"""Axes of a chart: where round numbers stand on them. torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

ROUND = (1, 2, 5)
MOST_TICKS = 7


@dataclass(frozen=True)
class Scale:
    """A line from data to places: `low` and `high` stand at `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (log10(v) if self.is_log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (at - low) / (high - low)


def linear_ticks(low: float, high: float) -> list[float]:
    """At most MOST_TICKS multiples of a round step within [low, high]."""
    step = next(
        s * 10**e for e in range(-6, 12) for s in ROUND if (high - low) / (s * 10.0**e) <= MOST_TICKS - 1
    )  # fmt: skip
    return [round(i * step, 9) for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers within [low, high]: 1, 2, 5 of each power of ten, or fewer where these are too many."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    for digits, every in ((ROUND, 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3)):
        found = [d * 10.0**e for e in powers for d in digits if e % every == 0 and low <= d * 10.0**e <= high]
        if len(found) <= MOST_TICKS:
            return found
    return found[:: ceil(len(found) / MOST_TICKS)]


def span(values: Sequence[float], share: float, is_log: bool = False) -> tuple[float, float]:
    """From the least to the largest value, and `share` of the distance more at both ends."""
    low, high = min(values), max(values)
    if is_log:
        room = max(high / low, 2.0) ** share
        return low / room, high * room
    room = max(high - low, 1.0) * share
    return low - room, high + room
