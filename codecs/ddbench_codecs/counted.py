"""Operations and memory of networks, counted on tensors that hold nothing."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


def flop_of(call: Callable[[], object]) -> float:
    """FLOP of the matrix products, convolutions and attention in a call; quick where its tensors are on `meta`."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())


def peak_of(call: Callable[[], object]) -> int:
    """Bytes of the tensors that are alive at once in a call, at most, but for those that were there before.

    What the kernels of a device take beside their results is not in it.
    """
    with torch.no_grad(), _Alive() as alive:
        call()
    return alive.peak


def peak_of_gradient(decode: Callable[[Tensor], Tensor], z: Tensor) -> int:
    """The same for a decoder's way forth, and back from the gradient of its signals to that of the codes `z`."""

    def forth_and_back() -> None:
        code = z.detach().requires_grad_()
        x = decode(code)
        torch.autograd.grad(x, code, torch.empty_like(x))

    with torch.enable_grad(), _Alive() as alive:
        forth_and_back()
    return alive.peak


class _Alive(TorchDispatchMode):
    """Counts bytes of storages, each from the call that first gives a tensor of it until nothing holds it.

    A storage that grows later keeps its first size; tensors without one (sparse) are not for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._held: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        out = func(*args, **(kwargs or {}))
        for t in tree_leaves(out):
            if isinstance(t, Tensor):
                storage = t.untyped_storage()
                if storage._cdata not in given and storage._cdata not in self._held:
                    self._hold(storage)
        self.peak = max(self.peak, self.now)
        return out

    def _hold(self, storage: torch.UntypedStorage) -> None:
        at = storage._cdata
        self._held[at] = storage.nbytes()
        self.now += storage.nbytes()
        weakref.finalize(storage, self._free, at)

    def _free(self, at: int) -> None:
        self.now -= self._held.pop(at)
