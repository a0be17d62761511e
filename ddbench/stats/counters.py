"""How many of several students get each test item right, all items at once: sums of bit strings. torch-free.

An answer is a whole number with a bit an item. Counts are written as binary digits, digit k of all items as one such
number, so that a thousand items are added in one step; sums and products of counts are whole numbers, hence exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Counts = Sequence[int]
"""Of each item a count: bit i of number k is digit k of item i's."""


def counted(answers: Iterable[int]) -> Counts:
    """Of each item, how many of the answers have its bit."""
    digits: list[int] = []
    for carry in answers:
        for k, digit in enumerate(digits):
            digits[k], carry = digit ^ carry, digit & carry
            if not carry:
                break
        else:
            digits.append(carry)
    return digits


def total(counts: Counts) -> int:
    """Σ_i c_i"""
    return sum(digit.bit_count() << k for k, digit in enumerate(counts))


def product(a: Counts, b: Counts) -> int:
    """Σ_i a_i b_i"""
    return sum((x & y).bit_count() << (j + k) for j, x in enumerate(a) for k, y in enumerate(b))
