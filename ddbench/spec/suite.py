"""A suite: the versioned YAML file that expands into cells, and how it is read. torch-free at import.

ddbench: 1                        # version of this format
name: example
version: 1                        # of this suite; raise it when its cells change
protocol: {students: 3}           # an evaluation protocol, or the name of one under `protocols`
grid:                             # blocks; each is the product of its lists. One value may stand for a list
  - datasets: fashion_mnist_small
    codecs: [identity, {downsample: {factor: 2}}]
    methods: [random, {dm: {iterations: 500}}]
    spaces: signal
    budgets: [{ipc: 1}, {bytes_per_class: 4000}]
    seeds: [0, 1, 2]
    exclude:                      # combinations that have all the values named; a list means any of them
      - {codec: downsample, budget: {ipc: 1}}
    include:                      # more combinations; an axis left out takes the first of its list above
      - {codec: jpeg, method: random, seed: [0, 1, 2]}
    recipes: published            # where learned methods have the arguments from that the suite does not give
    settings:                     # arguments for some combinations, merged last; later settings win
      - {when: {codec: downsample, method: dm}, method_args: {lr: 2.0}}
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PrivateAttr, Tag, field_validator

from ddbench.budget import Budget
from ddbench.leaf import Storage
from ddbench.spec.cell import Choice, EvaluationProtocol, Space
from ddbench.spec.yaml import Document

FORMATS = (1,)
AXES = {
    "dataset": "datasets", "codec": "codecs", "method": "methods", "space": "spaces",
    "budget": "budgets", "storage": "storage", "seed": "seeds",
}  # fmt: skip
"""The name of each axis in a rule, and the list in a block that holds its values."""
PLUGIN_AXES: tuple[Literal["dataset", "codec", "method"], ...] = ("dataset", "codec", "method")

T = TypeVar("T")


def _listed(value: Any) -> Any:
    return value if value is None or isinstance(value, list | tuple) else [value]


Listed = Annotated[tuple[T, ...], BeforeValidator(_listed)]
Listed1 = Annotated[tuple[T, ...], BeforeValidator(_listed), Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Part):
    """Some combinations of a block: those that have, for each axis named, one of the values named.

    A plug-in matches by name and by the arguments that are given; others may be what they like.
    """

    dataset: Listed[Choice] = ()
    codec: Listed[Choice] = ()
    method: Listed[Choice] = ()
    space: Listed[Space] = ()
    budget: Listed[Budget] = ()
    storage: Listed[Storage] = ()
    seed: Listed[Seed] = ()


class Setting(_Part):
    """Arguments that the matching combinations have on top of their entries' own."""

    when: Match = Match()
    codec_args: dict[str, Any] = {}
    method_args: dict[str, Any] = {}


class Block(_Part):
    """A product of lists, less what `exclude` drops, and what `include` adds."""

    datasets: Listed1[Choice]
    codecs: Listed[Choice] = ()
    methods: Listed1[Choice]
    spaces: Listed1[Space] = ("signal",)
    budgets: Listed[Budget] = ()
    storage: Listed1[Storage] = ("float32",)
    seeds: Listed1[Seed] = (0,)
    network: Choice = Choice(name="auto")
    protocol: str | None = None
    exclude: Listed[Match] = ()
    include: Listed[Match] = ()
    settings: Listed[Setting] = ()
    recipes: Listed[str] = ()
    """Names or paths of recipes files; of two rules that give an argument, the later one wins."""

    @field_validator("recipes")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if twice := [name for i, name in enumerate(value) if name in value[:i]]:
            raise ValueError(f"{', '.join(dict.fromkeys(twice))} given twice. Keep one")
        return value


def _protocol_form(value: Any) -> str:
    return "name" if isinstance(value, str) else "mapping"


ProtocolOrName = Annotated[
    Annotated[str, Tag("name")] | Annotated[EvaluationProtocol, Tag("mapping")], Discriminator(_protocol_form)
]


class Suite(_Part):
    """Blocks of cells and the protocols that they are evaluated by."""

    ddbench: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)
    version: int = Field(1, ge=1, strict=True)
    description: str = ""
    protocol: ProtocolOrName = Field(default_factory=lambda: EvaluationProtocol.model_validate({}))
    protocols: dict[str, EvaluationProtocol] = {}
    grid: Listed1[Block]

    _document: Document | None = PrivateAttr(None)

    @field_validator("protocol", mode="before")
    @classmethod
    def _inline_name(cls, value: Any) -> Any:
        return {"name": "custom", **value} if value and isinstance(value, dict) else value

    @field_validator("protocols", mode="before")
    @classmethod
    def _own_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: {"name": k, **(v or {})} if v is None or isinstance(v, dict) else v for k, v in value.items()}

    @property
    def document(self) -> Document:
        """Where the suite was written; for one made in Python, its data without lines."""
        return self._document or Document(self.name, self.model_dump(mode="json", exclude_unset=True))

    def protocol_of(self, block: Block) -> EvaluationProtocol | None:
        """The protocol of a block: the one that it names, else the suite's. None where the name is not defined."""
        chosen = block.protocol if block.protocol is not None else self.protocol
        return self.protocols.get(chosen) if isinstance(chosen, str) else chosen
