"""Contract tests of codecs: inherit `CodecContract` in a pytest module and name the codec.

    class TestMine(CodecContract):
        codec = "mine"                      # the entry point's name, or the class
        args = {"width": 8}
        shapes = ((1, 28, 28), (3, 16, 16))  # those that it should be tried on

Override `target` or `signals` for a codec that needs other data than random pictures.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from ddbench import budget, registry
from ddbench.artifact.rounding import store_leaf
from ddbench.augment import families
from ddbench.augment.families import FAMILIES
from ddbench.cost import cost_of
from ddbench.errors import DdbenchError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Ragged, Target
from ddbench.interfaces.signal import SignalSpec
from ddbench.leaf import FLOATS, ITEM_SIZE_BYTES
from ddbench.testing.codec_case import Case, case_of, dense, ragged, with_floats

SHAPES = ((1, 28, 28), (3, 32, 32), (2, 30), (12,))


class CodecContract:
    """What every codec keeps, whoever wrote it."""

    codec: ClassVar[str | type[Codec]]
    """Entry-point name or class."""
    args: ClassVar[dict[str, Any]] = {}
    """Arguments, as in a suite file."""
    shapes: ClassVar[tuple[tuple[int, ...], ...]] = SHAPES
    """Signal shapes to try; the codec may refuse some with SpecError, not all."""
    n_classes: ClassVar[int] = 3
    items_per_class: ClassVar[int] = 2

    def target(self, shape: tuple[int, ...]) -> Target:
        """What the codec is built for: values from 0 to 1 and a budget that any codec can live in."""
        signal = SignalSpec(shape, (0.4,) * shape[0], (0.25,) * shape[0], low=0.0, high=1.0)
        return Target(signal, self.n_classes, cap_bytes=self.n_classes * 2**24)

    def signals(self, target: Target, n: int, generator: torch.Generator) -> Tensor:
        """n raw signals, float32."""
        return torch.rand(n, *target.signal.shape, generator=generator)

    def codec_class(self) -> type[Codec]:
        return registry.load("codec", self.codec) if isinstance(self.codec, str) else self.codec

    def build(self, shape: tuple[int, ...]) -> Codec:
        """The codec for a shape. Raises: SpecError where the codec refuses it."""
        plugin = self.codec_class()
        return plugin(plugin.Config(**self.args), self.target(shape))

    def refuses(self, shape: tuple[int, ...]) -> bool:
        """Whether the codec says no to a shape, as it should: any other error is left to the tests."""
        try:
            self.build(shape)
        except SpecError:
            return True
        except Exception:  # noqa: BLE001 - a broken codec should fail its tests, not the collection of all tests
            return False
        return False

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "case" in metafunc.fixturenames:
            taken = [shape for shape in self.shapes if not self.refuses(shape)]
            metafunc.parametrize("case", taken, indirect=True, ids=["x".join(map(str, shape)) for shape in taken])

    @pytest.fixture
    def case(self, request: pytest.FixtureRequest) -> Case:
        """The codec with a set that it encoded, one for each shape that it takes."""
        return case_of(type(self), request.param)

    def test_declares_itself(self) -> None:
        faults = registry.contract_faults("codec", self.codec_class())
        assert not faults, f"the codec breaks the plug-in contract: {'; '.join(faults)}"

    def test_takes_a_shape_and_refuses_with_spec_errors(self) -> None:
        refusals = []
        for shape in self.shapes:
            try:
                self.build(shape)
            except SpecError as refusal:
                refusals.append(f"{shape}: {refusal}")
            except DdbenchError as error:
                pytest.fail(f"a shape that the codec cannot take is a SpecError; {shape} gave {error!r}")
        assert len(refusals) < len(self.shapes), f"the codec refuses every shape tried: {refusals}"

    def test_leaves_are_valid(self, case: Case) -> None:
        leaves = case.codec.leaves()
        names = [leaf.name for leaf in leaves]
        assert len(set(names)) == len(names), f"leaf names must be unique, found {names}"
        assert any(leaf.scope == "item" for leaf in leaves), "at least one leaf must have scope 'item'"
        assert leaves == case.codec.leaves(), "leaves() must give the same leaves every time it is asked"
        for leaf in leaves:
            told = f"leaf {leaf.name!r}"
            assert leaf.name.isidentifier(), f"{told}: a name is letters, digits and underscores"
            assert leaf.scope in ("item", "class", "set"), f"{told}: unknown scope {leaf.scope!r}"
            assert leaf.dtype in ITEM_SIZE_BYTES, f"{told}: unknown dtype {leaf.dtype!r}"
            assert leaf.lr_scale > 0, f"{told}: lr_scale must be positive"
            assert not leaf.learned or leaf.dtype in FLOATS, f"{told}: only float leaves can be learned"
            gradient = case.codec.differentiable or leaf.name == case.codec.code_leaf
            assert not leaf.learned or gradient, f"{told}: learned, but the codec has no gradient"
            assert not leaf.derived or leaf.name == case.codec.code_leaf, f"{told}: only the code leaf can be derived"
            if leaf.coder is not None:
                joint = (leaf.scope, leaf.dtype, leaf.learned) == ("item", "uint8", False) and leaf.shape is not None
                assert joint, f"{told}: a coder writes rows of one shape of a uint8 item leaf that is not learned"
            if leaf.shape is None:
                assert leaf.scope == "item", f"{told}: only item leaves can be ragged"
                assert leaf.dtype == "uint8", f"{told}: a ragged leaf holds bytes (uint8)"
            else:
                assert all(size > 0 for size in leaf.shape), f"{told}: every axis has a size above 0"

    def test_code_leaf_names_an_item_leaf(self, case: Case) -> None:
        name = case.codec.code_leaf
        if name is None:
            pytest.skip("the codec has no code space")
        leaf = next((leaf for leaf in case.codec.leaves() if leaf.name == name), None)
        assert leaf is not None, f"code_leaf is {name!r}, which leaves() does not declare"
        assert leaf.scope == "item", f"code_leaf {name!r} must be an item leaf: networks see one code an item"
        assert leaf.shape is not None, f"code_leaf {name!r} must have a fixed shape: networks see it"
        assert leaf.dtype in FLOATS, f"code_leaf {name!r} must be a float leaf: networks see it"
        assert isinstance(case.codec.code_augmentation("flip"), str), "code_augmentation gives a string, '' for none"

    def test_augmentation_of_codes_fits_their_shape(self, case: Case) -> None:
        code = next((leaf for leaf in case.codec.leaves() if leaf.name == case.codec.code_leaf), None)
        if code is None or code.shape is None:
            pytest.skip("the codec has no code space")
        axes = len(case.shape) - 1
        for strategy in ("", "_".join(name for name, family in FAMILIES.items() if axes in family.axes)):
            kept = families(case.codec.code_augmentation(strategy), code.shape)
            added = set(kept) - set(strategy.split("_"))
            assert not added, f"code_augmentation adds {sorted(added)}, which the dataset's augmentation does not have"

    def test_refitted_leaves_are_class_or_set_leaves_that_are_not_stored(self, case: Case) -> None:
        stored = {leaf.name for leaf in case.codec.leaves()}
        for leaf in case.codec.refitted():
            told = f"the refitted leaf {leaf.name!r}"
            assert leaf.name not in stored, f"{told} is stored as well: name it in leaves() or in refitted()"
            assert leaf.scope != "item", f"{told} must have scope 'class' or 'set'"
            assert not leaf.learned, f"{told} cannot be learned: it would be lost"
            assert leaf.name in case.fitted, f"{told} must come from fit(), which alone is done again"

    def test_encode_gives_the_declared_item_leaves(self, case: Case) -> None:
        check_codes(case, case.items, {"item"}, "encode")

    def test_fit_and_begin_give_the_declared_class_and_set_leaves(self, case: Case) -> None:
        twice = set(case.fitted) & set(case.begun)
        assert not twice, f"fit and begin both give {sorted(twice)}"
        check_codes(case, case.fitted | case.begun, {"class", "set"}, "fit and begin together")

    def test_encode_takes_every_item_by_itself(self, case: Case) -> None:
        """The framework encodes a whole training set in batches."""
        if any(leaf.coder is not None for leaf in case.codec.leaves()):
            pytest.skip("items are chosen to be written together, so what one is encoded as may depend on the others")
        s = case.codec.signals_per_item
        half = len(case.y) // 2
        parts = [case.encode(slice(0, half * s)), case.encode(slice(half * s, None))]
        for name, whole in case.items.items():
            told = f"leaf {name!r} of an item depends on the other items encoded with it"
            if isinstance(whole, Ragged):
                rows = [part.row(i) for part in (ragged(p, name) for p in parts) for i in range(len(part))]
                assert rows == [whole.row(i) for i in range(len(whole))], told
            else:
                assert_close(torch.cat([dense(p, name) for p in parts]), whole, told)

    def test_what_is_written_together_is_read_back_exactly(self, case: Case) -> None:
        coded = [leaf for leaf in case.codec.leaves() if leaf.coder is not None]
        if not coded:
            pytest.skip("no leaf has a coder")
        for leaf in coded:
            assert leaf.coder is not None
            values, again = dense(case.items, leaf.name), case.anew()
            data = leaf.coder.pack(values, case.y)
            coder = next(x.coder for x in again.leaves() if x.name == leaf.name)
            assert coder == leaf.coder, f"leaf {leaf.name!r}: coders of codecs with the same arguments must be equal"
            assert coder is not None
            assert torch.equal(coder.unpack(data, case.y), values), f"leaf {leaf.name!r} comes back changed"
            with pytest.raises(ValueError):
                coder.unpack(data[: len(data) // 2], case.y)

    def test_decode_gives_signals_of_every_item(self, case: Case) -> None:
        decoded = case.decode()
        signals, source, m = decoded.signals, decoded.source, len(case.y)
        assert tuple(signals.shape[1:]) == case.shape, f"decoded signals should have shape {case.shape}"
        assert signals.is_floating_point(), f"decoded signals are floats, found {signals.dtype}"
        assert bool(signals.isfinite().all()), "decoded signals must be finite"
        assert source.shape == (len(signals),), "source has one index for each decoded signal"
        assert source.dtype == torch.int64, f"source is int64, found {source.dtype}"
        assert bool(((source >= 0) & (source < m)).all()), f"source holds indices of the {m} items"
        counts = torch.bincount(source, minlength=m).tolist()
        assert len(set(counts)) == 1, f"every item gives the same number of signals, found {counts}"

    def test_decode_depends_on_codes_labels_and_seed_only(self, case: Case) -> None:
        before = {n: c.clone() if isinstance(c, Tensor) else c.values.clone() for n, c in case.codes.items()}
        first = case.decode(seed=5)
        torch.manual_seed(9)
        torch.rand(17)
        again = case.decode(seed=5)
        told = "with the same codes, labels and seed; draw from the generator that is passed in"
        assert torch.equal(first.signals, again.signals), f"decode gives other signals {told}"
        fresh = case.anew().decode(case.codes, case.y, torch.Generator().manual_seed(5))
        told = "by another instance of the codec; what decode needs must be in the codes"
        assert torch.equal(first.signals, fresh.signals), f"decode gives other signals {told}"
        for name, c in case.codes.items():
            now = c if isinstance(c, Tensor) else c.values
            assert torch.equal(now, before[name]), f"decode changed leaf {name!r} in place"

    def test_decode_of_a_subset_is_the_subset_of_decode(self, case: Case) -> None:
        whole = case.decode(seed=1)
        if not torch.equal(whole.signals, case.decode(seed=2).signals):
            pytest.skip("the decoder is stochastic")
        index = torch.tensor([len(case.y) - 1, 0, len(case.y) // 2])
        part = case.decode(rows=index)
        for i, item in enumerate(index.tolist()):
            told = f"item {item} decodes to other signals beside other items; are class leaves indexed by y?"
            assert_close(part.signals[part.source == i], whole.signals[whole.source == item], told)

    def test_gradients_reach_every_learned_leaf(self, case: Case) -> None:
        learned = case.learned()
        codes = case.codes | {n: dense(case.codes, n).clone().requires_grad_() for n in learned}
        signals = case.decode(codes=codes).signals
        weight = torch.randn(signals.shape, generator=torch.Generator().manual_seed(3))
        leaves = [dense(codes, n) for n in learned]
        grads = torch.autograd.grad((signals * weight).sum(), leaves, allow_unused=True)
        for name, grad in zip(learned, grads):
            assert grad is not None, f"no gradient reaches the learned leaf {name!r}"
            assert bool(grad.isfinite().all()), f"the gradient of leaf {name!r} is not finite"
            assert bool((grad != 0).any()), f"the gradient of leaf {name!r} is zero everywhere"

    def test_gradients_are_those_of_finite_differences(self, case: Case) -> None:
        learned, rows = case.learned(), torch.tensor([0, len(case.y) - 1])
        codes = with_floats(case.part(rows), torch.float64)

        def signals(*leaves: Tensor) -> Tensor:
            return case.decode(codes=codes | dict(zip(learned, leaves)), rows=rows, taken=True).signals

        inputs = [dense(codes, n).clone().requires_grad_() for n in learned]
        assert signals(*inputs).dtype == torch.float64, "float64 codes must decode to float64 signals"
        assert torch.autograd.gradcheck(signals, inputs, fast_mode=True, raise_exception=True)

    def test_bytes_are_as_declared(self, case: Case) -> None:
        rows = {"item": len(case.y), "class": case.target.n_classes, "set": 1}
        for leaf in case.codec.leaves():
            stored, value = leaf.row_bytes("float32")[0], case.codes[leaf.name]
            if isinstance(value, Tensor) and leaf.coder is None:
                found = value.numel() * value.element_size()
                declared = rows[leaf.scope] * stored
                assert found == declared, f"leaf {leaf.name!r} holds {found} bytes and declares {declared}"

    def test_the_budget_holds_items(self, case: Case) -> None:
        leaves, target = case.codec.leaves(), case.target
        cost = cost_of(leaves, target.storage)
        if any(leaf.coder is not None for leaf in leaves):
            tensors = (t for x in leaves for t in store_leaf(x, case.codes[x.name], target.storage, case.y).values())
            assert sum(t.numel() * t.element_size() for t in tensors) <= target.cap_bytes
        elif any(leaf.shape is None for leaf in leaves):
            rows = [c for c in case.items.values() if isinstance(c, Ragged)]
            sizes = [sum(len(c.row(i)) for c in rows) for i in range(len(case.y))]
            per_class = [[n for n, k in zip(sizes, case.y.tolist()) if k == j] for j in range(target.n_classes)]
            assert min(budget.pack(per_class, cost, target.cap_bytes)) >= 1
        else:
            assert budget.slots(cost, target.n_classes, target.cap_bytes) >= 1


def assert_close(found: Tensor, expected: Tensor, told: str) -> None:
    """Asserts equality up to float rounding, saying `told` where there is none."""
    assert found.shape == expected.shape, f"{told} (shape {tuple(found.shape)}, not {tuple(expected.shape)})"
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5), (
        f"{told} (largest difference {float((found - expected).abs().max()):.3g})"
    )


def check_codes(case: Case, codes: Codes, scopes: set[str], giver: str) -> None:
    """Asserts that `codes` are exactly the declared leaves of these scopes, in their shapes and types."""
    leaves = (*case.codec.leaves(), *case.codec.refitted())
    declared = {leaf.name: leaf for leaf in leaves if leaf.scope in scopes}
    assert set(codes) == set(declared), f"{giver} should give {sorted(declared)}; found {sorted(codes)}"
    for name, leaf in declared.items():
        value = codes[name]
        rows = {"item": (len(case.y),), "class": (case.target.n_classes,), "set": ()}[leaf.scope]
        if leaf.shape is None:
            assert isinstance(value, Ragged), f"leaf {name!r} has no fixed shape, so {giver} gives a Ragged"
            assert len(value) == len(case.y), f"leaf {name!r} should have {len(case.y)} rows, found {len(value)}"
            continue
        assert isinstance(value, Tensor), f"leaf {name!r} has a fixed shape, so {giver} gives a tensor"
        shape = (*rows, *leaf.shape)
        assert tuple(value.shape) == shape, f"leaf {name!r} should have shape {shape}, found {tuple(value.shape)}"
        dtype = getattr(torch, leaf.dtype)
        assert value.dtype == dtype, f"leaf {name!r} should be {dtype}, found {value.dtype}"
        assert not dtype.is_floating_point or bool(value.isfinite().all()), f"leaf {name!r} must be finite"
