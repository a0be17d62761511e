"""The contract tests fail for codecs that break the contract, each by the test that is about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from ddbench_codecs.identity import Identity
from torch import Tensor

from ddbench.errors import BudgetError, SpecError
from ddbench.interfaces.codec import Codec, Codes, Decoded
from ddbench.interfaces.plugin import PluginConfig
from ddbench.leaf import Leaf
from ddbench.testing.codec_case import case_of
from ddbench.testing.codecs import CodecContract

SHAPE = (2, 6)


def check(codec_class: type[Codec], test: str) -> None:
    """Runs one contract test on one codec."""

    class Contract(CodecContract):
        codec = codec_class
        shapes = (SHAPE,)

    getattr(Contract(), test)(case_of(Contract, SHAPE))


def variant(**changes: Any) -> type[Codec]:
    return type("Variant", (Identity,), changes)


def decoding(change: Callable[[Tensor, Tensor, torch.Generator], Tensor]) -> type[Codec]:
    """The identity codec with something done to its signals."""

    def decode(self: Codec, codes: Codes, y: Tensor, generator: torch.Generator) -> Decoded:
        x = codes["x"]
        assert isinstance(x, Tensor)
        return Decoded(change(x, y, generator), torch.arange(len(x)))

    return variant(decode=decode)


def encoding(change: Callable[[Tensor], Codes]) -> type[Codec]:
    return variant(encode=lambda self, x, y, shared: change(x))


def leaves(*declared: Leaf) -> type[Codec]:
    return variant(leaves=lambda self: declared)


def counting(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    calls.append(1)
    return x + len(calls)


calls: list[int] = []
X = Leaf("x", "item", SHAPE)
ENCODE = "test_encode_gives_the_declared_item_leaves"
SHARED = "test_fit_and_begin_give_the_declared_class_and_set_leaves"
DECODE = "test_decode_gives_signals_of_every_item"
ALONE = "test_decode_depends_on_codes_labels_and_seed_only"
SUBSET = "test_decode_of_a_subset_is_the_subset_of_decode"
REACH = "test_gradients_reach_every_learned_leaf"
DIFFERENCES = "test_gradients_are_those_of_finite_differences"

BROKEN: list[tuple[str, type[Codec]]] = [
    ("test_leaves_are_valid", leaves(X, X)),
    ("test_leaves_are_valid", leaves(Leaf("x", "set", SHAPE))),
    ("test_leaves_are_valid", leaves(X, Leaf("mask", "class", (3,), dtype="uint8"))),
    ("test_leaves_are_valid", leaves(X, Leaf("bytes", "class", None, dtype="uint8", learned=False))),
    ("test_leaves_are_valid", variant(differentiable=False, code_leaf=None)),
    ("test_code_leaf_names_an_item_leaf", variant(code_leaf="z")),
    (ENCODE, encoding(lambda x: {"x": x[:, :1]})),
    (ENCODE, encoding(lambda x: {"x": x.double()})),
    (ENCODE, encoding(lambda x: {"x": x, "more": x})),
    (ENCODE, encoding(lambda x: {"x": x / 0})),
    (SHARED, variant(begin=lambda self, x, y, generator: {"mask": x})),
    ("test_encode_takes_every_item_by_itself", encoding(lambda x: {"x": x - x.mean(0)})),
    (DECODE, decoding(lambda x, y, g: x[:, :, 1:])),
    (DECODE, decoding(lambda x, y, g: x[1:])),
    (DECODE, decoding(lambda x, y, g: x * float("nan"))),
    (ALONE, decoding(lambda x, y, g: x + torch.rand(1))),
    (ALONE, decoding(counting)),
    (ALONE, decoding(lambda x, y, g: x.add_(1))),
    (SUBSET, decoding(lambda x, y, g: x + x.mean(0))),
    (SUBSET, decoding(lambda x, y, g: x + torch.arange(len(x))[:, None, None])),
    (REACH, decoding(lambda x, y, g: x * 0)),
    (DIFFERENCES, decoding(lambda x, y, g: x.float())),
    (DIFFERENCES, decoding(lambda x, y, g: x * x.detach())),
    ("test_bytes_are_as_declared", leaves(Leaf("x", "item", (2, 5)))),
    ("test_the_budget_holds_items", leaves(Leaf("x", "item", (2**23,)))),
]


@pytest.mark.parametrize(("test", "codec"), BROKEN, ids=[f"{i}-{t}" for i, (t, _) in enumerate(BROKEN)])
def test_a_broken_codec_fails(test: str, codec: type[Codec]) -> None:
    check(Identity, test)
    with pytest.raises((AssertionError, RuntimeError, BudgetError)):
        check(codec, test)


def test_a_stochastic_decoder_that_draws_from_its_generator_passes() -> None:
    noisy = decoding(lambda x, y, g: x + torch.rand(x.shape, generator=g, dtype=x.dtype))
    for test in (DECODE, ALONE, REACH, DIFFERENCES):
        check(noisy, test)
    with pytest.raises(pytest.skip.Exception, match="stochastic"):
        check(noisy, SUBSET)


class Nowhere(Identity):
    def __init__(self, config: PluginConfig | None, target: Any) -> None:
        raise SpecError("no shape is good enough")


class RefusesByBudgetError(Identity):
    def __init__(self, config: PluginConfig | None, target: Any) -> None:
        raise BudgetError("not the error for a shape")


class Undocumented(Identity):
    class Config(PluginConfig):
        width: int = 3


def test_refusals_and_declarations() -> None:
    class Contract(CodecContract):
        codec: Any

    contract = Contract()
    for codec, told in ((Nowhere, "every shape"), (RefusesByBudgetError, "SpecError")):
        contract.codec = codec
        with pytest.raises((AssertionError, pytest.fail.Exception), match=told):
            contract.test_takes_a_shape_and_refuses_with_spec_errors()
    contract.codec = Undocumented
    with pytest.raises(AssertionError, match="width"):
        contract.test_declares_itself()
