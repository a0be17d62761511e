"""The codec `imported` keeps the contract of every codec, in each of its forms."""

from __future__ import annotations

from typing import Any, ClassVar

from ddbench.imported.codec import Imported
from ddbench.testing.codecs import CodecContract


class TestFloats(CodecContract):
    codec = Imported
    args: ClassVar[dict[str, Any]] = {"form": "tensors"}


class TestLevels(CodecContract):
    codec = Imported
    args: ClassVar[dict[str, Any]] = {"form": "tensors", "dtype": "uint8", "values": "bytes"}


class TestConstants(CodecContract):
    codec = Imported
    args: ClassVar[dict[str, Any]] = {"form": "tensors", "values": "constants", "mean": (0.4,), "std": (0.2,)}


class TestPictures(CodecContract):
    codec = Imported
    args: ClassVar[dict[str, Any]] = {"form": "pictures"}
