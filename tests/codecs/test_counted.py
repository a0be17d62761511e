"""What is counted of networks on tensors that hold nothing, against figures by hand and against PyTorch's profiler."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from ddbench_codecs.counted import flop_of, peak_of, peak_of_gradient
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

KB = 1000


def empty(n: int) -> Tensor:
    """n kilobytes."""
    return torch.empty(n * KB // 4, device="meta")


def test_bytes_are_those_that_are_alive_at_once() -> None:
    x = empty(1)
    assert peak_of(lambda: x + 1) == KB, "what was there before is not counted"
    assert peak_of(lambda: [x + 1, x + 2, x + 3]) == 3 * KB
    assert peak_of(lambda: [(x + 1).sum() for _ in range(9)]) == KB + 9 * 4, "each sum is kept, each term freed"
    assert peak_of(lambda: ((x + 1) * 2) * 3) == 2 * KB
    assert peak_of(lambda: (x + 1).view(-1, 5).add_(1)[:3].relu_()) == KB, "views and work in place take nothing"
    assert peak_of(lambda: (x.add_(1), x.view(-1))) == 0
    assert peak_of(lambda: None) == 0


@pytest.mark.parametrize("layers", [1, 2, 7])
def test_a_gradient_keeps_what_every_layer_gave(layers: int) -> None:
    def tanhs(z: Tensor) -> Tensor:
        for _ in range(layers):
            z = z.tanh()
        return z

    # each layer's result is kept; then come the gradients of the last one and, at most two at a time, of those before
    assert peak_of_gradient(tanhs, empty(8)) == (layers + 1 + min(layers, 2)) * 8 * KB
    assert peak_of(lambda: tanhs(empty(8))) == min(layers + 1, 2) * 8 * KB, "without one, two at a time"


def real(call: Callable[[], object]) -> int:
    """Bytes that a call allocates at most, as the allocator tells the profiler."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        call()
    now = peak = 0
    for event in found.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak


def test_a_decoder_takes_about_what_is_counted() -> None:
    """Kernels may take as much as a tensor or two beside."""
    layers = (nn.Conv2d(4, 32, 3, padding=1), nn.SiLU(), nn.Upsample(scale_factor=2), nn.Conv2d(32, 16, 3, padding=1))
    net = nn.Sequential(*layers, nn.GroupNorm(4, 16), nn.SiLU(), nn.Conv2d(16, 3, 3, padding=1)).requires_grad_(False)
    z = torch.randn(5, 4, 32, 32)

    def gradient() -> Tensor:
        code = z.clone().requires_grad_()
        x = net(code)
        return torch.autograd.grad(x, code, torch.ones_like(x))[0]

    for counted, call in (
        (peak_of_gradient(net, z), gradient),
        (peak_of(lambda: net(z)), torch.no_grad()(lambda: net(z))),
    ):
        assert counted <= real(call) < 2 * counted
    on_meta = copy.deepcopy(net).to("meta")
    assert peak_of_gradient(on_meta, z.to("meta")) == pytest.approx(peak_of_gradient(net, z), rel=0.1)


def test_operations_are_those_of_products() -> None:
    net = nn.Linear(30, 20, device="meta")
    assert flop_of(lambda: net(torch.empty(7, 30, device="meta"))) == 2 * 7 * 30 * 20
