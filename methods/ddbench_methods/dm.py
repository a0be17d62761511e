"""DM: items whose mean embedding equals the real mean embedding, class by class, in random networks."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.codec import Tensors
from ddbench.interfaces.method import Matcher, MatcherConfig, MatchTask, PrepareTask
from ddbench.interfaces.network import Classifier, has_batch_norm
from ddbench.interfaces.parts import GRAPH, part_of, values_at_once
from ddbench.interfaces.room import Room
from ddbench.written import ADDED
from ddbench_methods.dm_pool import draw_entry, pool_entries, pool_sizes
from ddbench_methods.gradient_matching import with_slope

ITEMS_CHUNK_CPU = 64
"""Items whose graphs are kept at once on a CPU."""


class DmConfig(MatcherConfig):
    """Arguments of DM; the defaults are the published ones."""

    iterations: int = Field(20000, ge=0, description="Updates of the codes.")
    lr: float = Field(1.0, gt=0, description="Learning rate of the codes, times each leaf's own lr_scale.")
    real_batch: int = Field(256, gt=0, description="Real items of each class an update.")
    pool: Annotated[int | None, ADDED] = Field(
        None,
        gt=0,
        le=10_000,
        description="A faster variant, not the published DM: so many networks, each with one augmentation draw a "
        "class, are drawn once and the means of all real items under them kept; an update takes one of them at "
        "random. real_batch then has no effect.",
    )


class DistributionMatching(Matcher):
    """L = Σ_c ‖ mean ψ(A_ω(x ∈ r_c)) − mean ψ(A_ω(x ∈ s_c)) ‖², ψ a fresh, never trained network, ω shared within c.

    The squared norm is a sum over the embedding. With `pool` the pairs (ψ, ω) are drawn from a fixed pool, and r_c is
    the whole class.
    Source: arXiv 2110.04181, eq. 6; augmentation arXiv 2102.08259, eq. 4.
    """

    version: ClassVar[str] = "1"
    source: ClassVar[str] = "arXiv 2110.04181, eq. 6"
    Config = DmConfig

    @property
    def prepares(self) -> bool:
        return self.config.pool is not None

    def check(self, room: Room) -> None:
        if self.config.pool and room.network.batch_norm:
            raise SpecError(
                "`pool` keeps the means of real items by themselves, and with batch norm an embedding depends on its "
                "batch. Leave `pool` out, or take a match network with another norm."
            )

    def entries(self, room: Room) -> list[tuple[dict[str, Any], int]]:
        return pool_sizes(self.config.pool, room) if self.config.pool else []

    def prepare(self, task: PrepareTask) -> Tensors:
        return pool_entries(task, self.config.pool) if self.config.pool else {}

    def passes(self, room: Room) -> float:
        """Real values forwards (those of a pool beforehand), items also back."""
        real = 0 if self.config.pool else room.n_classes * min(self.config.real_batch, room.smallest_class)
        return self.config.iterations * (real + 3 * room.all_values)

    def values_at_once(self, room: Room) -> int:
        if room.network.batch_norm:
            return room.all_values + room.n_classes * min(self.config.real_batch, room.smallest_class)
        by_class = room.values * max(1, ITEMS_CHUNK_CPU // room.values)
        return min(room.all_values, by_class, values_at_once(room.shape, GRAPH))

    def real_at_once(self, room: Room) -> int:
        return 0 if self.config.pool else room.n_classes * min(self.config.real_batch, room.smallest_class)

    def prepare_passes(self, room: Room) -> float:
        return (self.config.pool or 0) * room.train_size

    def notes(self) -> tuple[str, ...]:
        pool = self.config.pool
        if pool is None:
            return ()
        return (f"A variant of DM: real means of whole classes, kept for {pool} networks and augmentation draws.",)

    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        if self.config.pool:
            return matching_loss(*draw_entry(task))
        psi = task.network().requires_grad_(False)
        real, synthetic = task.augment(task.real(self.config.real_batch), task.synthetic())
        chunk = part_of(real.device, real.shape[2:])
        return matching_loss(psi, class_means(psi, real, chunk), synthetic)


def matching_loss(
    psi: Classifier, target: Float[Tensor, "k d"], synthetic: Float[Tensor, "k n *shape"]
) -> Float[Tensor, ""]:
    """Σ_c ‖target_c − mean ψ(s_c)‖², differentiable in `synthetic`.

    A class's term depends on its own items only, so ∂L/∂s is worked out for some classes at a time and their graph
    dropped; for part of a class where one is too large. Networks with batch statistics see all classes in one pass:
    per-class statistics would leak the label.
    """
    shape, n = synthetic.shape[2:], synthetic.shape[1]
    classes = max(1, part_of(synthetic.device, shape, GRAPH, ITEMS_CHUNK_CPU) // n)
    if len(synthetic) <= classes or has_batch_norm(psi):
        return (target - class_means(psi, synthetic)).square().sum()
    part, losses, slopes = values_at_once(shape, GRAPH), [], []
    for aim, s in zip(target.split(classes), synthetic.detach().split(classes)):
        loss, slope = _of_large_class(psi, aim, s, part) if n > part else _of_classes(psi, aim, s)
        losses.append(loss)
        slopes.append(slope)
    return with_slope(torch.stack(losses).sum(), synthetic, torch.cat(slopes))


def _of_classes(psi: Classifier, aim: Float[Tensor, "k d"], s: Float[Tensor, "k n *shape"]) -> tuple[Tensor, Tensor]:
    """(loss, slope in s) of some classes' items in one pass."""
    s.requires_grad_()
    loss = (aim - class_means(psi, s)).square().sum()
    return loss.detach(), torch.autograd.grad(loss, s)[0]


def _of_large_class(
    psi: Classifier, aim: Float[Tensor, "1 d"], s: Float[Tensor, "1 n *shape"], part: int
) -> tuple[Tensor, Tensor]:
    """The same of one class by parts: its mean, hence ∂L/∂ψ(s) = 2 (mean ψ(s) − aim) / n, then each part's way back."""
    away = class_means(psi, s, part) - aim
    slopes = []
    for items in s[0].split(part):
        items.requires_grad_()
        embedded = psi.embed(items).flatten(1)
        slopes.append(torch.autograd.grad(embedded, items, (2 / s.shape[1] * away).expand_as(embedded))[0])
    return away.square().sum(), torch.cat(slopes)[None]


def class_means(psi: Classifier, x: Float[Tensor, "k n *shape"], chunk: int | None = None) -> Float[Tensor, "k d"]:
    """Mean embedding of each class. With `chunk` it carries no gradient and embeds that many items at once.

    Networks with batch statistics always see all classes in one pass, chunk or not.
    """
    flat = x.flatten(0, 1)
    if chunk is None:
        embedded = psi.embed(flat)
    else:
        with torch.no_grad():
            parts = [flat] if has_batch_norm(psi) else flat.split(chunk)
            embedded = torch.cat([psi.embed(part) for part in parts])
    return embedded.flatten(1).unflatten(0, x.shape[:2]).mean(1)
