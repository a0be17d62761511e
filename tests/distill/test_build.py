"""How a set is made: room, first items, picking until full, learning until it diverges."""

from __future__ import annotations

import pytest
import torch
from distill_helpers import CPU, LinearNetwork, MeanMatcher, Plain, Tiles, codes_of, data_of, target_of
from made_up_sets import card_for
from torch import Generator, Tensor

from ddbench import artifact
from ddbench.distill.build import first_task, learn_set
from ddbench.distill.initial import draw
from ddbench.distill.picking import Picking, take_items
from ddbench.distill.workshop import Built, Workshop
from ddbench.errors import BudgetError, DataError, PluginError
from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged
from ddbench.interfaces.method import MatcherConfig, Selector
from ddbench.leaf import Leaf
from ddbench.spec.cell import Cell


class Random(Selector):
    version, source = "1", "made up"

    def select(self, task, n):
        return task.draw(n)


class Letters(Codec):
    """Byte strings as long as the signal's first value says, and two bytes of header a set."""

    version, source = "1", "made up"
    differentiable = False

    def leaves(self) -> tuple[Leaf, ...]:
        text, label = (Leaf(n, "item", None, "uint8", learned=False) for n in ("text", "more"))
        return text, label, Leaf("header", "set", (2,), "uint8", learned=False), Leaf("v", "item", (), learned=False)

    def begin(self, x, y, generator) -> Codes:
        return {"header": torch.tensor([7, 9], dtype=torch.uint8)}

    def encode(self, x, y, shared: Codes) -> Codes:
        lengths = [length_of(float(v)) for v in x.flatten(1)[:, 0]]
        text, more = Ragged.of([bytes([n]) * n for n in lengths]), Ragged.of([b"z" * (n % 3) for n in lengths])
        return {"text": text, "more": more, "v": x.flatten(1)[:, 0]}

    def decode(self, codes: Codes, y, generator: Generator) -> Decoded:
        raise AssertionError("picking decodes nothing")


def length_of(value: float) -> int:
    return 1 + int(abs(value) * 37) % 23


def shop_of(codec: Codec, data, cap: int, space: str = "signal", seed: int = 2) -> Workshop:
    choice = {"name": "made_up"}
    cell = Cell.model_validate({
        "dataset": choice, "codec": choice, "method": choice, "network": choice, "space": space, "storage": "float32",
        "budget": {"bytes_per_class": 5}, "protocol": {}, "seed": seed,
        "versions": {"dataset": "rev-1", "codec": "1", "method": "1", "network": "1", "students": ["1"]},
    })  # fmt: skip
    return Workshop(cell, data, codec, LinearNetwork(), cap, CPU, {})


def packed_by_hand(shop: Workshop) -> list[list[int]]:
    """Training indices of each class, in turn in draw order, and one more where payload alone would fit."""
    order = draw(shop.data, shop.cell.budget, shop.cell.seed, min(len(m) for m in shop.data.members)).tolist()
    x = shop.data.signals(torch.arange(len(shop.data.train))).flatten(1)[:, 0]
    taken: list[list[int]] = [[] for _ in order]

    def with_next(k: int) -> tuple[int, int]:
        """(payload, side information): header and strings; offsets of two byte strings."""
        items = [i for row in taken for i in row] + [order[k][len(taken[k])]]
        lengths = [length_of(float(x[i])) for i in items]
        return 2 + sum(n + n % 3 + 4 for n in lengths), 2 * 4 * (len(items) + 1)

    stopped: set[int] = set()
    while len(stopped) < len(order):
        for k, row in enumerate(order):
            if k in stopped or len(taken[k]) == len(row) or sum(with_next(k)) > shop.cap_bytes:
                stopped.add(k)
            else:
                taken[k].append(row[len(taken[k])])
    for _, k in sorted((len(row), k) for k, row in enumerate(taken)):
        if len(taken[k]) < len(order[k]):
            payload, side = with_next(k)
            if payload <= shop.cap_bytes and 100 * (payload + side) <= 102 * shop.cap_bytes:
                taken[k].append(order[k][len(taken[k])])
                break
    return taken


@pytest.mark.parametrize("cap", [150, 400, 900, 1500, 100_000])
def test_varying_items_are_picked_in_draw_order_until_full(cap):
    data = data_of((40, 30, 60))
    shop = shop_of(Letters(None, target_of(data)), data, cap)
    built, wanted = Picking(shop, Random(None)).pick(), packed_by_hand(shop)
    assert list(built.counts) == [len(row) for row in wanted]
    if cap == 100_000:
        assert built.counts == (30, 30, 30)
    x = data.signals(torch.tensor([i for row in wanted for i in row])).flatten(1)[:, 0]
    text, more, v = (built.codes[n] for n in ("text", "more", "v"))
    assert torch.equal(v, x)
    lengths = [length_of(float(value)) for value in x]
    assert [text.row(i) for i in range(len(text))] == [bytes([n]) * n for n in lengths]
    assert [len(more.row(i)) for i in range(len(more))] == [n % 3 for n in lengths]
    assert built.codes["header"].tolist() == [7, 9]


