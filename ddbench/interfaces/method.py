"""A method: how the items of a set are found: by learning (Matcher), picking (Selector) or taking all (Ceiling)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, Protocol

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.interfaces.codec import Codes, Tensors
from ddbench.interfaces.network import Classifier
from ddbench.interfaces.plugin import Plugin, PluginConfig
from ddbench.interfaces.room import Room
from ddbench.leaf import Leaf
from ddbench.written import ADDED

Space = Literal["code", "signal"]
Start = Literal["real", "noise"]
"""A learned row's first items: random real ones, or N(0, 1) noise in match space."""
Augment = Callable[[Float[Tensor, "b *shape"]], Float[Tensor, "b *shape"]]


class Method(Plugin):
    """Base of all methods. `spaces` are the match spaces in which the method is defined."""

    spaces: ClassVar[tuple[Space, ...]] = ("signal", "code")

    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        """Leaves of the method's own (a step size, soft labels), stored and charged beside the codec's."""
        return ()

    @property
    def stores_labels(self) -> bool:
        """Whether sets bring soft labels; students may then be trained on them, by the protocol's `labels`."""
        return False

    def own_labels(self, codes: Codes, y: Int[Tensor, " m"], n_classes: int) -> Float[Tensor, "m k"] | None:
        """Probabilities of the soft labels that a set stores with its items, of classes `y`; None where it has none."""
        return None


class Ceiling(Method):
    """Trains on the whole dataset: exempt from the budget, an upper reference."""

    spaces: ClassVar[tuple[Space, ...]] = ("signal",)


class Given(Method):
    """Stands for whatever made a set elsewhere: nothing is learned or picked here, the set is read by `evaluate`."""

    spaces: ClassVar[tuple[Space, ...]] = ("signal",)


class Maker(Method):
    """A method that makes sets here, by picking or by learning; it may look at all real values beforehand."""

    def entries(self, room: Room) -> Sequence[tuple[dict[str, Any], int]]:
        """(coordinates, bytes) of each cache entry that `prepare` will keep, as it gives them to `PrepareTask.kept`.

        Plans add them up, each once for all cells that share it. Default: none, or not known beforehand.
        """
        return ()

    def prepare_passes(self, room: Room) -> float:
        """Forward passes of one match-space value that `prepare` takes, roughly, counted as `Matcher.passes`."""
        return 0.0

    @property
    def uses_network(self) -> bool:
        """Whether the match network has to take the match space's shape."""
        return self.prepares

    @property
    def prepares(self) -> bool:
        """Whether `prepare` does anything under these arguments."""
        return type(self).prepare is not Maker.prepare

    def prepare(self, task: PrepareTask) -> Tensors:
        """What the method needs beforehand (expert trajectories, a teacher), from its match space's real values."""
        return {}

    def notes(self) -> tuple[str, ...]:
        """What a reader of the row must know of it besides its arguments: that it is a variant, and of what."""
        return ()


