"""Hours of a plan: operations against a count by hand, what is shared counted once, what is not known said."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
from small_cells import small_cell

from ddbench import registry
from ddbench.errors import PluginError
from ddbench.interfaces import parts
from ddbench.interfaces.codec import CodecWork
from ddbench.interfaces.network import measures
from ddbench.interfaces.parts import GRAPH, values_at_once
from ddbench.networks.gradient_boosting import GradientBoosting, GradientBoostingConfig
from ddbench.planning.facts import card_of, parts_of
from ddbench.planning.hours import AUGMENTED, FORTH_AND_BACK, RUNTIME_BYTES, SHARE, Work, flop_rate, seconds
from ddbench.planning.plan import plan, work_s
from ddbench.planning.room import room_of
from ddbench.spec.cell import Cell, Choice


def test_a_networks_operations_are_those_counted_by_hand() -> None:
    found = measures(registry.build("network", "convnet", {"width": 8}), (3, 32, 32), 10)
    sides, channels = (32, 16, 8), (3, 8, 8)
    convolutions = sum(2 * 8 * c * 9 * side**2 for c, side in zip(channels, sides))
    assert found.flop == convolutions + 2 * 8 * prod((4, 4)) * 10
    assert measures(registry.build("network", "mlp", {}), (30,), 10).flop == 2 * (30 * 128 + 128 * 128 + 128 * 10)


def test_updates_follow_the_method_and_students_the_schedule() -> None:
    few, many, chosen = plan(
        [small_cell(method="dm", iterations=10), small_cell(method="dm", iterations=20), small_cell(method="random")]
    )
    assert few.work.updates is not None
    assert many.work.updates == pytest.approx(2 * few.work.updates)
    assert few.work.students == many.work.students == chosen.work.students
    flop = measures(registry.build("network", "auto", {"width": 8}), (1, 8, 8), 10).flop
    real, items = 10 * 16, 10 * 2
    assert few.work.updates == 10 * (real + 3 * items) * flop
    assert chosen.work.updates == 0
    longer = plan([small_cell(method="random", epochs=50)])[0]
    tested = 2 * 2 * flop * 359  # two students, two columns, the test set of the digits
    assert longer.work.students - tested == pytest.approx(10 * (chosen.work.students - tested), rel=0.01)


def test_trees_cost_what_there_are_classes_items_and_trees() -> None:
    few, many = (GradientBoosting(GradientBoostingConfig(trees=n)) for n in (10, 20))
    assert few.work(20, 64, 10) == 10 * few.work(20, 64, 2)
    assert many.work(20, 64, 2) == 2 * few.work(20, 64, 2)
    assert few.work(20_000, 64, 2) > few.work(200, 64, 2) > few.work(2, 64, 2) > 0


def test_an_estimator_is_fitted_once_for_all_columns_and_counts_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GradientBoosting, "work", lambda self, items, values, n_classes: items * values * n_classes)
    alone = small_cell(method="random")
    both = (*alone.protocol.networks, Choice(name="gradient_boosting", args={}))
    beside = alone.model_copy(update={"protocol": alone.protocol.model_copy(update={"networks": both})})
    added = plan([beside])[0].work.students - plan([alone])[0].work.students
    assert added == 2 * (10 * 2) * 64 * 10  # two students on two digits a class


def test_experts_that_cells_share_count_once() -> None:
    args = {"iterations": 1, "syn_steps": 1, "experts": 2, "expert_epochs_total": 3, "max_start": 1}
    cells = [small_cell(method="mtt", seed=seed, **args) for seed in (0, 1)]
    one, both = work_s(plan(cells[:1]), 1e9), work_s(plan(cells), 1e9)
    made = sum(plan(cells)[0].work.shared.values()) / (SHARE * 1e9)
    assert made > 0
    assert both == pytest.approx(2 * one - made)


def test_a_method_that_does_not_say_adds_nothing() -> None:
    assert seconds([Work(None, SHARE * 1e9)], 1e9) == pytest.approx(1)


def test_a_machine_is_measured() -> None:
    assert 1e7 < flop_rate("cpu") < 1e14


def test_memory_grows_with_what_goes_through_a_network_at_once() -> None:
    found = measures(registry.build("network", "mlp", {}), (30,), 10)
    assert found.activations == 30 + 2 * (128 + 128) + 10  # flattened, two linear layers with ReLU, the last one
    few, many = plan([small_cell(method="random", ipc=2), small_cell(method="random", ipc=8)])
    assert (many.memory_bytes - RUNTIME_BYTES) == pytest.approx(4 * (few.memory_bytes - RUNTIME_BYTES), rel=0.01)
    coded = plan([small_cell(method="dm", space="code")])[0]
    assert coded.memory_bytes > plan([small_cell(method="dm")])[0].memory_bytes


def grey(**how: Any) -> Cell:
    """A cell on the latents of a small autoencoder that ships with the package."""
    return with_versions(small_cell(codec="autoencoder", codec_args={"model": "shipped:grey_f4_mnist"}, **how))


def with_versions(found: Cell) -> Cell:
    """The cell with the version that its codec's weights give."""
    config = registry.configure("codec", found.codec.name, found.codec.args)
    weights = registry.load("codec", found.codec.name).version_with(config)
    return found.model_copy(update={"versions": found.versions.model_copy(update={"codec": weights})})