class Spread(Selector):
    """n items spread evenly over the class: another choice for every n, as k-means makes."""

    version, source, nested = "1", "made up", False

    def select(self, task, n):
        rows = [task.members(k) for k in range(task.n_classes)]
        return torch.stack([m[torch.linspace(0, len(m) - 1, n).round().long()] for m in rows])


@pytest.mark.parametrize("cap", [400, 900, 1500])
def test_a_choice_that_depends_on_its_size_is_kept_whole(cap):
    data = data_of((40, 30, 60))
    shop = shop_of(Letters(None, target_of(data)), data, cap)
    built = Picking(shop, Spread(None)).pick()
    n = built.counts[0]
    assert built.counts == (n, n, n)
    members = [data.members[k] for k in range(3)]
    wanted = torch.cat([m[torch.linspace(0, len(m) - 1, n).round().long()] for m in members])
    assert torch.equal(built.codes["v"], data.signals(wanted).flatten(1)[:, 0])
    assert n < 30, "the cap should be what limits the choice"


def test_varying_items_that_do_not_fit_are_an_error():
    data = data_of((40, 30, 60))
    with pytest.raises(BudgetError, match="holds no item of class"):
        Picking(shop_of(Letters(None, target_of(data)), data, 30), Random(None)).pick()


def test_fixed_items_are_picked_as_many_as_fit():
    data = data_of()
    codec = Plain(None, target_of(data))
    row = 32 * 4
    built = Picking(shop_of(codec, data, 3 * row + 3 * 5 * row + 3 * row - 1), Random(None)).pick()
    assert built.counts == (5, 5, 5)
    index = draw(data, shop_of(codec, data, 1).cell.budget, 2, 5)
    assert torch.equal(built.codes["x"], data.signals(index.flatten()))
    assert built.notes == ()


def test_a_small_class_limits_a_choice_and_the_row_says_so():
    data = data_of()
    built = Picking(shop_of(Plain(None, target_of(data)), data, 10**6), Random(None)).pick()
    assert built.counts == (7, 7, 7)
    assert "the rarest class has signals for 7" in built.notes[0]
    tiles = Picking(shop_of(Tiles(target_of(data)), data, 10**6), Random(None)).pick()
    assert tiles.counts == (3, 3, 3)
    assert tiles.codes["z"].shape == (9, 2, 2, 4, 4)


@pytest.mark.parametrize("kind", [Tiles, Letters])
def test_a_class_too_small_for_one_item_is_an_error(kind):
    data = data_of((5, 1, 5))
    codec = kind(target_of(data)) if kind is Tiles else kind(None, target_of(data))
    codec.signals_per_item = 2
    with pytest.raises(DataError, match="stores 2 signals; the rarest class of 'made_up' has 1"):
        Picking(shop_of(codec, data, 10**6), Random(None)).pick()


def matcher(iterations: int, lr: float = 0.1) -> MeanMatcher:
    return MeanMatcher(MatcherConfig(iterations=iterations, lr=lr))


def learned(shop: Workshop, iterations: int, lr: float = 0.1) -> Built:
    return learn_set(shop, matcher(iterations, lr), None, lambda p: None)


@pytest.mark.parametrize("codec", [Plain, Tiles])
def test_learned_rows_start_from_the_draws_of_the_random_row(codec):
    data = data_of((20, 20, 20))
    made = codec(target_of(data)) if codec is Tiles else codec(None, target_of(data))
    shop = shop_of(made, data, 4096)
    start, picked = learned(shop, 0), Picking(shop, Random(None)).pick()
    assert set(start.codes) == {*picked.codes, "weight"}
    assert start.counts == picked.counts
    for name, value in picked.codes.items():
        assert torch.allclose(start.codes[name], value), name
    assert [x.name for x in start.extra] == ["weight"]


def test_the_matchers_leaves_are_charged():
    """Exactly room for two items a class and the side information; a byte less costs an item."""
    data = data_of()
    payload = 3 * 3 * 128
    assert (payload + 3 * 4) <= payload * 1.02
    assert learned(shop_of(Plain(None, target_of(data)), data, payload), 0).counts == (2, 2, 2)
    assert learned(shop_of(Plain(None, target_of(data)), data, payload - 1), 0).counts == (1, 1, 1)


def test_learned_rows_may_repeat_a_small_class():
    data = data_of()
    built = learned(shop_of(Plain(None, target_of(data)), data, 3 * 128 * 11), 0)
    assert built.counts == (10, 10, 10)
    x = built.codes["x"]
    assert torch.equal(x[10:13], x[17:20])


