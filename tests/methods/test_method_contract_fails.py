"""The method contract finds what it is there to find: each broken method fails the one test meant for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from ddbench.interfaces.method import Matcher, MatcherConfig, MatchTask, Method, PrepareTask, Selector
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.room import Room
from ddbench.leaf import Leaf
from ddbench.testing.method_case import Ground
from ddbench.testing.methods import MethodContract

GROUND = Ground((6,), "signal")


class Means(Matcher):
    """A sound matcher, for the broken ones to start from."""

    version = "1"
    source = "made up"
    Config = MatcherConfig

    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        return (task.real(5).mean(1) - task.synthetic().mean(1)).square().sum()


class Firsts(Selector):
    """A sound selector."""

    version = "1"
    source = "made up"

    def select(self, task: Any, n: int) -> Tensor:
        return torch.stack([task.members(k)[:n] for k in range(task.n_classes)])


class Told(Firsts):
    """A sound selector with labels of its own: every item is half of its class, half of the first."""

    stores_labels = True  # pyright: ignore[reportAssignmentType]

    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        return (Leaf("told", "item", (1,), dtype="uint8", learned=False),)

    def extra(self, prepared: Any, index: Tensor, y: Tensor) -> dict[str, Tensor]:
        return {"told": torch.full((len(y), 1), 2, dtype=torch.uint8)}

    def own_labels(self, codes: Any, y: Tensor, n_classes: int) -> Tensor | None:
        share = 1 / codes["told"].float()
        return torch.zeros(len(y), n_classes).scatter_add_(1, y[:, None], 1 - share) + torch.eye(n_classes)[:1] * share


class Forgets(Told):
    def extra(self, prepared: Any, index: Tensor, y: Tensor) -> dict[str, Tensor]:
        return {}


class LearnsLabels(Told):
    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        return (Leaf("told", "item", (1,), dtype="uint8"),)


class NoProbabilities(Told):
    def own_labels(self, codes: Any, y: Tensor, n_classes: int) -> Tensor | None:
        return torch.ones(len(y), n_classes)


class Silent(Told):
    def own_labels(self, codes: Any, y: Tensor, n_classes: int) -> Tensor | None:
        return None


class LooseConfig(MatcherConfig):
    model_config: ClassVar[Any] = {"extra": "ignore"}


class Loose(Means):
    Config = LooseConfig


class OtherConfig(Means):
    Config = PluginConfig  # pyright: ignore[reportAssignmentType]


class Nowhere(Means):
    spaces = ()


class Nameless(Means):
    source = ""


class PerClass(Means):
    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        return (task.real(5).mean(1) - task.synthetic().mean(1)).square().sum(1)


class Infinite(Means):
    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        return super().loss(task, state) / 0


class Detached(Means):
    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        return super().loss(task, state).detach()


class Flat(Means):
    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        return super().loss(task, state) * 0


class GlobalNoise(Means):
    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        return super().loss(task, state) * torch.rand(())


class Remembers(Means):
    seen = 0

    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        self.seen += 1
        return super().loss(task, state) * self.seen


class Climbs(Means):
    def loss(self, task: MatchTask, state: dict[str, Tensor]) -> Tensor:
        value = super().loss(task, state)
        return 2 * value.detach() - value


class Rests(Means):
    def after_update(self, task: MatchTask, state: dict[str, Tensor]) -> None:
        state["note"] = 1  # pyright: ignore[reportArgumentType]


class Rescaled(Means):
    """Takes the learned leaf past the task, so the decoder's chunks are not seen."""

    def loss(self, task: Any, state: dict[str, Tensor]) -> Tensor:
        return super().loss(task, state) + task.params["x"].square().sum() * len(task._pending)


class WrongExtra(Means):
    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        return (Leaf("rate", "set", ()),)

    def initial_extra(self, items: int, n_classes: int) -> dict[str, Tensor]:
        return {"rate": torch.ones(1)}


class MissingExtra(WrongExtra):
    def initial_extra(self, items: int, n_classes: int) -> dict[str, Tensor]:
        return {}


class IdleExtra(WrongExtra):
    def initial_extra(self, items: int, n_classes: int) -> dict[str, Tensor]:
        return {"rate": torch.ones(())}


class StrangeFirst(Means):
    def first_extra(self, task: Any) -> dict[str, Tensor]:
        return {"nowhere": torch.ones(())} if task.step else {}

    @property
    def label_leaf(self) -> str:
        return "nowhere"


class WrongLabels(Means):
    """Two logits for three classes."""

    label_leaf = "soft"

    def extra_leaves(self, n_classes: int) -> tuple[Leaf, ...]:
        return (Leaf("soft", "item", (2,)),)

    def initial_extra(self, items: int, n_classes: int) -> dict[str, Tensor]:
        return {"soft": torch.zeros(items, 2)}


class Scores(Means):
    def suits(self, task: Any, prepared: Any, x: Tensor, y: Tensor) -> Tensor:
        return x.flatten(1).sum(1)


class Asserts(Means):
    def check(self, room: Room) -> None:
        assert room.items < 5, "too many"


class Answers(Means):
    def check(self, room: Room) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return True


class Misnames(Means):
    def entries(self, room: Room) -> list[tuple[dict[str, Any], int]]:
        return [({"i": 0}, 4)]

    def prepare(self, task: PrepareTask) -> dict[str, Tensor]:
        return dict(next(task.kept("means", [{"i": 1}], lambda which: [{"m": torch.ones(1)}]))[1])


