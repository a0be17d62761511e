"""MTT keeps the contract of methods, in each of its ways to differentiate."""

from __future__ import annotations

from typing import Any, ClassVar

from ddbench.testing.methods import MethodContract

SMALL: dict[str, Any] = {
    "lr": 1.0, "lr_lr": 1e-3, "lr_teacher": 0.05, "syn_steps": 2, "max_start": 2, "expert_epochs": 1,
    "experts": 2, "expert_epochs_total": 2, "expert_batch": 16, "expert_lr": 0.05,
}  # fmt: skip


class TestMtt(MethodContract):
    method = "mtt"
    args: ClassVar[dict[str, Any]] = SMALL


class TestMttInChunks(MethodContract):
    method = "mtt"
    args: ClassVar[dict[str, Any]] = {**SMALL, "batch_syn": 4, "expert_dtype": "float16"}
    shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((1, 8, 8),)


class TestDatm(MethodContract):
    method = "mtt"
    args: ClassVar[dict[str, Any]] = {
        **SMALL, "soft_labels": True, "lr_label": 0.5, "first_items": "correct", "first_max_start": 1, "grow_until": 3,
        "loss_threshold": 50.0, "ema": 0.5, "min_step_size": 1e-3,
    }  # fmt: skip


class TestMttUnrolled(MethodContract):
    method = "mtt"
    args: ClassVar[dict[str, Any]] = {**SMALL, "differentiate": "unroll"}
    shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((2, 16),)


class TestTesla(MethodContract):
    method = "mtt"
    args: ClassVar[dict[str, Any]] = {**SMALL, "differentiate": "tesla"}
    shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((2, 16),)
