"""The arguments of MTT, and the windows that are impossible."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ddbench.interfaces.method import MatcherConfig
from ddbench.written import ADDED

Differentiate = Literal["adjoint", "unroll", "tesla"]
ExpertDtype = Literal["float32", "float16"]
FirstItems = Literal["random", "correct"]


class MttConfig(MatcherConfig):
    """Arguments of MTT; the defaults are those published for CIFAR-10 at 10 items a class (protocols.md §2.2).

    DATM is MTT with `soft_labels`, `first_items: correct`, a `loss_threshold` and, at few items a class, a start window
    that grows; FTD evaluates an average of the items (`ema`). Source: arXiv 2310.05773; arXiv 2211.11004.
    """

    iterations: int = Field(5000, ge=0, description="Updates of the codes.")
    lr: float = Field(100.0, gt=0, description="Learning rate of the codes, times each leaf's own lr_scale.")
    syn_steps: int = Field(30, ge=1, description="N: steps of the student on synthetic values.")
    expert_epochs: int = Field(2, ge=1, description="M: epochs of the expert that the student's N steps should match.")
    min_start: int = Field(0, ge=0, description="Earliest expert epoch from which a student starts.")
    max_start: int = Field(20, ge=1, description="Starts are drawn below this expert epoch.")
    first_max_start: Annotated[int | None, ADDED] = Field(
        None, ge=1, description="At first, starts are drawn below this epoch, then below ever later ones to max_start."
    )
    grow_until: Annotated[int | None, ADDED] = Field(
        None, ge=1, description="Update from which starts are drawn below max_start; the window grows evenly until it."
    )
    loss_threshold: Annotated[float | None, ADDED] = Field(
        None, gt=0, description="Updates at a larger loss are skipped: all stays as it was (DATM: 1)."
    )
    soft_labels: Annotated[bool, ADDED] = Field(
        False, description="Learn a label for each item: K logits, stored and charged, first the experts' mean."
    )
    lr_label: Annotated[float, ADDED] = Field(2.0, gt=0, description="Learning rate of the soft labels' logits.")
    label_momentum: Annotated[float, ADDED] = Field(0.9, ge=0, lt=1, description="Momentum of the soft labels' SGD.")
    first_items: Annotated[FirstItems, ADDED] = Field(
        "random", description="correct: of the random real items, those that the first expert classifies correctly."
    )
    lr_lr: float = Field(1e-5, gt=0, description="Learning rate of the student's step size.")
    lr_teacher: float = Field(0.001, gt=0, description="First value of the student's step size.")
    min_step_size: Annotated[float | None, ADDED] = Field(
        None, gt=0, description="The student's step size is put back to this where an update takes it below."
    )
    batch_syn: int | None = Field(None, ge=1, description="Synthetic values of a student step; default: all.")
    differentiate: Differentiate = Field(
        "adjoint",
        description="adjoint: exact, memory does not grow with N; unroll: exact, plain; tesla: its approximation.",
    )
    experts: int = Field(100, ge=1, le=10_000, description="Expert trajectories.")
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
        if (self.first_max_start is None) != (self.grow_until is None):
            given = "grow_until" if self.first_max_start is None else "first_max_start"
            raise ValueError(f"a window that grows needs first_max_start and grow_until; only {given} is given")
        if self.first_max_start is not None and not self.min_start < self.first_max_start <= self.max_start:
            raise ValueError(
                f"the window grows from first_max_start to max_start, with starts from min_start on: first_max_start "
                f"{self.first_max_start} is not above min_start {self.min_start} and up to max_start {self.max_start}"
            )
        last = self.max_start - 1 + self.expert_epochs
        if last > self.expert_epochs_total:
            raise ValueError(
                f"a start at epoch {self.max_start - 1} (max_start {self.max_start}) and expert_epochs "
                f"{self.expert_epochs} need experts of {last} epochs; expert_epochs_total is {self.expert_epochs_total}"
            )
        if self.min_step_size is not None and self.lr_teacher < self.min_step_size:
            raise ValueError(
                f"the step size starts at lr_teacher {self.lr_teacher:g}, below min_step_size {self.min_step_size:g}"
            )
        return self

    def starts_below(self, step: int) -> int:
        """The epoch below which starts are drawn at update `step`.

        first_max_start + ⌊(max_start − first_max_start) · step / grow_until⌋, at most max_start; max_start where the
        window does not grow. Source: arXiv 2310.05773, released code.
        """
        if self.first_max_start is None or self.grow_until is None:
            return self.max_start
        grown = (self.max_start - self.first_max_start) * step // self.grow_until
        return min(self.max_start, self.first_max_start + grown)