def test_a_decoder_counts_in_every_update_that_a_gradient_passes_through_it() -> None:
    plain, few, many, chosen, code = plan(
        [
            small_cell(method="dm"),
            grey(method="dm", iterations=10),
            grey(method="dm", iterations=20),
            grey(method="random"),
            grey(method="dm", space="code"),
        ]
    )
    codec = parts_of(few.cell).codec
    took, items = codec.work(), 10 * (few.slots or 0)
    assert 0 < took.encode < 1e9
    assert 0 < took.decode < 1e9
    assert plain.work.coding == 0
    assert chosen.work.coding == code.work.coding == items * (took.encode + took.decode)
    passes = 2 if codec.chunk_of(items) is None else 3
    assert few.work.coding == pytest.approx(items * (took.encode + (1 + 10 * passes) * took.decode))
    assert many.work.coding - few.work.coding == pytest.approx(10 * passes * items * took.decode)


def test_a_gradient_that_moves_a_decoders_weights_costs_its_way_to_them() -> None:
    few, many = (
        plan([small_cell(codec="inr", method="dm", codec_args={"hidden": 2}, iterations=n)])[0] for n in (10, 20)
    )
    codec = parts_of(few.cell).codec
    took, items = codec.work(), 10 * (few.slots or 0)
    assert codec.chunk_of(items) is None, "all are decoded at once"
    assert took.weights == took.decode > 0
    assert many.work.coding - few.work.coding == pytest.approx(10 * 3 * items * took.decode)


def test_codes_of_a_data_set_count_once_for_all_cells_that_share_them() -> None:
    cells = [grey(method=method, space="code", seed=seed) for method in ("dm", "herding") for seed in (0, 1)]
    found = plan(cells)
    took = parts_of(cells[0]).codec.work()
    (name,) = {name for p in found for name in p.work.shared}
    assert {p.work.shared[name] for p in found} == {card_of(cells[0].dataset).train_size * took.encode}
    alone = sum(work_s([p], 1e9) for p in found)
    assert alone - work_s(found, 1e9) == pytest.approx(3 * found[0].work.shared[name] / (SHARE * 1e9))
    assert not plan([grey(method="dm")])[0].work.shared
    assert not plan([grey(method="random", space="code")])[0].work.shared, "it looks at no values"
    both = cells[0].protocol.model_copy(update={"student_spaces": ("signal", "code")})
    tested = plan([cells[0], cells[0].model_copy(update={"protocol": both})])
    card = card_of(cells[0].dataset)
    codes = tested[0].work.shared | tested[1].work.shared
    assert sum(codes.values()) == (card.train_size + card.test_size) * took.encode
    assert not plan([small_cell(codec="downsample", method="dm", space="code")])[0].work.shared


