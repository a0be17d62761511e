"""Average pooling by two and instance norm as they are fastest on a CPU: PyTorch's values up to rounding, cheaper.

PyTorch's own pooling of contiguous maps is not vectorised, and the second derivative of its group norm is a long chain
of element-wise operations: half of the time of trajectory matching. Both are written out here as pairs of functions
that are each other's derivative, so that gradients of every order exist. On other devices PyTorch's own are used.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function

Maps = Float[Tensor, "b c h w"]


class AvgPool(nn.AvgPool2d):
    """The mean of each 2 × 2 square; an odd last row or column is left out."""

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, input: Maps) -> Maps:
        if input.device.type != "cpu":
            return super().forward(input)
        h, w = (side // 2 * 2 for side in input.shape[-2:])
        found = _Mean.apply(input[..., :h, :w])
        assert isinstance(found, Tensor)
        return found


class InstanceNorm(nn.GroupNorm):
    """Group norm with one channel a group: y = γ (x − mean) / √(var + ε) + β over each item's every map."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(input)
        found = _Norm.apply(input.contiguous(), self.weight, self.bias, self.eps)
        return found[0]


class _Mean(Function):
    """Means of 2 × 2 squares. Works on the last two axes, so more axes in front are no matter."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        rows = x[..., ::2, :] + x[..., 1::2, :]
        return (rows[..., ::2] + rows[..., 1::2]).mul_(0.25)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None: ...

    @staticmethod
    def backward(ctx: Any, *slope: Any) -> Any:
        return _Spread.apply(slope[0])

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        return _Mean.apply(args[0].movedim(in_dims[0], 0)), 0


class _Spread(Function):
    """A quarter of each value to every place of its 2 × 2 square: the transpose of `_Mean`."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        *front, h, w = x.shape
        found = x.new_empty(*front, h, 2, w, 2)
        upper = found[..., 0, :, :]
        upper.copy_((0.25 * x)[..., None].expand(*front, h, w, 2))
        found[..., 1, :, :] = upper
        return found.view(*front, 2 * h, 2 * w)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None: ...

    @staticmethod
    def backward(ctx: Any, *slope: Any) -> Any:
        return _Mean.apply(slope[0])

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        return _Spread.apply(args[0].movedim(in_dims[0], 0)), 0


class _Norm(Function):
    """Instance norm with its moments, by PyTorch's forward kernel."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, gain: Tensor, shift: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        n, c = x.shape[:2]
        return torch.native_group_norm(x, gain, shift, n, c, x[0, 0].numel(), c, eps)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, gain, _, ctx.eps = inputs
        _, mean, scale = output
        ctx.mark_non_differentiable(mean, scale)
        ctx.save_for_backward(x, gain, mean, scale)

    @staticmethod
    def backward(ctx: Any, *slope: Any) -> Any:
        return *_NormSlope.apply(slope[0].contiguous(), *ctx.saved_tensors, ctx.eps), None


class _NormSlope(Function):
    """First derivative of instance norm, by PyTorch's backward kernel, and the second in closed form.

    With x̂ = (x − mean)·s, s = 1/√(var + ε), ⟨·⟩ the mean over a map and P(a) = a − ⟨a⟩ − x̂⟨a x̂⟩, the first is
    dx = γ s P(g), dγ = Σ g x̂, dβ = Σ g. As ∂x̂ᵢ/∂xⱼ = s P and ∂s/∂xⱼ = −s² x̂ⱼ/D, its own derivative against
    (v, u, t) is the slope of Σ v·dx + Σ u·dγ + Σ t·dβ below.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        g: Tensor, x: Tensor, gain: Tensor, mean: Tensor, scale: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        n, c = x.shape[:2]
        back = torch.ops.aten.native_group_norm_backward
        return back(g, x, mean, scale, gain, n, c, x[0, 0].numel(), c, [True, True, True])

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, ctx.eps = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *slope: Any) -> Any:
        shape = slope[0].shape
        g, x, gain, mean, s = ctx.saved_tensors
        v, g, x = (part.flatten(2) for part in (slope[0], g, x))
        u, t, gain = (part[:, None] for part in (slope[1], slope[2], gain))
        if torch.is_grad_enabled():  # a third derivative is wanted: the moments depend on x
            var, mean = torch.var_mean(x, 2, correction=0)
            s = (var + ctx.eps).rsqrt()
        mean, s = mean.reshape(*x.shape[:2], 1), s.reshape(*x.shape[:2], 1)
        of_g, of_v = g.mean(2, keepdim=True), v.mean(2, keepdim=True)
        gx = s * ((g * x).mean(2, keepdim=True) - mean * of_g)
        vx = s * ((v * x).mean(2, keepdim=True) - mean * of_v)
        left = (g * v).mean(2, keepdim=True) - of_v * of_g - vx * gx  # ⟨v P(g)⟩

        d_gain = (left * s).sum(0)[:, 0] * x.shape[2]
        by_x = s * (u - gain * s * vx)
        d_g = torch.addcmul(t - gain * s * of_v - by_x * mean, x, by_x).addcmul_(v, gain * s)

        k = -gain * s * s
        by_v, by_g = k * gx, k * vx + u * s
        by_x = s * (k * left - by_v * vx - by_g * gx)
        d_x = torch.addcmul(-by_v * of_v - by_g * of_g - by_x * mean, x, by_x).addcmul_(v, by_v).addcmul_(g, by_g)
        return d_g.view(shape), d_x.view(shape), d_gain, None, None, None
