"""Tensors that were made elsewhere become rows: of the same figures as the same set made here, of their own bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from evaluated import DATASET, SHORT, accuracies, evaluated, real_items, small_data
from safetensors.torch import save_file

from ddbench.budget import Budget
from ddbench.cli.main import execute
from ddbench.errors import BudgetError
from ddbench.evaluate import TensorSet
from ddbench.evaluate import evaluate as train_and_test
from ddbench.imported.evaluate import Request, ready
from ddbench.imported.read import Asked
from ddbench.planning.protocols import recipe
from ddbench.report.table import collect, render


def request(path: Path, **more: object) -> Request:
    fields = {"dataset": DATASET, "protocol": SHORT, "normalisation": "dataset", **more}
    return Request(path, **fields)  # pyright: ignore[reportArgumentType]


def test_a_row_has_the_figures_of_students_trained_on_the_tensors_and_their_bytes(tmp_path: Path) -> None:
    x, y = real_items()
    np.savez(tmp_path / "mine.npz", x=x.numpy(), y=y.numpy())
    runs, (result,) = evaluated(request(tmp_path / "mine.npz"), tmp_path / "out")
    direct = train_and_test(TensorSet(x, y), small_data(), SHORT, reference_items=10, seed=0)
    assert accuracies(result) == [(r.column, r.student, r.correct) for some in direct for r in some]
    assert result.bytes is not None
    assert result.bytes.used == x.numel() * 4
    assert result.cell.budget == Budget.model_validate({"ipc": 1})
    assert execute(["validate", str(runs.path)]) == 0
    text = render(collect(runs.path))
    assert "mine (made elsewhere)" in text
    assert any("made elsewhere" in note for note in result.notes)


def test_the_key_depends_on_what_the_set_holds_and_on_nothing_else(tmp_path: Path) -> None:
    x, y = real_items()
    shuffled = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    np.savez(tmp_path / "a.npz", images=x.numpy(), labels=y.numpy())
    save_file({"x": x[shuffled], "y": y[shuffled]}, tmp_path / "b.safetensors")
    np.savez(tmp_path / "c.npz", images=x.numpy() + 1e-3, labels=y.numpy())
    a, b, c = (ready(request(tmp_path / n, name=n))[0].cell.key for n in ("a.npz", "b.safetensors", "c.npz"))
    assert a == b  # one item a class: sorted by class they are the same
    assert a != c
    assert a != ready(request(tmp_path / "a.npz", normalisation="0.29,0.35"))[0].cell.key
    assert a != ready(request(tmp_path / "a.npz", students=1))[0].cell.key


@pytest.mark.parametrize(
    ("values", "told", "size"),
    [
        (lambda raw: raw, "none", 4),
        (lambda raw: raw * 255, "255", 4),
        (lambda raw: (raw * 255).round().to(torch.uint8), None, 1),
        (lambda raw: (raw - 0.5) / 0.25, "0.5,0.25", 4),
        (lambda raw: raw.double(), "none", 8),
        (lambda raw: raw[:, 0], "none", 4),
        (lambda raw: raw.movedim(1, 3), "none", 4),
    ],
    ids=["raw", "255", "uint8", "constants", "float64", "no channel", "channels last"],
)
def test_declared_values_decode_to_the_same_signals(values, told, size, tmp_path: Path) -> None:
    x, y = real_items()
    given = values(small_data().card.signal.denormalise(x))
    np.savez(tmp_path / "set.npz", x=given.numpy(), y=y.numpy())
    (one,) = ready(request(tmp_path / "set.npz", normalisation=told))
    from ddbench.imported.folder import folder_for

    where = folder_for(tmp_path / "out", [one]).cell_dir(one.cell.key)
    from ddbench import artifact

    stored = artifact.load(where)
    assert stored.used_bytes == x.numel() * size
    decoded, labels = stored.decode()
    torch.testing.assert_close(decoded, x, atol=1e-4, rtol=1e-4)
    assert torch.equal(labels, y)


def test_images_of_another_size_are_resized_where_that_is_declared(tmp_path: Path) -> None:
    x, y = real_items()
    raw = small_data().card.signal.denormalise(x)
    small = raw.unflatten(2, (14, 2)).unflatten(4, (14, 2)).mean((3, 5))
    np.savez(tmp_path / "small.npz", x=small.numpy(), y=y.numpy())
    (one,) = ready(request(tmp_path / "small.npz", normalisation="none", asked=Asked(resize=True)))
    assert one.cell.codec.args["shape"] == [1, 14, 14]
    _, (result,) = evaluated(
        request(tmp_path / "small.npz", normalisation="none", asked=Asked(resize=True)), tmp_path / "out"
    )
    assert result.bytes is not None
    assert result.bytes.used == small.numel() * 4
    assert result.status == "ok"


def test_soft_labels_and_a_learned_step_size_are_charged_and_used(tmp_path: Path) -> None:
    x, y = real_items()
    soft = torch.full((10, 10), 0.02).scatter(1, y[:, None], 0.82)
    save_file({"x": x, "y": soft, "lr": torch.tensor(0.05)}, tmp_path / "soft.safetensors")
    own = lambda protocol, lr: recipe(protocol, lr)  # noqa: E731
    runs, (result,) = evaluated(request(tmp_path / "soft.safetensors", recipe=own), tmp_path / "out")
    # what the page of such a row tells its reader to run
    (again,) = ready(Request(path=runs.cell_dir(result.key)))
    assert again.cell.key == result.key
    assert result.bytes is not None
    assert result.bytes.used == x.numel() * 4 + 10 * 10 * 4 + 4
    assert result.bytes.side == 404
    kinds = {(run.column, run.labels) for run in result.runs}
    assert kinds == {("equal_steps", "hard"), ("equal_steps", "own"), ("own_recipe", "own")}
    assert result.cell.own_recipe is not None
    assert result.cell.own_recipe.lr == pytest.approx(0.05)
    declared = SHORT.model_copy(update={"lr": result.cell.own_recipe.lr, "columns": ("equal_epochs",)})
    direct = train_and_test(TensorSet(x, soft), small_data(), declared, reference_items=10, seed=0, told="own")
    wanted = [r.correct for some in direct for r in some]
    assert [run.correct for run in result.runs if run.column == "own_recipe"] == wanted


def test_the_own_recipe_has_a_column_of_its_own_beside_rows_without_one(tmp_path: Path) -> None:
    x, y = real_items()
    np.savez(tmp_path / "a.npz", x=x.numpy(), y=y.numpy())
    own = lambda protocol, lr: recipe(protocol, 0.1, {"epochs": 2})  # noqa: E731
    evaluated(request(tmp_path / "a.npz", name="with", recipe=own), tmp_path / "out")
    evaluated(request(tmp_path / "a.npz", name="without"), tmp_path / "out")
    text = render(collect(tmp_path / "out"), "markdown")
    assert text.count("scored on the test set") == 1
    assert "own recipe" in text
    (row,) = [line for line in text.splitlines() if "without (made elsewhere)" in line]
    assert "–" in row


def test_a_row_does_not_say_that_it_was_matched_by_a_network(tmp_path: Path) -> None:
    from made_up_results import made_up_result

    from ddbench.report.table import Collection
    from ddbench.spec.cell import Choice

    x, y = real_items()
    np.savez(tmp_path / "a.npz", x=x.numpy(), y=y.numpy())
    (one,) = ready(request(tmp_path / "a.npz"))
    networks = ("convnet", "mlp", "auto")
    there = [one.cell.model_copy(update={"origin": None, "network": Choice(name=n)}) for n in networks]
    text = render(Collection(tuple(map(made_up_result, [one.cell, *there]))), "markdown")
    assert "via mlp" in text
    (row,) = [line for line in text.splitlines() if "made elsewhere" in line]
    assert "via" not in row


def test_a_budget_that_does_not_hold_the_set_is_refused(tmp_path: Path) -> None:
    x, y = real_items(2)
    np.savez(tmp_path / "two.npz", x=x.numpy(), y=y.numpy())
    assert ready(request(tmp_path / "two.npz"))[0].cell.budget == Budget.model_validate({"ipc": 2})
    with pytest.raises(BudgetError, match="62,720 bytes"):
        ready(request(tmp_path / "two.npz", budget=Budget.model_validate({"ipc": 1})))


def test_whitened_tensors_are_codes_of_the_codec_that_whitens(tmp_path: Path) -> None:
    from ddbench.errors import SpecError
    from ddbench.planning.protocols import choice_of

    x, y = real_items()
    np.savez(tmp_path / "white.npz", x=x.numpy(), y=y.numpy())
    with pytest.raises(SpecError, match="the codec that whitens them"):
        ready(request(tmp_path / "white.npz", normalisation="zca"))
    zca = choice_of("{zca: {refit: true}}", "--codec")
    (one,) = ready(request(tmp_path / "white.npz", normalisation=None, codec=zca))
    assert one.cell.codec.name == "zca"
    assert one.card.refitted_for == "test"
    assert one.cell.method.name == "imported"
