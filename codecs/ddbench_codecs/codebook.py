"""Codebooks of patches: fitted by k-means on a training set, and the entry nearest to a patch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench.errors import SpecError
from ddbench.interfaces.dataset import Source

READ = 1024
"""Signals read at once."""
SAMPLED = 100_000
"""Patches that codebooks are fitted on, about; as many from every signal."""
COMPARED = 2**24
"""Distances that are held at once."""

Cut = Callable[[Float[Tensor, "m *shape"]], Float[Tensor, "m t d"]]
"""Signals as patches."""


def sample(train: Source, cut: Cut, generator: Generator, size: int, codec: str) -> Float[Tensor, "n d"]:
    """Patches of the training set, as many at random from every signal.

    Raises: SpecError where there are fewer than a codebook has entries, `size`; `codec` is the codec's name.
    """
    taken = []
    for x, _ in train.batches(READ):
        patches = cut(x).cpu()
        each = min(patches.shape[1], -(-SAMPLED // len(train)))
        order = torch.rand(patches.shape[:2], generator=generator).argsort(1)[:, :each]
        taken.append(patches.gather(1, order[..., None].expand(-1, -1, patches.shape[2])).flatten(0, 1))
    found = torch.cat(taken)
    if len(found) < size:
        raise SpecError(
            f"The codec {codec!r} was asked for {size} entries; {len(train)} training signals have {len(found)} "
            "patches. Give a smaller size, or a smaller patch."
        )
    return found


def fitted(patches: Float[Tensor, "n d"], size: int, generator: Generator) -> Float[Tensor, "size d"]:
    """The entries that k-means finds."""
    from sklearn.cluster import MiniBatchKMeans

    seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
    means = MiniBatchKMeans(size, batch_size=4096, n_init=1, max_iter=30, random_state=seed)  # pyright: ignore[reportArgumentType]
    means.fit(patches.numpy())
    return torch.from_numpy(np.asarray(means.cluster_centers_, dtype=np.float32))


def distances(x: Float[Tensor, "n d"], entries: Float[Tensor, "size d"]) -> Float[Tensor, "n size"]:
    """Half the squared distance to each entry, less half the row's own square: enough to tell which is nearest."""
    return entries.square().sum(1) / 2 - x @ entries.T


def nearest(x: Float[Tensor, "n d"], entries: Float[Tensor, "size d"]) -> Int[Tensor, " n"]:
    """The entry nearest to each row; ties to the first."""
    rows = x.split(max(1, COMPARED // len(entries)))
    return torch.cat([distances(part, entries).argmin(1) for part in rows])
