"""The task: what a matcher or a selector may ask of the data, the items, the networks and the random streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ddbench import rng
from ddbench.augment import Draw, apply, draw, stream
from ddbench.budget import Budget
from ddbench.data import Data
from ddbench.distill import initial
from ddbench.distill.space import MatchSpace
from ddbench.interfaces.codec import Codes, Tensors
from ddbench.interfaces.method import Augment
from ddbench.interfaces.network import Classifier, Network, fresh
from ddbench.leaf import Leaf

EMBED_BATCH = 512


@dataclass
class Streams:
    """Random streams of a cell: named by dataset revision and seed, so that rows of one seed meet the same draws."""

    revision: str
    seed: int

    def __call__(self, name: str, step: int = 0) -> Generator:
        return rng.generator("match", dataset=self.revision, seed=self.seed, name=name, step=step)

    def seed_of(self, name: str, step: int = 0) -> int:
        return rng.seed("match-network", dataset=self.revision, seed=self.seed, name=name, step=step)


@dataclass
class Selection:
    """`ddbench.interfaces.method.SelectTask` over a match space."""

    data: Data
    make_space: Callable[[], MatchSpace]
    """Called once, when features are first asked for: a random choice needs none."""
    network: Network
    budget: Budget | None
    streams: Streams

    @cached_property
    def space(self) -> MatchSpace:
        return self.make_space()

    @property
    def n_classes(self) -> int:
        return self.data.card.n_classes

    def members(self, k: int) -> Int[Tensor, " n_k"]:
        return self.data.members[k]

    def values(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        return self.space.real(index).flatten(1)

    def embed(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        seed = self.streams.seed_of("features")
        model = fresh(self.network, self.space.shape, self.n_classes, seed, self.space.device).eval()
        with torch.no_grad():
            return torch.cat([model.embed(self.space.real(part)).flatten(1) for part in index.split(EMBED_BATCH)])

    def draw(self, n: int) -> Int[Tensor, "k n"]:
        return initial.draw(self.data, self.budget, self.streams.seed, n)

    def generator(self, name: str) -> Generator:
        return self.streams(name)


@dataclass
class Matching:
    """`ddbench.interfaces.method.MatchTask`: one cell's items while they are learned."""

    data: Data
    space: MatchSpace
    match_network: Network
    streams: Streams
    codes: Codes
    """All leaves; those that are learned are superseded by `params`."""
    labels: Int[Tensor, " m"]
    """Ascending: items stand class by class."""
    params: dict[str, Tensor]
    lr_scale: dict[str, float]
    item_names: frozenset[str]
    """Leaves with one row an item."""
    extra_names: frozenset[str]
    """Leaves of the matcher's own."""
    decode_chunk: int | None
    device: torch.device
    momentum: dict[str, float] = field(default_factory=dict)
    """Of learned leaves that have one of their own."""
    prepared: Tensors = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a reader must know of the first items."""
    step: int = 0
    _uses: Counter[str] = field(default_factory=Counter)
    """How often each stream that must not repeat within an update was drawn from."""
    _pending: list[tuple[Tensor, slice, int]] = field(default_factory=list)
    """Values handed out in chunks, to be back-propagated through the decoder: (values, items, call)."""
    _calls: int = 0

    @classmethod
    def start(
        cls,
        data: Data,
        space: MatchSpace,
        network: Network,
        streams: Streams,
        codes: Codes,
        leaves: tuple[Leaf, ...],
        extra: tuple[Leaf, ...],
        labels: Tensor,
        device: torch.device,
        decode_chunk: int | None = None,
    ) -> Matching:
        """A task whose items are `codes`: the codec's `leaves` and the matcher's own `extra` ones."""
        learned = space.parameters(codes, leaves)
        for leaf in extra:
            value = codes[leaf.name]
            assert isinstance(value, Tensor)
            learned[leaf.name] = (value.detach().to(device).clone().requires_grad_(), leaf.lr_scale)
        fixed = {n: c.to(device) if isinstance(c, Tensor) else c for n, c in codes.items()}
        return cls(
            data, space, network, streams, fixed, labels.to(device),
            {n: p for n, (p, _) in learned.items()}, {n: s for n, (_, s) in learned.items()},
            frozenset(x.name for x in (*leaves, *extra) if x.scope == "item"), frozenset(x.name for x in extra),
            decode_chunk, device, {x.name: x.momentum for x in (*leaves, *extra) if x.momentum is not None},
        )  # fmt: skip

    @property
    def n_classes(self) -> int:
        return self.data.card.n_classes

    @property
    def shape(self) -> tuple[int, ...]:
        return self.space.shape

    def set_extra(self, values: Tensors) -> None:
        """Replaces values of the matcher's own leaves."""
        with torch.no_grad():
            for name, value in values.items():
                self.extra(name).copy_(value)

    def begin(self, step: int) -> None:
        """Moves to an update: its random streams, and no gradient left over."""
        self.step, self._calls = step, 0
        self._pending.clear()
        self._uses.clear()
        for p in self.params.values():
            p.grad = None

    @contextmanager
    def own_noise(self, name: str = "loss") -> Iterator[None]:
        """PyTorch's global generator seeded for this step, for networks that draw from it themselves (dropout)."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.streams.seed_of(f"noise-{name}", self.step))
            yield

    def real(self, size: int) -> Float[Tensor, "k b *shape"]:
        members = self.data.members
        size = min(size, *(len(m) for m in members))
        draw = self._anew("real")
        index = torch.cat([m[torch.randperm(len(m), generator=draw)[:size]] for m in members])
        return self.space.real(index).unflatten(0, (self.n_classes, size))

    def synthetic(self) -> Float[Tensor, "k n *shape"]:
        """Values by class; within a class item by item, within an item in the order in which the decoder gives them."""
        call, self._calls = self._calls, self._calls + 1
        values, sources = [], []
        for part in self._chunks():
            if self.decode_chunk is None:
                x, source = self._values(part, call)
            else:
                with torch.no_grad():
                    x, source = self._values(part, call)
                x.requires_grad_()
                self._pending.append((x, part, call))
            values.append(x)
            sources.append(source + part.start)
        order = torch.cat(sources).argsort(stable=True)
        return torch.cat(values)[order].unflatten(0, (self.n_classes, -1))

    def backward(self, loss: Tensor) -> None:
        """Gradient of the loss in every parameter; through the decoder one chunk at a time where it is chunked."""
        loss.backward()
        for x, part, call in self._pending:
            if x.grad is not None:
                again, _ = self._values(part, call)
                again.backward(x.grad)
        self._pending.clear()

    def extra(self, name: str) -> Tensor:
        if name not in self.extra_names:
            raise KeyError(f"The matcher declares no leaf {name!r}; it has {sorted(self.extra_names)}.")
        return self.params[name]

    def network(self, name: str = "match") -> Classifier:
        return fresh(self.match_network, self.shape, self.n_classes, self.streams.seed_of(name, self.step), self.device)

    def augment(self, *batches: Float[Tensor, "k b *shape"], by: Generator | None = None) -> tuple[Tensor, ...]:
        return siamese(self.space, by or self._anew("augment"), *batches) if self.space.augmentation else batches

    def augmentations(self, rows: int) -> Iterator[Augment]:
        return each_its_own(self.space, rows, self._anew("augment-each"))

    def generator(self, name: str) -> Generator:
        return self.streams(name, self.step)

    def _anew(self, name: str) -> Generator:
        """The stream `name` of this step; a matcher that asks again within the step gets other numbers."""
        use, self._uses[name] = self._uses[name], self._uses[name] + 1
        return self.generator(f"{name}-{use}" if use else name)

    def export(self, instead: Tensors | None = None) -> Codes:
        """All leaves as they stand, detached, on the CPU; learned values of `instead` in place of the present ones."""
        params = self.params | (instead or {})
        extra = {n: params[n].detach() for n in self.extra_names}
        own = self.space.stored({n: p for n, p in params.items() if n not in self.extra_names})
        return {n: c.cpu() if isinstance(c, Tensor) else c for n, c in {**self.codes, **own, **extra}.items()}

    def _chunks(self) -> Iterator[slice]:
        size = self.decode_chunk or len(self.labels)
        for start in range(0, len(self.labels), size):
            yield slice(start, min(start + size, len(self.labels)))

    def _values(self, part: slice, call: int) -> tuple[Tensor, Tensor]:
        """Values of some items; the decoder's draws depend on step, call and chunk only, so they can be repeated."""
        own = {n: p for n, p in self.params.items() if n not in self.extra_names}
        fixed = {n: c for n, c in self.codes.items() if isinstance(c, Tensor) and n not in self.extra_names}
        stream = self.generator(f"decode-{call}-{part.start}")
        return self.space.values(self._rows(own, part), self._rows(fixed, part), self.labels[part], stream)

    def _rows(self, leaves: dict[str, Tensor], part: slice) -> dict[str, Tensor]:
        return {n: x[part] if n in self.item_names else x for n, x in leaves.items()}


def siamese(space: MatchSpace, by: Generator, *batches: Float[Tensor, "r b *shape"]) -> tuple[Tensor, ...]:
    """The space's augmentation with one draw a row, shared by the row's values in all batches (protocols.md §3.1)."""
    omega = draw(space.augmentation, space.shape, len(batches[0]), by, per_row_op=True)
    return tuple(apply(omega, x) for x in batches)


def each_its_own(space: MatchSpace, rows: int, generator: Generator) -> Iterator[Augment]:
    """The space's augmentation without end: one operation a batch, parameters a value (protocols.md §3.1)."""
    for omega in stream(space.augmentation, space.shape, rows, generator, space.device):
        yield partial(_augmented, omega)


def _augmented(omega: Draw, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
    return apply(omega, x[:, None])[:, 0]
