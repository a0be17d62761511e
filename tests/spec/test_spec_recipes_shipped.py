"""The recipes that ship: valid with the real plug-ins, and what the papers' tables say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddbench import registry
from ddbench.errors import SpecError
from ddbench.planning.expand import expand
from ddbench.planning.load import check
from ddbench.planning.recipes import check_recipes
from ddbench.result.io import read_result
from ddbench.spec.cell import Cell
from ddbench.spec.find import list_recipes
from ddbench.spec.yaml import parse, read

FIVE = ["mnist", "fashion_mnist", "svhn", "cifar10", "cifar100"]
LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
PAPERS, SMALL = "{auto: {width: 128}}", "{auto: {width: 32}}"
TRIALS = Path(__file__).parents[2] / "leaderboard" / "trials" / "fashion_mnist_reduced"


pytestmark = pytest.mark.usefixtures("built_ins")


def cell_of(
    method: str,
    dataset: str,
    ipc: float,
    codec: str = "identity",
    space: str = "signal",
    network: str = PAPERS,
    more: str = "recipes: published",
) -> Cell:
    block = f"datasets: {dataset}, codecs: {codec}, methods: {method}, spaces: {space}, budgets: {{ipc: {ipc}}}"
    text = f"ddbench: 1\nname: t\ngrid: {{{block}, network: {network}, {more}}}"
    (cell,) = expand(check(parse(text, "t")))
    return cell


@pytest.mark.parametrize("name", list(list_recipes()))
def test_shipped_recipes_are_valid_and_described(name):
    recipes = check_recipes(read(list_recipes()[name]))
    assert recipes.name == name
    assert recipes.description
    for rule in recipes.rules:
        assert rule.when.dataset, "what ships is for the sets that its source tried"
        anywhere = {m.name for m in rule.when.method} == {"dm"}  # one recipe for every size of the set
        assert rule.when.budget or anywhere or rule.found == "adapted", "a claim names the budget that its source ran"
        for choice in rule.when.method:
            registry.configure("method", choice.name, rule.args | choice.args)
        assert rule.found != "validation" or "leaderboard/trials" in rule.source, "a choice shows its trials"
        assert name != "published" or rule.found != "validation"
        assert rule.found == "adapted" or rule.found_with
        for where in rule.found_with:
            assert all((where.codec, where.space, where.network, where.method))
            assert where.storage == ("float32",)
            assert all(choice.args["ema"] == 0 for choice in where.method)
            assert {c.name for c in rule.when.method} <= {c.name for c in where.method} | {"dc"}
            assert all("width" in choice.args for choice in where.network)


@pytest.mark.parametrize("dataset", FIVE)
@pytest.mark.parametrize("ipc", list(LOOPS))
@pytest.mark.parametrize("method", ["dc", "dsa", "dm"])
def test_gradient_and_distribution_matching_are_complete(method, dataset, ipc):
    cell = cell_of(method, dataset, ipc)
    wanted: dict[str, object] = {"lr": 0.1, "momentum": 0.5, "real_batch": 256}
    if method == "dm":
        wanted |= {"iterations": 20000, "lr": 1.0}
    else:
        outer, inner = LOOPS[ipc]
        wanted |= {"iterations": 1000 * outer, "outer": outer, "inner": inner, "distance": "ours", "lr_net": 0.01}
        wanted |= {"net_batch": 256, "init": "noise" if method == "dc" else "real"}
    (use,) = cell.recipe
    assert use.args == wanted
    tried = method != "dm" or ipc in (1, 10, 50)
    assert (use.name, use.found) == ("published", "published" if tried else "adapted")
    assert wanted.items() <= cell.method.args.items()


@pytest.mark.parametrize(
    ("ipc", "lr", "found"), [(99, 1.0, "adapted"), (100, 10.0, "published"), (1000, 10.0, "published")]
)
def test_dm_on_large_sets_of_cifar10(ipc, lr, found):
    cell = cell_of("dm", "cifar10", ipc)
    assert (cell.method.args["lr"], [use.found for use in cell.recipe]) == (lr, [found])
    assert cell_of("dm", "cifar100", ipc).method.args["lr"] == 1.0


MTT = {  # student steps, expert epochs, starts, rates of images and step size, first step size, batch; published plain
    ("cifar10", 1): (50, 2, 2, 1e2, 1e-7, 0.01, None, False),
    ("cifar10", 10): (30, 2, 20, 1e2, 1e-5, 0.001, None, False),
    ("cifar10", 50): (30, 2, 40, 1e3, 1e-5, 0.001, None, True),
    ("cifar100", 1): (20, 3, 20, 1e3, 1e-5, 0.01, None, False),
    ("cifar100", 10): (20, 2, 20, 1e3, 1e-5, 0.01, None, True),
    ("cifar100", 50): (80, 2, 40, 1e3, 1e-5, 0.01, 125, False),
    ("mnist", 1): (50, 2, 5, 1e2, 1e-7, 0.01, None, False),
    ("mnist", 10): (30, 2, 15, 1e2, 1e-5, 0.01, None, False),
    ("fashion_mnist", 1): (50, 2, 5, 1e2, 1e-7, 0.01, None, False),
    ("fashion_mnist", 10): (60, 2, 15, 1e2, 1e-5, 0.01, None, False),
}
TESLA = {
    ("cifar10", 1): (50, 2, 5, 1e3 / 2, 1e-7, 0.01, None, True),
    ("cifar100", 50): (80, 2, 40, 1e3 / 2, 1e-5, 0.01, 125, False),
}


DATM = {  # steps, expert epochs, starts from, below, at first below, until, rates (items, α, labels), batch, ema, loss
    ("cifar10", 1): (80, 2, 0, 4, None, None, 1e2, 1e-7, 5, 10, 0.995, 1.1),
    ("cifar10", 10): (80, 2, 0, 20, 10, 1000, 1e2, 1e-5, 2, 100, 0.9995, 1.0),
    ("cifar10", 50): (80, 2, 0, 40, 20, 2000, 1e3, 1e-5, 2, 500, 0.995, 1.0),
    ("cifar10", 500): (40, 2, 40, 60, None, None, 50, 1e-5, 10, 1000, 0.995, 1.0),
    ("cifar10", 1000): (100, 2, 40, 60, None, None, 50, 1e-5, 10, 1000, 0.995, 1.0),
    ("cifar100", 10): (80, 2, 0, 50, 30, 2000, 1e3, 1e-5, 10, None, 0.9995, 1.0),
    ("cifar100", 50): (80, 2, 20, 70, None, None, 1e3, 1e-5, 10, 1000, 0.9995, 1.0),
    ("cifar100", 100): (80, 2, 30, 70, None, None, 50, 1e-5, 10, 1000, 0.9995, 1.0),
}


@pytest.mark.parametrize(("dataset", "ipc"), list(DATM))
def test_datm_comes_with_soft_labels(dataset, ipc):
    cell = cell_of("{mtt: {soft_labels: true}}", dataset, ipc)
    (use,) = cell.recipe
    assert use.found == "adapted"
    assert "2310.05773" in use.source
    names = ("syn_steps", "expert_epochs", "min_start", "max_start", "first_max_start", "grow_until", "lr", "lr_lr")
    every = registry.configure("method", "mtt", cell.method.args)
    found = [getattr(every, name) for name in (*names, "lr_label", "batch_syn", "ema", "loss_threshold")]
    assert tuple(found) == DATM[dataset, ipc]
    assert (every.lr_teacher, every.label_momentum, every.iterations) == (0.01, 0.9, 10000)
    assert (every.experts, every.expert_epochs_total) == (100, 100)
    assert every.first_items == ("random" if (dataset, ipc) == ("cifar100", 50) else "correct")


def test_datm_on_cifar100_has_no_room_for_an_image_and_its_label_at_one():
    with pytest.raises(SpecError, match=r"cifar100.*no item"):
        cell_of("{mtt: {soft_labels: true}}", "cifar100", 1)
    cell = cell_of("{mtt: {soft_labels: true}}", "cifar100", 1, "{downsample: {factor: 2}}")
    args = cell.method.args
    names = ("syn_steps", "expert_epochs", "max_start", "first_max_start", "grow_until", "lr", "lr_label", "ema")
    assert tuple(args[name] for name in names) == (40, 3, 20, 10, 1000, 1e3, 10, 0.9995)


def test_ftd_is_mtt_with_an_average_and_later_starts_on_cifar100():
    assert cell_of("{mtt: {ema: 0.9995}}", "cifar100", 10).method.args["max_start"] == 40
    assert row(cell_of("{mtt: {ema: 0.9995}}", "cifar10", 10)) == MTT["cifar10", 10]


def row(cell: Cell) -> tuple[object, ...]:
    names = ("syn_steps", "expert_epochs", "max_start", "lr", "lr_lr", "lr_teacher", "batch_syn")
    (use,) = cell.recipe
    assert (use.found == "published") or any(word in use.source for word in ("whitened", "Chosen", "2203.11932"))
    return (*(cell.method.args[name] for name in names), use.found == "published")


@pytest.mark.parametrize(("dataset", "ipc"), list(MTT))
def test_trajectory_matching(dataset, ipc):
    cell = cell_of("mtt", dataset, ipc)
    assert row(cell) == MTT[dataset, ipc]
    assert cell.method.args["iterations"] == iterations(dataset)
    assert (cell.method.args["experts"], cell.method.args["expert_epochs_total"]) == (100, 50)
    assert row(cell_of("{mtt: {differentiate: unroll}}", dataset, ipc)) == MTT[dataset, ipc]


@pytest.mark.parametrize(("dataset", "ipc"), list(MTT))
def test_tesla_has_its_own_rates_or_those_of_mtt_as_adapted(dataset, ipc):
    cell = cell_of("{mtt: {differentiate: tesla}}", dataset, ipc)
    assert row(cell) == TESLA.get((dataset, ipc), (*MTT[dataset, ipc][:-1], False))
    assert cell.method.args["iterations"] == (10000 if TESLA.get((dataset, ipc), [0])[-1] else iterations(dataset))


def iterations(dataset: str) -> int:
    return 15000 if "mnist" in dataset else 5000


def test_other_codecs_and_spaces_are_adapted():
    twin = cell_of("dc", "mnist", 10)
    for codec, space in (("{downsample: {factor: 2}}", "signal"), ("dct", "signal"), ("identity", "code")):
        cell = cell_of("dc", "mnist", 10, codec, space)
        assert [use.found for use in cell.recipe] == ["adapted"]
        assert cell.method == twin.method
    cell = cell_of("dsa", "mnist", 10, "{pca: {components: 8}}", "code")
    assert (cell.method.args["lr"], cell.method.args["init"]) == (0.01, "real")
    assert [use.found for use in cell.recipe] == ["adapted", "adapted"]


@pytest.mark.parametrize(
    ("method", "dataset", "ipc"),
    [
        ("dc", "mnist", 5),
        ("dc", "fashion_mnist_small", 1),
        ("mtt", "svhn", 1),
        ("mtt", "cifar10", 20),
        ("dm", "digits", 1),
    ],
)
def test_what_nobody_published_has_no_recipe(method, dataset, ipc):
    with pytest.raises(SpecError, match=f"no rule is for {method} with .* on {dataset} at {ipc} ipc. There are"):
        cell_of(method, dataset, ipc)


def found(cell: Cell) -> set[str]:
    return {use.found for use in cell.recipe}


@pytest.mark.parametrize(
    ("network", "wanted"),
    [
        ("auto", "published"), ("convnet", "published"), ("{convnet: {depth: 3}}", "published"),
        ("{convnet: {width: 8}}", "adapted"), ("{convnet: {depth: 2}}", "adapted"),
        ("{auto: {norm: batch}}", "adapted"),
        ("{auto: {width: 32}}", "adapted"), ("mlp", "adapted"), ("{convnet: {pooling: max}}", "adapted"),
    ],
)  # fmt: skip
def test_published_is_for_the_networks_of_the_papers(network, wanted):
    for method, ipc in (("dc", 10), ("dsa", 1), ("dm", 50), ("mtt", 50), ("{mtt: {differentiate: tesla}}", 1)):
        assert found(cell_of(method, "cifar10", ipc, network=network)) == {wanted}


@pytest.mark.parametrize(
    ("method", "ipc", "changes"),
    [
        ("dc", 10, ["ema: 0.9"]),
        ("dsa", 10, ["ema: 0.9"]),
        ("dm", 100, ["ema: 0.9", "pool: 20"]),
        ("dm", 10, ["ema: 0.9", "pool: 20"]),
        ("mtt", 50, ["ema: 0.9", "first_items: correct", "loss_threshold: 1.0", "soft_labels: true",
                     "first_max_start: 20, grow_until: 9", "min_step_size: 0.001", "expert_dtype: float16"]),
    ],
)  # fmt: skip
def test_a_variant_of_a_method_is_adapted(method, ipc, changes):
    assert found(cell_of(method, "cifar10", ipc)) == {"published"}
    assert found(cell_of(f"{{{method}: {{ema: 0}}}}", "cifar10", ipc)) == {"published"}, "a default that is written"
    for change in changes:
        assert found(cell_of(f"{{{method}: {{{change}}}}}", "cifar10", ipc)) == {"adapted"}
        more = f"settings: {{method_args: {{{change}}}}}, recipes: published"
        if "soft_labels" not in change:  # which rules have to see in the entry or the settings alike, and do
            assert found(cell_of(method, "cifar10", ipc, more=more)) == {"adapted"}


def test_published_is_for_float32():
    more = "recipes: published, storage: "
    assert found(cell_of("dc", "mnist", 10, more=more + "float32")) == {"published"}
    assert found(cell_of("dc", "mnist", 10, more=more + "float16")) == {"adapted"}


def trials() -> list[Cell]:
    """The learned cells that were tried on the validation split."""
    cells = [read_result(path).cell for path in sorted(TRIALS.glob("*/result.json"))]
    return [cell for cell in cells if cell.method.name != "random"]


def test_the_reduced_recipes_say_validation_of_just_what_was_tried_and_chosen():
    """A cell has `validation` where its rates were compared there and its own came out, as the README's table says."""
    rates: dict[tuple[str, str, str], set[float]] = {}
    for cell in trials():
        rates.setdefault((cell.method.name, cell.codec.name, cell.space), set()).add(cell.method.args["lr"])
    compared = {key for key, tried in rates.items() if len(tried) == 2} - {("dc", "downsample", "code")}
    assert len(compared) == 9
    for method in ("dc", "dsa", "dm", "mtt"):
        for codec in ("identity", "downsample"):
            for space in ("signal", "code"):
                cell = cell_of(method, "fashion_mnist", 1, codec, space, SMALL, "recipes: reduced")
                wanted = "validation" if (method, codec, space) in compared else "adapted"
                assert found(cell) == {wanted}, (method, codec, space)
                assert {use.version for use in cell.recipe} == {2}
                if wanted == "validation":
                    ran = [c for c in trials() if (c.codec, c.space, c.network) == (cell.codec, space, cell.network)]
                    assert any(c.method == cell.method for c in ran), "the very cell, but for its split"


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("dm", {"network": "{auto: {width: 128}}"}), ("dm", {"network": "{auto: {width: 32, norm: batch}}"}),
        ("dm", {"codec": "{downsample: {factor: 4}}"}), ("dm", {"codec": "dct"}),
        ("dm", {"codec": "downsample", "more": "settings: {codec_args: {factor: 4}}, recipes: reduced"}),
        ("dm", {"ipc": 10}), ("{dm: {pool: 9}}", {}), ("{dsa: {ema: 0.9}}", {}), ("{dc: {distance: mse}}", {}),
        ("{mtt: {soft_labels: true, first_items: correct}}", {}), ("{mtt: {first_items: correct}}", {}),
        ("{mtt: {ema: 0.9}}", {}), ("{mtt: {differentiate: tesla}}", {}),
    ],
)  # fmt: skip
def test_the_reduced_recipes_say_adapted_beyond_their_trials(method, changes):
    kept: dict[str, Any] = {"ipc": 1, "network": SMALL, "more": "recipes: reduced"} | changes
    assert found(cell_of(method, "fashion_mnist", **kept)) == {"adapted"}


WHITENED = [("mtt", "cifar10", 1), ("mtt", "cifar10", 10), ("mtt", "cifar100", 1), ("mtt", "cifar100", 50)]
WHITENED += [("{mtt: {differentiate: tesla}}", "cifar100", 50), ("{mtt: {ema: 0.9995}}", "cifar100", 10)]
WHITENED += [("{mtt: {soft_labels: true}}", dataset, ipc) for dataset, ipc in DATM]


@pytest.mark.parametrize(("method", "dataset", "ipc"), WHITENED)
def test_the_codec_zca_in_code_space_is_not_called_plain(method, dataset, ipc):
    plain, decoded, codes = (
        cell_of(method, dataset, ipc, codec, space)
        for codec, space in (
            ("identity", "signal"),
            ("{zca: {refit: true}}", "signal"),
            ("{zca: {refit: true}}", "code"),
        )
    )
    assert plain.method == decoded.method == codes.method, "the values are the same"
    for cell, whitened in ((plain, False), (decoded, False), (codes, True)):
        (use,) = cell.recipe
        source = " ".join(use.source.split())
        assert use.found == "adapted"
        assert ("here their codes, standardised per channel" in source) == whitened
        assert ("plain ones" in source) != whitened
