"""Every adapter's models keep the contract of codecs, paid for or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from ddbench_codecs.autoencoders.codec import Autoencoder
from tiny_autoencoders import standing

from ddbench.interfaces.codec import Codec, Target
from ddbench.testing.codec_case import Case, dense
from ddbench.testing.codecs import CodecContract


class Contract(CodecContract):
    codec = Autoencoder
    shapes = ((1, 12, 12), (3, 10, 9), (12,))

    def build(self, shape: tuple[int, ...]) -> Codec:
        with standing():
            return super().build(shape)


class TestKl(Contract):
    args: ClassVar[dict[str, Any]] = {"model": "kl"}


class TestTiny(Contract):
    args: ClassVar[dict[str, Any]] = {"model": "tiny"}


class TestVq(Contract):
    args: ClassVar[dict[str, Any]] = {"model": "vq"}


class TestDc(Contract):
    args: ClassVar[dict[str, Any]] = {"model": "dc"}

    def test_gradients_are_those_of_finite_differences(self, case: Case) -> None:
        """Its last norm computes in float32 whatever it is given, so differences are over a longer way."""
        draw, h = torch.Generator().manual_seed(4), 1e-3
        z = dense(case.codes, "z").double()
        v = torch.randn(z.shape, generator=draw, dtype=torch.float64)

        def signals(at: torch.Tensor) -> torch.Tensor:
            return case.decode(codes={"z": at}).signals

        weight = torch.randn(signals(z).shape, generator=draw, dtype=torch.float64)
        (grad,) = torch.autograd.grad((signals(here := z.clone().requires_grad_()) * weight).sum(), here)
        found = float(((signals(z + h * v) - signals(z - h * v)) * weight).sum() / (2 * h))
        assert found == pytest.approx(float((grad * v).sum()), rel=2e-3)


class TestPaidFor(Contract):
    args: ClassVar[dict[str, Any]] = {"model": "in_domain_spread"}

    def target(self, shape: tuple[int, ...]) -> Target:
        return replace(super().target(shape), family="made_up")