class Repeats(Firsts):
    def select(self, task: Any, n: int) -> Tensor:
        return super().select(task, 1).repeat(1, n)


class WrongClass(Firsts):
    def select(self, task: Any, n: int) -> Tensor:
        return super().select(task, n).roll(1, 0)


class Floats(Firsts):
    def select(self, task: Any, n: int) -> Tensor:
        return super().select(task, n).float()


class TooFew(Firsts):
    def select(self, task: Any, n: int) -> Tensor:
        return super().select(task, 1)


class Unseeded(Firsts):
    def select(self, task: Any, n: int) -> Tensor:
        return torch.stack([m[torch.randperm(len(m))[:n]] for m in map(task.members, range(task.n_classes))])


def contract_of(broken: type[Method]) -> MethodContract:
    class Broken(MethodContract):
        method = broken
        args: ClassVar[dict[str, Any]] = {"lr": 0.2, "iterations": 1} if issubclass(broken, Matcher) else {}

    return Broken()


Check = Callable[[MethodContract, Path], None]
CHECKS: dict[str, Check] = {
    "declares": lambda c, p: c.test_declares_itself(),
    "kind": lambda c, p: c.test_is_of_one_kind_and_names_its_spaces(),
    "arguments": lambda c, p: c.test_arguments_are_strict_and_survive_json(),
    "members": lambda c, p: c.test_select_gives_members_of_each_class_once(GROUND, 3),
    "task": lambda c, p: c.test_select_depends_on_its_task_only(GROUND),
    "labels": lambda c, p: c.test_extra_of_a_selector_is_what_its_leaves_declare(GROUND),
    "check": lambda c, p: c.test_check_takes_a_set_that_can_be_learned_and_answers_for_any_other(GROUND),
    "entries": lambda c, p: c.test_entries_are_those_that_prepare_keeps(GROUND),
    "extra": lambda c, p: c.test_extra_leaves_are_what_initial_extra_gives(GROUND),
    "first": lambda c, p: c.test_what_it_says_of_first_items_and_labels_fits(GROUND),
    "scalar": lambda c, p: c.test_loss_is_a_finite_scalar_with_gradient(GROUND),
    "gradient": lambda c, p: c.test_gradient_reaches_every_learned_leaf(GROUND),
    "chunks": lambda c, p: c.test_gradient_is_the_same_through_a_decoder_in_chunks(GROUND),
    "seed": lambda c, p: c.test_loss_depends_on_seed_and_step_only(GROUND),
    "resume": lambda c, p: c.test_resumes_from_a_checkpoint_bit_for_bit(GROUND, p),
    "learns": lambda c, p: c.test_learns(GROUND),
}
OF_SELECTORS = ("declares", "kind", "arguments", "members", "task", "labels")
OF_MATCHERS = tuple(name for name in CHECKS if name not in ("members", "task", "labels"))
BROKEN: list[tuple[type[Method], str, str]] = [
    (Nameless, "declares", "source"),
    (Nowhere, "kind", "spaces must name"),
    (Loose, "arguments", "does not declare"),
    (OtherConfig, "arguments", "MatcherConfig"),
    (PerClass, "scalar", "scalar"),
    (Infinite, "scalar", "inf"),
    (Detached, "scalar", "no gradient"),
    (Rests, "scalar", "tensors only"),
    (Flat, "gradient", "no gradient reaches"),
    (IdleExtra, "gradient", "'rate'"),
    (Rescaled, "chunks", "chunks"),
    (GlobalNoise, "seed", "task.generator"),
    (Remembers, "seed", "state"),
    (Remembers, "resume", "state"),
    (Climbs, "learns", "mean loss"),
    (WrongExtra, "extra", "shape"),
    (MissingExtra, "extra", "should give"),
    (StrangeFirst, "first", "'nowhere' is none of extra_leaves"),
    (WrongLabels, "first", "needs K logits an item"),
    (Scores, "first", "a bool for each of 5"),
    (Asserts, "check", "SpecError alone; for 1000000 items"),
    (Answers, "check", "raises SpecError to refuse"),
    (Misnames, "entries", "prepare keeps"),
    (Repeats, "members", "twice"),
    (WrongClass, "members", "not of class"),
    (Floats, "members", "int64"),
    (TooFew, "members", "K, n"),
    (Unseeded, "task", "task.generator"),
    (Forgets, "labels", "should give .'told'."),
    (LearnsLabels, "labels", "learned=False"),
    (NoProbabilities, "labels", "rows sum to 1"),
    (Silent, "labels", "stores_labels says"),
]


@pytest.mark.parametrize(("broken", "check", "says"), BROKEN, ids=lambda x: getattr(x, "__name__", x))
def test_a_broken_method_fails_with_a_reason(broken: type[Method], check: str, says: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception), match=says):
        CHECKS[check](contract_of(broken), tmp_path)


@pytest.mark.parametrize(("sound", "checks"), [(Means, OF_MATCHERS), (Firsts, OF_SELECTORS), (Told, OF_SELECTORS)])
def test_a_sound_method_passes(sound: type[Method], checks: tuple[str, ...], tmp_path: Path) -> None:
    for check in checks:
        CHECKS[check](contract_of(sound), tmp_path)
