"""A cell: one codec × method × match space × dataset × budget × seed, and all that decides its outcome. torch-free."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from ddbench.budget import Budget
from ddbench.canonical import canonical, digest
from ddbench.leaf import Storage
from ddbench.written import ADDED, as_written, without_added

Column = Literal["equal_steps", "equal_epochs"]
RunColumn = Literal["equal_steps", "equal_epochs", "own_recipe"]
"""A protocol's columns, and that of students who are trained by a recipe declared with the set (`Cell.own_recipe`)."""
OWN_RECIPE: RunColumn = "own_recipe"
Labels = Literal["hard", "own"]
"""What students are told an item is: its class, or the soft label that the set stores for it."""
Space = Literal["code", "signal"]
_FOR_THE_RECORD = {"recipe", "origin"}
SEMANTICS = "1"
"""Changes whenever the framework itself would compute another result from the same cell."""


class Choice(BaseModel):
    """A plug-in by name, with its arguments, all of them spelled out once the suite is expanded.

    Written as `dm`, as `{dm: {iterations: 100}}` or as `{name: dm, args: {iterations: 100}}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    args: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("name"), str):
            return value if value.get("args", {}) is not None else {**value, "args": {}}
        if len(value) != 1:
            name = next(iter(value), "dm")
            raise ValueError(
                f"an entry is a name, {{name: {{arguments}}}} or {{name: …, args: …}}; this one has the keys "
                f"{', '.join(map(str, value)) or 'none'}. If they are arguments, indent them under '{name}:'"
            )
        ((name, args),) = value.items()
        if args is not None and not isinstance(args, dict):
            raise ValueError(f"the arguments of {name!r} are a mapping; got {args!r}")
        return {"name": name, "args": args or {}}

    def __str__(self) -> str:
        return self.name


class Training(BaseModel):
    """How one student is trained (protocols.md §5.1)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: PositiveInt = Field(1000, description="E: passes over the reference set (see `columns`).")
    batch: PositiveInt = Field(256, description="Largest batch.")
    optimiser: Literal["sgd", "adamw"] = Field("sgd", description="Optimiser of the student.")
    lr: float = Field(0.01, gt=0, description="Learning rate.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum (SGD).")
    weight_decay: float = Field(5e-4, ge=0, description="Weight decay.")
    schedule: Literal["step", "cosine", "constant"] = Field(
        "step", description="step: ×0.1 at half the updates, momentum reset (the field's rule); cosine; constant."
    )
    augment: Literal["dataset", "none"] = Field(
        "dataset", description="The dataset's augmentation, drawn a sample, or none."
    )

    _written = as_written


class EvaluationProtocol(Training):
    """Students on a distilled set: how many, which networks, which columns, and what they are scored on."""

    name: str = Field("dm", description="Name of the protocol, shown beside every figure.")
    students: PositiveInt = Field(5, description="Fresh students of each network.")
    networks: tuple[Choice, ...] = Field((Choice(name="auto"),), min_length=1, description="Student architectures.")
    columns: tuple[Column, ...] = Field(
        ("equal_steps", "equal_epochs"),
        min_length=1,
        description="equal_steps: E·⌈K·n₀/B⌉ updates at batch B = min(batch, K·n₀); equal_epochs: E passes.",
    )
    evaluate_on: Literal["test", "validation"] = Field(
        "test", description="validation: hold out 10 % of the training set and never touch the test set (for tuning)."
    )
    labels: Annotated[tuple[Labels, ...], ADDED] = Field(
        ("hard", "own"),
        min_length=1,
        description="Of a set that stores soft labels: students learn classes (hard), its labels (own), or some "
        "of them each. Students of other sets learn classes.",
    )
    full: Training | None = Field(None, description="How students train on the whole dataset; default: as above.")
    student_spaces: Annotated[tuple[Space, ...], ADDED] = Field(
        ("signal",),
        min_length=1,
        description="signal: students see decoded signals; code: other students see the stored codes themselves, "
        "standardised per channel, and are tested on the encoded held-out set, in columns of their own. `labels` holds "
        "for both.",
    )

    _without_added = without_added

    def labels_for(self, has_own: bool) -> tuple[Labels, ...]:
        """What students of a set learn; `has_own`: the set stores soft labels."""
        return self.labels if has_own else ("hard",)

    @property
    def in_signal_space(self) -> EvaluationProtocol:
        """The same less code students: what two protocols have in common whose signal columns may stand together."""
        return self.model_copy(update={"student_spaces": ("signal",)})

    @field_validator("networks", "columns", "labels", "student_spaces", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | dict) else tuple(value) if isinstance(value, list) else value

    @field_validator("networks", "columns", "labels", "student_spaces")
    @classmethod
    def _once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if twice := [str(v) for i, v in enumerate(value) if v in value[:i]]:
            raise ValueError(f"{', '.join(dict.fromkeys(twice))} given twice. Keep one")
        return value