@pytest.mark.parametrize("chunk", [3, 1000])
def test_memory_of_a_decoder_is_that_of_what_it_decodes_at_once(chunk: int) -> None:
    """Chunks come one by one when the network's way back is done; without, decoder and network are held at once."""
    args = {"model": "shipped:grey_f4_mnist", "decode_chunk": chunk}
    cell = with_versions(small_cell(codec="autoencoder", method="dm", codec_args=args))
    found, parts = plan([cell])[0], parts_of(cell)
    took, room = parts.codec.work(), room_of(cell, parts)
    network = FORTH_AND_BACK * 4 * parts.method.values_at_once(room) * room.network.activations
    values = AUGMENTED * 4 * (room.all_values + 10 * 16) * prod(room.shape)
    items = 10 * (found.slots or 0)
    decoding = min(chunk, items) * took.gradient_bytes
    assert items > 3
    assert min(took.gradient_bytes, took.pass_bytes, network) > 0
    matching = decoding + network if chunk > items else max(decoding, network)
    alone = items * took.pass_bytes
    assert found.memory_bytes == RUNTIME_BYTES + values + took.networks_bytes + max(matching, alone)


def test_memory_of_codes_is_that_of_a_batch_that_is_encoded() -> None:
    chosen, coded = (plan([grey(method=method, space="code")])[0] for method in ("random", "herding"))
    took = parts_of(coded.cell).codec.work()
    assert took.networks_bytes > 4 * 200_000, "weights in float32"
    assert took.most_at_once is not None
    assert coded.memory_bytes - chosen.memory_bytes > 0
    assert coded.memory_bytes == RUNTIME_BYTES + took.networks_bytes + min(512, took.most_at_once) * took.pass_bytes


def test_a_set_no_larger_than_a_chunk_is_decoded_once() -> None:
    work = {}
    for chunk in (3, 1000):
        for n in (10, 20):
            args = {"model": "shipped:grey_f4_mnist", "decode_chunk": chunk}
            cell = with_versions(small_cell(codec="autoencoder", method="dm", codec_args=args, iterations=n))
            work[chunk, n] = plan([cell])[0].work.coding
    decoded = 10 * 10 * (plan([cell])[0].slots or 0) * parts_of(cell).codec.work().decode
    assert work[3, 20] - work[3, 10] == pytest.approx(3 * decoded)
    assert work[1000, 20] - work[1000, 10] == pytest.approx(2 * decoded)


def test_what_a_codec_says_of_its_operations_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.load("codec", "identity"), "work", lambda self: 3.0)
    with pytest.raises(PluginError, match=r"'identity' gives 3.0 from work"):
        plan([small_cell(method="random")])


@pytest.mark.parametrize("name", ["decode", "networks_bytes", "pass_bytes", "most_at_once"])
@pytest.mark.parametrize("wrong", ["3", -1, float("nan"), float("inf")])
def test_what_a_codec_says_is_finite(monkeypatch: pytest.MonkeyPatch, name: str, wrong: Any) -> None:
    said = CodecWork(**{name: wrong})
    monkeypatch.setattr(registry.load("codec", "identity"), "work", lambda self: said)
    with pytest.raises(PluginError, match="should be finite"):
        plan([small_cell(method="random")])


@pytest.mark.parametrize(("method", "passes"), [("dm", 1), ("dc", 3), ("mtt", 3)])
def test_memory_of_large_values_is_that_of_a_part(method: str, passes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a part has fewer values than a class, no more than a part of them is held by the network at once."""
    (cell,) = (small_cell(method=method, ipc=200),)
    room = room_of(cell, parts_of(cell))
    whole = plan([cell])[0].memory_bytes
    monkeypatch.setattr(parts, "POSITIONS", 1)
    part = values_at_once(room.shape, GRAPH)
    assert part < room.values
    of_students = FORTH_AND_BACK * 4 * values_at_once(room.shape) * room.network.activations
    of_real = min(32, values_at_once(room.shape)) if method == "dc" else 0
    matching = FORTH_AND_BACK * 4 * max(of_real, passes * part) * room.network.activations
    real = {"dm": 16, "dc": room.smallest_class, "mtt": 0}[method]
    values = AUGMENTED * 4 * (room.all_values + 10 * real) * prod(room.shape)
    assert plan([cell])[0].memory_bytes == RUNTIME_BYTES + values + max(matching, of_students)
    assert plan([cell])[0].memory_bytes < whole
