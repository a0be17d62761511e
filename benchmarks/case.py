"""What is measured: subjects, their sizes, and how many times."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SHAPE = (1, 28, 28)
CLASSES = 10
STRATEGY = "color_crop_cutout_flip_scale_rotate"


@dataclass(frozen=True)
class Case:
    """One measurement of one side. `n` items a class; `steps` of a student (mtt) or epochs (experts, students)."""

    subject: str
    n: int = 10
    steps: int = 1
    width: int = 128
    real_batch: int = 256
    nets: int = 2
    """Experts, students or tested networks."""
    images: int = 1024
    """Training images of an expert, or test images."""
    how: str = "adjoint"
    device: str = "cpu"
    precision: str = "fp32"
    strategy: str = STRATEGY
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """The plain side's case against ddbench's: how much faster ddbench should be, or null where nothing is asked."""

    title: str
    case: Case
    target: float | None = None
    rounds: int = 3
    repeats: int = 2
    warm: int = 1
    """Units of work before the measured ones."""
    lone: tuple[Case, ...] = field(default=())
    """Further cases of ddbench's side alone, for their memory."""


def subjects(device: str = "cpu", precision: str = "fp32") -> dict[str, list[Comparison]]:
    """All comparisons at their full size."""

    def case(subject: str, **more: Any) -> Case:
        return Case(subject, device=device, precision=precision, **more)

    long = case("mtt", n=1, steps=50), case("mtt", n=10, steps=50)
    return {
        "dm": [
            Comparison("DM iteration, 10 items a class", case("dm"), 2.0),
            Comparison("DM iteration, 1 item a class", case("dm", n=1)),
        ],
        "dc": [
            Comparison("DC matching step, 10 items a class", case("dc"), 1.5),
            Comparison("DC matching step, 1 item a class", case("dc", n=1)),
        ],
        "mtt": [
            Comparison("MTT, 1 item a class, N = 10", case("mtt", n=1, steps=10), 1 / 1.4, lone=long[:1]),
            Comparison("MTT, 10 items a class, N = 10", case("mtt", n=10, steps=10), 1.0, 2, 1, 0, long[1:]),
        ],
        "experts": [Comparison("2 experts, 1,024 images, an epoch", case("experts"), 1.3)],
        "students": [Comparison("2 students, 100 items, 4 epochs", case("students", steps=4), 1.3)],
        "test": [Comparison("2 students on 2,000 test images", case("test", images=2000), 2.0)],
    }
