"""The built-in methods keep the contract that everyone's keep."""

from __future__ import annotations

from typing import Any, ClassVar

from ddbench_methods.herding import Herding
from ddbench_methods.kcenter import KCenter
from ddbench_methods.kmeans import KMeans

from ddbench.testing.methods import MethodContract


class TestRandom(MethodContract):
    method = "random"


class TestHerding(MethodContract):
    method = Herding


class TestHerdingOnNetworkFeatures(MethodContract):
    method = Herding
    args: ClassVar[dict[str, Any]] = {"features": "network"}


class TestKCenter(MethodContract):
    method = KCenter


class TestKMeans(MethodContract):
    method = KMeans


class TestRelabelled(MethodContract):
    method = "relabelled"
    args = {"epochs": 2, "batch": 8}  # noqa: RUF012


class TestFull(MethodContract):
    method = "full"


class TestDm(MethodContract):
    method = "dm"
    args: ClassVar[dict[str, Any]] = {"real_batch": 5}
