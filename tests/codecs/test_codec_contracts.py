"""The built-in codecs keep the contract that everyone's keep."""

from __future__ import annotations

from typing import Any, ClassVar

from ddbench_codecs.dct import Dct
from ddbench_codecs.decoder import Decoder
from ddbench_codecs.downsample import Downsample
from ddbench_codecs.ecvq import Ecvq
from ddbench_codecs.identity import Identity
from ddbench_codecs.inr import Inr
from ddbench_codecs.jpeg import Jpeg
from ddbench_codecs.pca import Pca
from ddbench_codecs.pcaq import Pcaq
from ddbench_codecs.tiles import Tiles
from ddbench_codecs.vq import Vq
from ddbench_codecs.wavelet import Wavelet
from ddbench_codecs.webp import Webp
from ddbench_codecs.zca import Zca

from ddbench.testing.codecs import CodecContract


class TestIdentity(CodecContract):
    codec = Identity


class TestDownsampleBy2(CodecContract):
    codec = Downsample


class TestDownsampleBy3(CodecContract):
    codec = Downsample
    args: ClassVar[dict[str, Any]] = {"factor": 3}


class TestTiles(CodecContract):
    codec = Tiles


class TestTilesBy3(CodecContract):
    codec = Tiles
    args: ClassVar[dict[str, Any]] = {"factor": 3}


class TestDct(CodecContract):
    codec = Dct


class TestDctByCount(CodecContract):
    codec = Dct
    args: ClassVar[dict[str, Any]] = {"m": 5}
    n_classes = 11
    items_per_class = 1


class TestDctOfOneMask(CodecContract):
    codec = Dct
    args: ClassVar[dict[str, Any]] = {"mask": "set"}


class TestWavelet(CodecContract):
    codec = Wavelet


class TestWaveletOfOneMask(CodecContract):
    codec = Wavelet
    args: ClassVar[dict[str, Any]] = {"mask": "set"}


class TestJpeg(CodecContract):
    codec = Jpeg


class TestWebp(CodecContract):
    codec = Webp


class TestPca(CodecContract):
    codec = Pca
    args: ClassVar[dict[str, Any]] = {"components": 6}
    shapes = ((1, 28, 28), (3, 8, 9), (2, 30), (12,))


class TestPcaAtHalfTheResolution(CodecContract):
    codec = Pca
    args: ClassVar[dict[str, Any]] = {"components": 6, "factor": 2}
    shapes = ((1, 28, 28), (3, 8, 9), (2, 30), (12,))


class TestPcaOfWhichAllIsLearned(CodecContract):
    codec = Pca
    args: ClassVar[dict[str, Any]] = {"components": 6, "factor": 3, "learn": "both"}
    shapes = ((1, 28, 28), (2, 30))


class TestInr(CodecContract):
    codec = Inr
    args: ClassVar[dict[str, Any]] = {"fit_steps": 20}
    shapes = ((1, 28, 28), (3, 16, 16), (2, 100), (12,))


class TestDecoder(CodecContract):
    codec = Decoder
    args: ClassVar[dict[str, Any]] = {"fit_steps": 20}
    shapes = ((1, 28, 28), (3, 17, 16), (2, 30), (12,))


class TestDecoderOfVectorsOfWhichAllIsLearned(CodecContract):
    codec = Decoder
    args: ClassVar[dict[str, Any]] = {"vector": 5, "factor": 8, "learn": "both", "position": 0, "fit_steps": 20}
    shapes = ((1, 28, 28), (2, 30))


class TestPcaq(CodecContract):
    codec = Pcaq
    args: ClassVar[dict[str, Any]] = {"components": 6, "bits": 20}
    shapes = ((1, 28, 28), (3, 8, 9), (2, 30), (12,))


class TestZca(CodecContract):
    codec = Zca
    shapes = ((1, 12, 10), (3, 8, 9), (2, 30), (12,))


class TestZcaFittedAgain(CodecContract):
    codec = Zca
    args: ClassVar[dict[str, Any]] = {"refit": True}
    shapes = ((1, 12, 10), (12,))


class TestVq(CodecContract):
    codec = Vq
    args: ClassVar[dict[str, Any]] = {"patch": 3, "size": 12}


class TestVqByStages(CodecContract):
    codec = Vq
    args: ClassVar[dict[str, Any]] = {"size": 6, "stages": 2, "factor": 2}


class TestEcvq(CodecContract):
    codec = Ecvq
    args: ClassVar[dict[str, Any]] = {"patch": 3, "size": 12}
