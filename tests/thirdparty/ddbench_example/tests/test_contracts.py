"""The package's plug-ins keep ddbench's contracts, found by the names that they are installed under."""

from __future__ import annotations

from typing import Any, ClassVar

from ddbench.testing.codecs import CodecContract
from ddbench.testing.methods import MethodContract


class TestMirror(CodecContract):
    codec = "mirror"
    shapes = ((1, 28, 28), (3, 8, 9), (2, 30), (12,))


class TestTemplate(CodecContract):
    codec = "template"
    args: ClassVar[dict[str, Any]] = {"factor": 3}
    shapes = ((1, 28, 28), (3, 8, 9), (2, 30), (12,))


class TestMeans(MethodContract):
    method = "means"
    args: ClassVar[dict[str, Any]] = {"real_batch": 5}
