"""Quantising normally distributed numbers to a few bits each: Lloyd-Max levels, and how many bits each number gets."""

from __future__ import annotations

from functools import cache

import numpy as np

MOST_BITS = 8


@cache
def levels(bits: int) -> np.ndarray:
    """The 2^bits levels, ascending, of least mean square error for N(0, 1); no bits are the one level 0.

    Each level is the mean of what is nearest to it; solved from the density of a companding quantiser (∝ φ^⅓).
    Source: Max, "Quantizing for minimum distortion" (1960), eq. 3-4.
    """
    from scipy.optimize import root
    from scipy.special import ndtri

    start = np.sqrt(3) * ndtri((np.arange(2**bits) + 0.5) / 2**bits)
    found = root(lambda q: _means(q) - q, start).x
    return (found - found[::-1]) / 2


def _means(q: np.ndarray) -> np.ndarray:
    """Mean of N(0, 1) within the cell of each level."""
    edges = _edges(q)
    return -np.diff(np.exp(-(edges**2) / 2)) / np.sqrt(2 * np.pi) / _shares(q)


def _shares(q: np.ndarray) -> np.ndarray:
    """Probability of the cell of each level."""
    from scipy.special import ndtr

    return np.diff(ndtr(_edges(q)))


def _edges(q: np.ndarray) -> np.ndarray:
    return np.concatenate([[-np.inf], midpoints(q), [np.inf]])


def midpoints(ascending: np.ndarray) -> np.ndarray:
    """Where the nearest level changes."""
    return (ascending[1:] + ascending[:-1]) / 2


@cache
def distortion(bits: int) -> float:
    """Mean square error of `levels` on N(0, 1): what is left of the variance, since levels are their cells' means."""
    return float(1 - (_shares(levels(bits)) * levels(bits) ** 2).sum())


def allocate(variances: np.ndarray, total_bits: int) -> np.ndarray:
    """Bits of each number, `total_bits` in all, so that the summed mean square error is least: uint8, up to MOST_BITS.

    Bit by bit to the number whose error falls most (ties to the first), which is best since each bit helps less than
    the one before. Numbers that never change get none, so fewer bits may be used.
    Source: Gersho and Gray, "Vector Quantization and Signal Compression" (1992), §8.4 (greedy allocation).
    """
    left = np.array([distortion(b) for b in range(MOST_BITS + 1)])
    gain = np.append(-np.diff(left), 0.0)
    bits = np.zeros(len(variances), dtype=np.uint8)
    for _ in range(total_bits):
        falls = variances * gain[bits]
        best = int(falls.argmax())
        if falls[best] <= 0:
            break
        bits[best] += 1
    return bits
