"""The arguments of MTT, and the windows that are impossible."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ddbench.interfaces.method import MatcherConfig

Differentiate = Literal["adjoint", "unroll", "tesla"]
ExpertDtype = Literal["float32", "float16"]


class MttConfig(MatcherConfig):
    """Arguments of MTT; the defaults are those published for CIFAR-10 at 10 items a class (protocols.md §2.2)."""

    iterations: int = Field(5000, ge=0, description="Updates of the codes.")
    lr: float = Field(100.0, gt=0, description="Learning rate of the codes, times each leaf's own lr_scale.")
    syn_steps: int = Field(30, ge=1, description="N: steps of the student on synthetic values.")
    expert_epochs: int = Field(2, ge=1, description="M: epochs of the expert that the student's N steps should match.")
    min_start: int = Field(0, ge=0, description="Earliest expert epoch from which a student starts.")
    max_start: int = Field(20, ge=1, description="Starts are drawn below this expert epoch.")
    lr_lr: float = Field(1e-5, gt=0, description="Learning rate of the student's step size.")
    lr_teacher: float = Field(0.001, gt=0, description="First value of the student's step size.")
    batch_syn: int | None = Field(None, ge=1, description="Synthetic values of a student step; default: all.")
    differentiate: Differentiate = Field(
        "adjoint",
        description="adjoint: exact, memory does not grow with N; unroll: exact, plain; tesla: its approximation.",
    )
    experts: int = Field(100, ge=1, description="Expert trajectories.")
    expert_epochs_total: int = Field(50, ge=1, description="Epochs of an expert; the weights after each are kept.")
    expert_lr: float = Field(0.01, gt=0, description="Learning rate of the experts' SGD (no momentum, no decay).")
    expert_batch: int = Field(256, ge=1, description="Real items of an expert's update.")
    expert_dtype: ExpertDtype = Field("float32", description="Type in which the experts' weights are kept.")
    expert_seed: int = Field(0, ge=0, description="Seed of the experts; cells of every seed share them.")

    @model_validator(mode="after")
    def _windows(self) -> MttConfig:
        if self.min_start >= self.max_start:
            raise ValueError(
                f"starts are drawn from min_start to max_start - 1; min_start {self.min_start} leaves nothing below "
                f"max_start {self.max_start}"
            )
        last = self.max_start - 1 + self.expert_epochs
        if last > self.expert_epochs_total:
            raise ValueError(
                f"a start at epoch {self.max_start - 1} (max_start {self.max_start}) and expert_epochs "
                f"{self.expert_epochs} need experts of {last} epochs; expert_epochs_total is {self.expert_epochs_total}"
            )
        return self