class SelectTask(Protocol):
    """What a selector may ask. Arrays are class-major; `k` runs over classes."""

    @property
    def n_classes(self) -> int: ...

    def members(self, k: int) -> Int[Tensor, " n_k"]:
        """Training indices of class k, ascending."""
        ...

    def values(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """Match-space values (signals or codes) of training items, flattened."""
        ...

    def embed(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """Features of training items in a freshly drawn match network that was never trained."""
        ...

    def draw(self, n: int) -> Int[Tensor, "k n"]:
        """n random training indices of each class, without replacement; the draws that initialise learned rows."""
        ...

    def generator(self, name: str) -> Generator:
        """The named random stream of this cell."""
        ...


class Selector(Maker):
    """Picks real training items."""

    nested: ClassVar[bool] = True
    """Whether the choice of n items begins with the choice of fewer: then items of varying size are packed in order."""

    @abstractmethod
    def select(self, task: SelectTask, n: int) -> Int[Tensor, "k n"]:
        """n training indices of each class, best first where the method ranks them."""

    def extra(self, prepared: Tensors, index: Int[Tensor, "m s"], y: Int[Tensor, " m"]) -> Tensors:
        """Rows of `extra_leaves` for a set of items that store `s` training items each, of classes `y`.

        `prepared` is what `prepare` gave.
        """
        return {}


class MatchTask(Protocol):
    """What a matcher may ask. All tensors live in the match space and on the task's device, class-major."""

    step: int
    """The update under way, from 0; every random stream below depends on it."""

    @property
    def n_classes(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one match-space value, channels first."""
        ...

    def real(self, size: int) -> Float[Tensor, "k b *shape"]:
        """`size` fresh real values of each class, drawn without replacement; fewer if the rarest class has fewer."""
        ...

    def synthetic(self) -> Float[Tensor, "k n *shape"]:
        """The present items in match space, with gradient to the learned codes."""
        ...

    def extra(self, name: str) -> Tensor:
        """A learned leaf that the matcher declared itself (`extra_leaves`), with gradient."""
        ...

    def network(self, name: str = "match") -> Classifier:
        """A fresh match network, drawn from the stream `name` of this step."""
        ...

    def augment(self, *batches: Float[Tensor, "k b *shape"], by: Generator | None = None) -> tuple[Tensor, ...]:
        """Siamese augmentation: one draw a class, shared by that class's items in every batch (protocols.md §3.1).

        With `by` the draws are the caller's, one for each row of the batches, whatever the rows stand for.
        """
        ...

    def augmentations(self, rows: int) -> Iterator[Augment]:
        """The same draws, not shared: one operation a batch, its parameters a sample; without end, the same each step.

        For batches of up to `rows` values. Raises: SpecError where the augmentation does not take the shape.
        """
        ...

    def generator(self, name: str) -> Generator:
        """The stream `name` of this step."""
        ...

    @property
    def prepared(self) -> Tensors:
        """What `Matcher.prepare` gave."""
        ...


class PrepareTask(Protocol):
    """What a matcher may ask before its loop. Nothing here depends on the cell's seed, so that cells share the work.

    All values live in the match space; values and networks are on the task's device.
    """

    @property
    def n_classes(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def labels(self) -> Int[Tensor, " n"]:
        """Labels of the training items, on the task's device."""
        ...

    def real(self, index: Int[Tensor, " b"]) -> Float[Tensor, "b *shape"]:
        """Match-space values of training items."""
        ...

    def network(self, seed: int) -> Classifier:
        """A match network whose initial weights depend on `seed` alone."""
        ...

    def augment(self, *batches: Float[Tensor, "r b *shape"], by: Generator) -> tuple[Tensor, ...]:
        """As `MatchTask.augment`: one draw for each row, shared by the row's items in every batch."""
        ...

    def augmentations(self, rows: int, generator: Generator) -> Iterator[Augment]:
        """As `MatchTask.augmentations`, from draws of the caller's."""
        ...

    def seed(self, name: str, **coordinates: Any) -> int:
        """The seed of a random stream of this match space; `coordinates` are JSON values."""
        ...

    def kept(
        self,
        kind: str,
        coordinates: Sequence[dict[str, Any]],
        compute: Callable[[list[int]], Sequence[Tensors]],
        together: int = 1,
    ) -> Iterator[tuple[int, Tensors]]:
        """(index, tensors) of one cache entry for each of `coordinates` within this match space, in any order.

        What is missing, damaged, half written or another's is computed, up to `together` entries at once, and stored
        at once. Each entry is computed by one process only.
        """
        ...

    def kept_at(self, kind: str, coordinates: dict[str, Any]) -> str:
        """The file of one such entry, for messages about what it holds."""
        ...

    def progress(self, fraction: float) -> None:
        """Tells the share of the preparation that is done."""
        ...


class MatcherConfig(PluginConfig):
    """Arguments that every matcher has: the loop's descent on the codes."""

    iterations: int = Field(ge=0, description="Updates of the codes.")
    lr: float = Field(gt=0, description="Learning rate of the codes, times each leaf's own lr_scale.")
    momentum: float = Field(0.5, ge=0, lt=1, description="Momentum of the SGD on the codes.")
    optimiser: Annotated[Literal["sgd", "adam"], ADDED] = Field(
        "sgd", description="sgd: with `momentum`, as published for DC, DM and MTT; adam: β = (0.9, 0.999), no momentum."
    )
    ema: Annotated[float, ADDED] = Field(
        0.0,
        ge=0,
        lt=1,
        description="Decay of a running average of the codes, which is then what is stored; 0: none (FTD: 0.9995).",
    )


class Matcher(Maker):
    """Learns codes by gradient descent on a matching loss. Its `Config` derives from `MatcherConfig`."""

    @property
    def uses_network(self) -> bool:
        return True

    def initial_extra(self, items: int, n_classes: int) -> Tensors:
        """First values of `extra_leaves` for a set of `items` items in all."""
        return {}

    def first_extra(self, task: MatchTask) -> Tensors:
        """First values that only the prepared task can tell (labels by experts), in place of `initial_extra`'s.

        Called once, without gradient; `task.synthetic()` are the first items.
        """
        return {}

    @property
    def label_leaf(self) -> str | None:
        """The item leaf of `extra_leaves` that holds the logits `[K]` of an item's own label; None for class labels.

        Students may then be trained on its softmax, by the evaluation protocol's `labels`.
        """
        return None

    @property
    def stores_labels(self) -> bool:
        return self.label_leaf is not None

    def own_labels(self, codes: Codes, y: Int[Tensor, " m"], n_classes: int) -> Float[Tensor, "m k"] | None:
        if self.label_leaf is None:
            return None
        logits = codes[self.label_leaf]
        assert isinstance(logits, Tensor), "labels are a leaf of fixed shape"
        return logits.softmax(1)

    def start(self) -> Start:
        """What the first items are."""
        return "real"

    def check(self, room: Room) -> None:
        """Refuses a cell that the arguments do not go with. Default: goes with all.

        Asked while a suite is planned, so that `plan`, `validate` and `run` name the line, and again before the first
        update. Raises: SpecError saying what was asked, what there is, and what to give instead.
        """

    def passes(self, room: Room) -> float | None:
        """How many forward passes of one match-space value all updates take, roughly; plans make hours of it.

        A backward pass counts as two, one through a gradient as four. Default: not known.
        """
        return None

    def values_at_once(self, room: Room) -> int:
        """Match-space values for which a gradient keeps activations at once, roughly; plans make memory of it.

        Where a gradient goes through a gradient a value counts three times. Default: all of them.
        """
        return room.all_values

    def real_at_once(self, room: Room) -> int:
        """Real match-space values that an update has before it at once, without a gradient. Default: not known."""
        return 0

    def suits(
        self, task: PrepareTask, prepared: Tensors, x: Float[Tensor, "b *shape"], y: Int[Tensor, " b"]
    ) -> Bool[Tensor, " b"] | None:
        """Which real match-space values may be first items; None, as here, for all.

        A row's first items are the draws that the row `random` stores. Where some do not suit, they are passed over
        and the next draws of the class take their place: the row then shares with `random` the order of the draws, but
        no longer the items. A class with too few that suit fills up with those that do not.
        """
        return None

    def accepts(self, loss: float) -> bool:
        """Whether an update is taken at this (finite) loss. One that is not leaves all as it was, and is counted."""
        return True

    def recipe(self, codes: Codes) -> dict[str, Any]:
        """Fields of `Training` that students of the match network take from the set itself (a learned step size)."""
        return {}

    @abstractmethod
    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        """The scalar whose gradient moves the codes. `state` is kept between steps and in checkpoints."""

    def after_update(self, task: MatchTask, state: dict[str, Tensor]) -> None:
        """Called after the codes moved (DC trains its network here). Default: nothing."""
