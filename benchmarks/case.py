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
    channels: int = SHAPE[0]
    size: int = SHAPE[1]
    """Side of the pictures."""
    more: int = 1
    """Codes for a picture (latent)."""
    tuned: bool = False
    """The pixel side by ddbench's own code too, chunks and all (latent)."""
    stage: int = 128
    """Width of the autoencoder's first stage (encode, decode)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.size, self.size

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

    on_gpu = device != "cpu"
    # On a CPU the autoencoder is narrow, pictures and batches are small: the ratios say how it goes, not how fast.
    large: dict[str, Any] = {"size": 256} if on_gpu else {"size": 64, "real_batch": 64}
    sd: dict[str, Any] = (
        {"channels": 3, "size": 256, "stage": 128} if on_gpu else {"channels": 3, "size": 64, "stage": 16}
    )
    looped = {**sd, "width": 16, "real_batch": 4}
    half: dict[str, Any] = {"precision": "bf16"} if on_gpu else {}
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
        "latent": [
            Comparison("DM, 1 item: codes to pixels, as many items", case("latent", n=1, **large), 20.0),
            Comparison("DM, 1 item: codes to pixels, equal bytes", case("latent", n=1, more=48, **large)),
            Comparison("the same, as many items, both sides ddbench's", case("latent", n=1, tuned=True, **large)),
            Comparison("equal bytes, both sides ddbench's", case("latent", n=1, more=48, tuned=True, **large)),
        ],
        "encode": [
            Comparison(
                "Encoding, in batches to one by one",
                case("encode", **sd | half, images=1000 if on_gpu else 50),
                None,
                1,
                1,
            ),
        ],
        "decode": [
            Comparison(
                "DM through the decoder, 1 item, in chunks to whole",
                case("decode", n=1, **looped),
                None,
                1,
                1,
                1,
                (case("decode", n=4, **looped), case("decode", n=8, **looped)),
            ),
        ],
        "experts": [Comparison("2 experts, 1,024 images, an epoch", case("experts"), 1.3)],
        "students": [Comparison("2 students, 100 items, 4 epochs", case("students", steps=4), 1.3)],
        "test": [Comparison("2 students on 2,000 test images", case("test", images=2000), 2.0)],
    }
