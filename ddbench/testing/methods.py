"""Contract tests of methods: inherit `MethodContract` in a pytest module and name the method.

    class TestMine(MethodContract):
        method = "mine"            # the entry point's name, or the class
        args = {"real_batch": 8}   # as in a suite file; of a matcher, `iterations` is set by the tests

The method meets three small classes of maps, series and rows, in every match space that it declares. Tests that are
about another kind of method (selector, matcher, ceiling) are skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from ddbench import registry
from ddbench.distill.checkpoint import GROUPS, read_checkpoint, write_checkpoint
from ddbench.distill.prepare import Preparation
from ddbench.errors import SpecError
from ddbench.interfaces.method import Ceiling, Matcher, MatcherConfig, Method, Selector
from ddbench.leaf import FLOATS
from ddbench.testing.method_case import CLASS_SIZES, ITEMS_PER_CLASS, N_CLASSES, Ground, learned, walk

SHAPES = ((1, 8, 8), (2, 16), (6,))
SPACES = ("signal", "code")
WALK = 3


class MethodContract:
    """What every method keeps, whoever wrote it."""

    method: ClassVar[str | type[Method]]
    """Entry-point name or class."""
    args: ClassVar[dict[str, Any]] = {}
    """Arguments, as in a suite file."""
    shapes: ClassVar[tuple[tuple[int, ...], ...]] = SHAPES
    """Signal shapes to try, in every space that the method declares."""
    steps: ClassVar[int] = 10
    """Updates after which a matcher's items have to be better than at first."""
    lowers_loss: ClassVar[bool] = True
    """False for a matcher whose loss need not fall while it learns: then items only have to move."""

    def method_class(self) -> type[Any]:
        return registry.load("method", self.method) if isinstance(self.method, str) else self.method

    def build(self, **more: Any) -> Any:
        """A new instance, with `more` arguments on top of `args`."""
        plugin = self.method_class()
        return plugin(plugin.Config(**{**self.args, **more}))

    def matcher(self, iterations: int = 6) -> Matcher:
        return self.build(iterations=iterations)

    def kind(self) -> type[Method] | None:
        """Selector, Matcher or Ceiling; None for a method that is none of them or cannot be loaded."""
        try:
            return next((base for base in KINDS if issubclass(self.method_class(), base)), None)
        except Exception:  # noqa: BLE001 - a broken method should fail its tests, not the collection of all tests
            return None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        for fixture, kind in (("picking", Selector), ("learning", Matcher)):
            if fixture in metafunc.fixturenames:
                fits = self.kind() is kind
                spaces = [s for s in SPACES if fits and s in self.method_class().spaces]
                grounds = [Ground(shape, s) for shape in self.shapes for s in spaces]  # pyright: ignore[reportArgumentType]
                skip = pytest.param(None, id=f"no-{kind.__name__}", marks=pytest.mark.skip(f"not a {kind.__name__}"))
                metafunc.parametrize(fixture, grounds or [skip], ids=None if not grounds else str)

    def test_declares_itself(self) -> None:
        faults = registry.contract_faults("method", self.method_class())
        assert not faults, f"the method breaks the plug-in contract: {'; '.join(faults)}"

    def test_is_of_one_kind_and_names_its_spaces(self) -> None:
        plugin = self.method_class()
        kinds = [base.__name__ for base in KINDS if issubclass(plugin, base)]
        assert len(kinds) == 1, f"a method is one of Selector, Matcher, Ceiling; this one is {kinds or 'none of them'}"
        spaces = plugin.spaces
        assert spaces, "spaces must name at least one of 'signal' and 'code'"
        assert set(spaces) <= set(SPACES), f"spaces may name 'signal' and 'code'; found {spaces}"
        assert len(set(spaces)) == len(spaces), f"spaces names one twice: {spaces}"
        assert kinds != ["Ceiling"] or spaces == ("signal",), "a ceiling trains on real signals: spaces = ('signal',)"

    def test_arguments_are_strict_and_survive_json(self) -> None:
        plugin = self.method_class()
        if issubclass(plugin, Matcher):
            told = "the Config of a Matcher derives from ddbench.interfaces.method.MatcherConfig"
            assert issubclass(plugin.Config, MatcherConfig), told
        config = self.build().config
        again = plugin.Config(**config.model_dump(mode="json"))
        assert again == config, f"arguments change on their way through a cell's JSON: {config} became {again}"
        try:
            plugin.Config(**{**config.model_dump(), "no_such_argument": 1})
        except ValueError:
            return
        pytest.fail("Config takes an argument that it does not declare; derive it from PluginConfig (extra='forbid')")

    @pytest.mark.parametrize("n", [1, 3, min(CLASS_SIZES)])
    def test_select_gives_members_of_each_class_once(self, picking: Ground, n: int) -> None:
        index = self.build().select(picking.selection(), n)
        assert isinstance(index, Tensor), f"select gives a tensor of training indices, found {type(index).__name__}"
        assert index.dtype == torch.int64, f"select gives int64 indices, found {index.dtype}"
        assert tuple(index.shape) == (N_CLASSES, n), (
            f"select should give [K, n] = ({N_CLASSES}, {n}), found {(*index.shape,)}"
        )
        for k, row in enumerate(index.tolist()):
            strangers = set(row) - set(picking.data.members[k].tolist())
            assert not strangers, f"row {k} holds training indices that are not of class {k}: {sorted(strangers)}"
            assert len(set(row)) == n, f"row {k} picks an item twice: {row}"

    def test_select_depends_on_its_task_only(self, picking: Ground) -> None:
        selector = self.build()
        first = selector.select(picking.selection(), 3)
        torch.manual_seed(9)
        told = "select picks other items with the same data and streams"
        again = selector.select(picking.selection(), 3)
        assert torch.equal(first, again), f"{told}; draw from task.generator and keep nothing in the instance"
        torch.manual_seed(10)
        fresh = self.build().select(picking.selection(), 3)
        assert torch.equal(first, fresh), f"{told} in another instance; draw from task.generator"

    def test_extra_of_a_selector_is_what_its_leaves_declare(self, picking: Ground) -> None:
        selector, task, n = self.build(), picking.selection(), ITEMS_PER_CLASS
        leaves = {leaf.name: leaf for leaf in selector.extra_leaves(N_CLASSES)}
        prepared = selector.prepare(picking.preparation(task.space)) if selector.prepares else {}
        index, y = selector.select(task, n).reshape(-1, 1), torch.arange(N_CLASSES).repeat_interleave(n)
        rows = selector.extra(prepared, index, y)
        assert set(rows) == set(leaves), f"extra should give {sorted(leaves)}, found {sorted(rows)}"
        for name, leaf in leaves.items():
            told = f"extra leaf {name!r}"
            assert leaf.scope == "item", f"{told}: a selector stores a row an item, found the scope {leaf.scope!r}"
            assert not leaf.learned, f"{told}: a selector learns nothing; declare learned=False"
            assert leaf.shape is not None, f"{told} has no fixed shape"
            found, wanted = rows[name], (len(y), *leaf.shape)
            assert tuple(found.shape) == wanted, f"{told} should have the shape {wanted}, found {(*found.shape,)}"
            assert str(found.dtype) == f"torch.{leaf.dtype}", f"{told} should be {leaf.dtype}, found {found.dtype}"
        labels = selector.own_labels(rows, y, N_CLASSES)
        assert (labels is not None) == selector.stores_labels, "stores_labels says whether own_labels gives any"
        if labels is not None:
            found = tuple(labels.shape)
            assert found == (len(y), N_CLASSES), f"own_labels should give [m, K], found {found}"
            assert bool((labels >= 0).all()), "own_labels gives probabilities, found some below 0"
            assert torch.allclose(labels.sum(1), torch.ones(len(y))), "own_labels gives probabilities: rows sum to 1"

    def test_check_takes_a_set_that_can_be_learned_and_answers_for_any_other(self, learning: Ground) -> None:
        matcher = self.matcher()
        assert matcher.check(learning.room()) is None, "check gives nothing: it raises SpecError to refuse"
        for items in (1, 10**6):
            try:
                matcher.check(learning.room(items))
            except SpecError as refusal:
                assert str(refusal).strip(), "a refusal says what was asked, what there is, and what to give instead"  # noqa: PT017
            except Exception as error:  # noqa: BLE001 - any other error is what this test is for
                pytest.fail(f"check refuses by SpecError alone; for {items} items a class it raised {error!r}")

    def test_entries_are_those_that_prepare_keeps(self, learning: Ground) -> None:
        matcher, asked = self.matcher(), []
        told = [coordinates for coordinates, _ in matcher.entries(learning.room())]

        def noted(self, kind, coordinates, compute, together=1):
            asked.extend(coordinates)
            return kept(self, kind, coordinates, compute, together)

        kept = Preparation.kept
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Preparation, "kept", noted)
            learning.matching(matcher)
        assert not told or told == asked, f"entries tells of {told}, prepare keeps {asked}; plans add up the former"

    def test_extra_leaves_are_what_initial_extra_gives(self, learning: Ground) -> None:
        matcher, items = self.matcher(), N_CLASSES * ITEMS_PER_CLASS
        leaves, first = matcher.extra_leaves(N_CLASSES), matcher.initial_extra(items, N_CLASSES)
        names = [leaf.name for leaf in leaves]
        assert len(set(names)) == len(names), f"extra_leaves names a leaf twice: {names}"
        assert set(first) == set(names), f"initial_extra should give {sorted(names)}, found {sorted(first)}"
        for leaf in leaves:
            told = f"extra leaf {leaf.name!r}"
            assert leaf.name.isidentifier(), f"{told}: a name is letters, digits and underscores"
            assert leaf.shape is not None, f"{told} is learned, so it has a fixed shape"
            assert leaf.learned, f"{told} must be learned: what is not learned belongs to the codec"
            assert leaf.dtype in FLOATS, f"{told} is learned, so it is a float leaf, not {leaf.dtype}"
            rows = {"item": (items,), "class": (N_CLASSES,), "set": ()}[leaf.scope]
            found, shape = tuple(first[leaf.name].shape), (*rows, *leaf.shape)
            assert found == shape, f"{told}: initial_extra should give the shape {shape}, found {found}"
            assert bool(first[leaf.name].isfinite().all()), f"{told}: its first values must be finite"

    def test_what_it_says_of_first_items_and_labels_fits(self, learning: Ground) -> None:
        matcher = self.matcher()
        leaves = {leaf.name: leaf for leaf in matcher.extra_leaves(N_CLASSES)}
        task = learning.matching(matcher)
        first = matcher.first_extra(task)
        assert set(first) <= set(leaves), f"first_extra gives {sorted(first)}; extra_leaves are {sorted(leaves)}"
        for name, value in first.items():
            found, wanted = tuple(value.shape), tuple(task.extra(name).shape)
            assert found == wanted, f"first_extra: {name!r} has the shape {found}, expected {wanted}"
            assert bool(value.isfinite().all()), f"first_extra: {name!r} must be finite"
        label = matcher.label_leaf
        if label is not None:
            assert label in leaves, f"label_leaf {label!r} is none of extra_leaves, which are {sorted(leaves)}"
            form = leaves[label].scope, leaves[label].shape
            assert form == ("item", (N_CLASSES,)), f"label_leaf {label!r} needs K logits an item, found {form}"
        index = torch.arange(5)
        preparation = learning.preparation(task.space)
        fit = matcher.suits(preparation, task.prepared, preparation.real(index), preparation.labels[index])
        told = None if fit is None else (fit.dtype, tuple(fit.shape))
        assert told in (None, (torch.bool, (5,))), f"suits gives a bool for each of 5 values, or None; found {told}"

    def test_loss_is_a_finite_scalar_with_gradient(self, learning: Ground) -> None:
        matcher = self.matcher()
        task = learning.matching(matcher)
        task.begin(0)
        state: dict[str, Tensor] = {}
        loss = matcher.loss(task, state)
        assert isinstance(loss, Tensor), f"loss gives a tensor, found {type(loss).__name__}"
        assert loss.shape == (), f"loss gives a scalar, found the shape {tuple(loss.shape)}"
        assert bool(loss.isfinite()), f"loss is {float(loss.detach())}"
        assert loss.requires_grad, "loss has no gradient; is it computed from task.synthetic()?"
        task.backward(loss)
        matcher.after_update(task, state)
        strange = {n: type(x).__name__ for n, x in state.items() if not isinstance(x, Tensor)}
        assert not strange, f"state is stored in checkpoints and holds tensors only; found {strange}"

    def test_gradient_reaches_every_learned_leaf(self, learning: Ground) -> None:
        matcher = self.matcher()
        _, gradients = walk(learning.matching(matcher), matcher, WALK)
        for name, gradient in gradients.items():
            assert bool(gradient.isfinite().all()), f"the gradient of leaf {name!r} is not finite"
            assert bool((gradient != 0).any()), f"no gradient reaches the learned leaf {name!r} in {WALK} updates"

    def test_gradient_is_the_same_through_a_decoder_in_chunks(self, learning: Ground) -> None:
        """Deep decoders are back-propagated through in parts."""
        matcher = self.matcher()
        _, whole = walk(learning.matching(matcher), matcher, 1)
        again = self.matcher()
        _, parts = walk(learning.matching(again, decode_chunk=2), again, 1)
        for name, gradient in whole.items():
            told = f"the gradient of leaf {name!r} changes where the decoder works in chunks; ask the task for values"
            assert torch.allclose(parts[name], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max())), told

    def test_loss_depends_on_seed_and_step_only(self, learning: Ground) -> None:
        matcher = self.matcher()
        losses, gradients = walk(learning.matching(matcher), matcher, WALK)
        for who, other in (("a second time", matcher), ("in another instance", self.matcher())):
            torch.manual_seed(9)
            torch.rand(17)
            found, slopes = walk(learning.matching(other), other, WALK)
            told = f"with the same seed and steps {who}; draw from task.generator and keep what must last in `state`"
            assert found == losses, f"losses differ {told}: {losses}, then {found}"
            for name, slope in slopes.items():
                assert torch.equal(slope, gradients[name]), f"the gradient of leaf {name!r} differs {told}"

    def test_resumes_from_a_checkpoint_bit_for_bit(self, learning: Ground, tmp_path: Path) -> None:
        matcher, path = self.matcher(), tmp_path / "checkpoint.safetensors"
        whole = learned(learning.matching(matcher), matcher)
        half = self.matcher()
        write_checkpoint(path, learned(learning.matching(half), half, stop_at=3), "key", 1.0)
        found = read_checkpoint(path, "key")
        assert found is not None
        torch.manual_seed(9)
        fresh = self.matcher()
        resumed = learned(learning.matching(fresh), fresh, found[0])
        told = "after 3 + 3 updates through a checkpoint it is not what it is after 6; keep what lasts in `state`"
        assert resumed.step == whole.step == 6
        assert resumed.losses == whole.losses, f"losses: {told}"
        for group in GROUPS:
            first, second = getattr(whole, group), getattr(resumed, group)
            assert set(first) == set(second), f"{group}: {told}; {sorted(first)} against {sorted(second)}"
            for name, tensor in first.items():
                assert torch.equal(second[name], tensor), f"{group} {name!r}: {told}"

    def test_learns(self, learning: Ground) -> None:
        matcher = self.matcher(self.steps)
        task = learning.matching(matcher)
        first = {n: p.detach().clone() for n, p in task.params.items()}
        before, _ = walk(task, self.matcher(self.steps), self.steps)
        learned(task, matcher)
        still = [n for n, p in task.params.items() if torch.equal(p.detach(), first[n])]
        assert not still, f"{self.steps} updates left {', '.join(still)} where it was"
        after, _ = walk(task, self.matcher(self.steps), self.steps)
        mean_before, mean_after = sum(before) / len(before), sum(after) / len(after)
        assert not self.lowers_loss or mean_after < mean_before, (
            f"{self.steps} updates from items of a wrong class took the mean loss from {mean_before:.4g} to "
            f"{mean_after:.4g} on the same draws. Lower `lr` in args, raise `steps`, or set lowers_loss = False for a "
            "method whose loss need not fall."
        )


KINDS: tuple[type[Method], ...] = (Selector, Matcher, Ceiling)