@pytest.mark.parametrize("space", ["signal", "code"])
def test_the_average_is_what_is_stored(space):
    data = data_of()
    shop = shop_of(Plain(None, target_of(data)), data, 2500, space)
    kept: list[dict[str, Tensor]] = []
    method = MeanMatcher(MatcherConfig(iterations=3, lr=0.1, ema=0.75))
    task = first_task(shop, method)

    def export() -> dict[str, Tensor]:
        return {name: value.clone() for name, value in task.export().items() if isinstance(value, Tensor)}

    first = export()
    stored = learn_set(shop, method, None, lambda p: kept.append(export()), task).codes
    expected = first["x"]
    for codes in kept:
        expected = 0.75 * expected + 0.25 * codes["x"]
    assert torch.allclose(stored["x"], expected, atol=1e-5)
    assert not torch.allclose(stored["x"], kept[-1]["x"], atol=1e-5)
    assert torch.equal(stored["weight"], kept[-1]["weight"]), "the matcher's own leaves are as they stand"


def test_other_first_items_keep_class_leaves_and_are_told():
    data = data_of()

    class Choosy(MeanMatcher):
        def prepare(self, task):
            return {"mean": task.real(torch.arange(len(task.labels))).mean()}

        def suits(self, task, prepared, x, y):
            return x.flatten(1).mean(1) > prepared["mean"]

        def first_extra(self, task):
            return {"weight": task.synthetic().flatten(1).mean(1)}

    shop = shop_of(Tiles(target_of(data)), data, 2500)
    plain, chosen = (learn_set(shop, kind(matcher(0).config), None, lambda p: None) for kind in (MeanMatcher, Choosy))
    assert torch.equal(plain.codes["shift"], chosen.codes["shift"])
    assert torch.equal(plain.codes["gain"], chosen.codes["gain"])
    assert not torch.equal(plain.codes["z"], chosen.codes["z"])
    assert not torch.equal(chosen.codes["weight"], torch.ones(3))
    assert any("not those of the row `random`" in note for note in chosen.notes)
    assert not plain.notes


def test_code_space_learns_the_same_first_items():
    data = data_of()
    start = learned(shop_of(Plain(None, target_of(data)), data, 2500, "code"), 0)
    moved = learned(shop_of(Plain(None, target_of(data)), data, 2500, "code"), 3)
    picked = Picking(shop_of(Plain(None, target_of(data)), data, 2500), Random(None)).pick()
    assert start.counts == picked.counts == (5, 5, 5)
    assert torch.allclose(start.codes["x"], picked.codes["x"], atol=1e-6)
    assert not torch.allclose(moved.codes["x"], start.codes["x"], atol=1e-4)
    assert torch.equal(moved.codes["offset"], start.codes["offset"])


def test_one_name_for_two_leaves_is_an_error():
    data = data_of()

    class Clash(MeanMatcher):
        def extra_leaves(self, n_classes):
            return (Leaf("x", "set", ()),)

    with pytest.raises(PluginError, match="both declare a leaf x"):
        learn_set(shop_of(Plain(None, target_of(data)), data, 4096), Clash(matcher(1).config), None, lambda p: None)


def test_a_diverging_row_keeps_its_last_good_items_and_says_so():
    data = data_of()
    built = learned(shop_of(Plain(None, target_of(data)), data, 4096), 50, lr=1e38)
    assert built.divergence is not None
    assert all(c.isfinite().all() for c in built.codes.values())
    assert learned(shop_of(Plain(None, target_of(data)), data, 4096), 3).divergence is None


def test_taking_rows_leaves_class_and_set_leaves_whole():
    data = data_of()
    codec = Letters(None, target_of(data))
    codes, _ = codes_of(data, codec, 3)
    taken = take_items(codes, codec.leaves(), [0, 4, 8])
    assert torch.equal(taken["v"], codes["v"][[0, 4, 8]])
    assert [taken["text"].row(i) for i in range(3)] == [codes["text"].row(i) for i in (0, 4, 8)]
    assert torch.equal(taken["header"], codes["header"])


def test_each_signal_of_a_stored_set_names_the_item_it_came_from(tmp_path, monkeypatch):
    """Two signals an item, decoded tile by tile: what belongs to an item, a label of its own, holds for both."""
    data = data_of(shape=(1, 4, 4), sizes=(4, 4))
    codec = Tiles(target_of(data))
    codes, labels = codes_of(data, codec, 2)
    artifact.save(tmp_path, card_for(list(codec.leaves()), (2, 2)), codes)
    stored = artifact.load(tmp_path)
    monkeypatch.setattr(type(stored), "codec", lambda self: codec)
    x, source = stored.decode_items()
    assert source.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    for i, signal in zip(source.tolist(), x):
        twins = [codes["z"][i, t] * codes["gain"] + codes["shift"][labels[i]] for t in range(2)]
        assert any(torch.allclose(signal, twin, atol=1e-5) for twin in twins)
    assert torch.equal(stored.decode()[1], labels[source])
