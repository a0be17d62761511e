"""A method: how the items of a set are found: by learning (Matcher), picking (Selector) or taking all (Ceiling)."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Protocol

from jaxtyping import Float, Int
from pydantic import Field
from torch import Generator, Tensor

from ddbench.interfaces.codec import Tensors
from ddbench.leaf import Leaf
from ddbench.interfaces.network import Classifier
from ddbench.interfaces.plugin import Plugin, PluginConfig

Space = Literal["code", "signal"]


class Method(Plugin):
    """Base of all methods. `spaces` are the match spaces in which the method is defined."""

    spaces: ClassVar[tuple[Space, ...]] = ("signal", "code")


class Ceiling(Method):
    """Trains on the whole dataset: exempt from the budget, an upper reference."""

    spaces: ClassVar[tuple[Space, ...]] = ("signal",)


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


class Selector(Method):
    """Picks real training items."""

    @abstractmethod
    def select(self, task: SelectTask, n: int) -> Int[Tensor, "k n"]:
        """n training indices of each class, best first where the method ranks them."""


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

    def augment(self, *batches: Float[Tensor, "k b *shape"]) -> tuple[Tensor, ...]:
        """Siamese augmentation: one draw a class, shared by that class's items in every batch (protocols.md §3.1)."""
        ...

    def generator(self, name: str) -> Generator:
        """The stream `name` of this step."""
        ...


class MatcherConfig(PluginConfig):
    """Arguments that every matcher has: the loop's SGD on the codes."""

    iterations: int = Field(ge=0, description="Updates of the codes.")
    lr: float = Field(gt=0, description="Learning rate of the codes, times each leaf's own lr_scale.")
    momentum: float = Field(0.5, ge=0, lt=1, description="Momentum of the SGD on the codes.")


class Matcher(Method):
    """Learns codes by gradient descent on a matching loss. Its `Config` derives from `MatcherConfig`."""

    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        """Learned leaves of the matcher's own (a step size, soft labels), stored and charged beside the codec's."""
        return ()

    def initial_extra(self, items: int, n_classes: int) -> Tensors:
        """First values of `extra_leaves` for a set of `items` items in all."""
        return {}

    @abstractmethod
    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        """The scalar whose gradient moves the codes. `state` is kept between steps and in checkpoints."""

    def after_update(self, task: MatchTask, state: dict[str, Tensor]) -> None:
        """Called after the codes moved (DC trains its network here). Default: nothing."""