class Versions(BaseModel):
    """What the plug-ins said of themselves when the cell was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    codec: str
    method: str
    network: str
    students: tuple[str, ...]
    semantics: str = SEMANTICS


Found = Literal["published", "adapted", "validation"]


class RecipeUse(BaseModel):
    """A rule of versioned recipes from which a cell has arguments of its method: where they come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Name of the recipes.")
    version: int = Field(description="Version of the recipes.")
    found: Found = Field(
        description="How the values were found: published for what the cell runs; adapted from something near it; "
        "chosen on a validation split."
    )
    source: str = Field(description="Paper and table, or the run on the validation split.")
    args: dict[str, Any] = Field(description="Arguments that the cell has from the rule.")
    replaced: dict[str, Any] = Field({}, description="Arguments of the rule that the suite replaced by its own.")


class Origin(BaseModel):
    """Where a set came from that was made elsewhere: what its reader was told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80, description="What the set is called, in one line.")
    form: str = Field(description="What was read: a folder of images, arrays, a release of tensors.")
    values: str = Field(description="How its values were declared.")

    @field_validator("name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("a name has no control characters")
        return value


class Cell(BaseModel):
    """The unit of work, of resume, of a result. Its key depends on what determines the outcome and on nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: Choice
    codec: Choice
    method: Choice
    space: Space
    storage: Storage
    budget: Budget | None
    """None for the ceiling, which is exempt."""
    network: Choice
    """The match network."""
    protocol: EvaluationProtocol
    seed: int = Field(ge=0, strict=True)
    versions: Versions
    recipe: Annotated[tuple[RecipeUse, ...], ADDED] = Field(
        default=(),
        description="Where the method's arguments come from, for the record. The key depends on the arguments alone.",
    )
    own_recipe: Annotated[Training | None, ADDED] = Field(
        default=None,
        description="A recipe declared with the set: more students are trained by it, in a column of their own.",
    )
    origin: Annotated[Origin | None, ADDED] = Field(
        default=None,
        description="Of a set made elsewhere, for the record. The key depends on what the set holds, not on its name.",
    )

    _without_added = without_added

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of all fields but `recipe` and `origin`."""
        return digest(self._signed())

    @property
    def unseeded(self) -> str:
        """Canonical JSON of what the key depends on, less the seed: equal for the cells of one row of a table."""
        return self.key_and_unseeded()[1]

    def key_and_unseeded(self) -> tuple[str, str]:
        """Both, made at once for whoever needs those of thousands of cells."""
        signed = self._signed()
        key = digest(signed)
        del signed["seed"]
        return key, canonical(signed)

    def _signed(self) -> dict[str, Any]:
        signed = self.model_dump(mode="json")  # with `exclude` it takes twice as long
        for name in _FOR_THE_RECORD:
            signed.pop(name, None)
        return signed

    @property
    def title(self) -> str:
        """A short name for people; not unique."""
        method = self.origin.name if self.origin else self.method
        return title_of(self.dataset, self.budget, self.codec, method, self.space, self.seed)

    @property
    def dataset_label(self) -> str:
        """The dataset with its arguments: there are many subsets and sizes of one."""
        return label_of(self.dataset)


def label_of(dataset: Choice) -> str:
    """A dataset with its arguments."""
    from ddbench.spec.labels import arguments

    return " ".join(p for p in (dataset.name, arguments(dataset.args)) if p)


def title_of(
    dataset: Choice, budget: Budget | None, codec: Choice, method: Choice | str, space: Space, seed: int
) -> str:
    """The title of a cell of these, known before its data are: see `Cell.title`."""
    room = "no budget" if budget is None else str(budget)
    return f"{label_of(dataset)} · {room} · {codec} × {method} ({space}) · seed {seed}"


def holds(title: str, only: str | None) -> bool:
    """Whether a cell of this title is wanted: all are, or those whose title holds the text, in whatever case."""
    return only is None or only.lower() in title.lower()
