"""DC and DSA keep the contract that every method's keep, with networks trained in between."""

from __future__ import annotations

from typing import Any, ClassVar

from ddbench.testing.methods import MethodContract

LOOPS = {"real_batch": 5, "outer": 2, "inner": 2, "net_batch": 4, "lr_net": 0.05}


class TestDc(MethodContract):
    method = "dc"
    args: ClassVar[dict[str, Any]] = LOOPS


class TestDsa(MethodContract):
    method = "dsa"
    args: ClassVar[dict[str, Any]] = {**LOOPS, "outer": 4}
    shapes = ((1, 8, 8), (2, 16))


class TestDcOfSquares(MethodContract):
    method = "dc"
    args: ClassVar[dict[str, Any]] = {"real_batch": 5, "distance": "mse", "batched": "together"}
    shapes = ((1, 8, 8),)
