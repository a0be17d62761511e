"""Which rows `ddbench compare` pairs: by what A and B share, never across datasets, budgets, protocols or versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_results import made_up_cell, made_up_folder, made_up_result, quickstart_like

from ddbench.budget import Budget
from ddbench.errors import ArtifactError, SpecError
from ddbench.report.compare.pairing import Matched, match
from ddbench.report.compare.selection import Sides, selects, sides
from ddbench.result.schema import Result
from ddbench.spec.cell import Cell, EvaluationProtocol


def matched(a: list[Result], b: list[Result]) -> Matched:
    return match(Sides("A", "B", tuple(a), tuple(b)))


def named(found: Matched) -> list[tuple[str, str]]:
    def name(cell: Cell) -> str:
        return f"{cell.codec} × {cell.method} {cell.budget}"

    return sorted((name(p.a.cell), name(p.b.cell)) for pool in found.pools for p in pool.pairs)


def chosen(text: str, results: list[Result]) -> list[Result]:
    return [r for r in results if selects(text, r.cell)]


RESULTS = quickstart_like(2)


def test_one_codec_against_another_in_each_budget() -> None:
    found = matched(chosen("dct × dm", RESULTS), chosen("identity × dm", RESULTS))
    assert named(found) == [("dct × dm 1 ipc", "identity × dm 1 ipc"), ("dct × dm 10 ipc", "identity × dm 10 ipc")]
    assert found.alone == ()
    assert len(found.pools) == 1


def test_one_method_against_another_goes_codec_by_codec() -> None:
    found = matched(chosen("× dm, 1 ipc", RESULTS), chosen("× random, 1 ipc", RESULTS))
    assert [a.split()[0] for a, _ in named(found)] == ["dct", "downsample", "identity"]
    assert all(a.split()[0] == b.split()[0] for a, b in named(found))
    assert [line.partition(" has no")[0] for line in found.alone] == [
        "B: fashion_mnist_small · 1 ipc · jpeg × random (signal)"
    ]


def test_folders_pair_the_same_rows_and_never_others() -> None:
    a, b = chosen("× dm", RESULTS), [*chosen("identity × dm", RESULTS), *chosen("dct × dm, 10 ipc", RESULTS)]
    assert all(x == y for x, y in named(matched(a, b)))
    assert len(matched(a, b).alone) == 3


def test_arguments_that_set_folders_apart_may_differ() -> None:
    slow, fast = ([made_up_result(made_up_cell(method=m, method_args=args))
                   for m, args in (("random", {}), ("dm", {"lr": lr}))] for lr in (1.0, 10.0))  # fmt: skip
    assert len(named(matched(slow, fast))) == 2


def test_several_partners_are_refused() -> None:
    kept = [made_up_result(made_up_cell("dct", codec_args={"keep": keep})) for keep in (0.125, 0.25)]
    with pytest.raises(SpecError, match=r"2 rows of A: .*keep=0.125.* and .*keep=0.25.*Narrow A"):
        matched(kept, [made_up_result(made_up_cell())])
    versions = [made_up_result(made_up_cell("dct", codec_version=v)) for v in "12"]
    with pytest.raises(SpecError, match="differ in the versions"):
        matched(versions, [made_up_result(made_up_cell())])


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"dataset": "mnist"}, "nothing on fashion_mnist_small"),
        ({"budget": Budget(ipc=10)}, "nothing at this budget"),
        ({"protocol": EvaluationProtocol(name="long", epochs=5000)}, r"another protocol \(long against dm\)"),
        ({"method": "full"}, "nothing at this budget"),
    ],
)
def test_what_may_not_be_compared_says_why(other: dict[str, object], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        matched([made_up_result(made_up_cell("dct"))], [made_up_result(made_up_cell(**other))])  # pyright: ignore


def test_protocols_and_versions_are_not_pooled() -> None:
    long = EvaluationProtocol(name="long", students=2, epochs=5000)
    a, b = ([made_up_result(made_up_cell(codec, protocol=p)) for p in (None, long)] for codec in ("dct", "identity"))
    assert len(matched(a, b).pools) == 2
    a = [made_up_result(made_up_cell("dct", budget=Budget(ipc=i), codec_version=str(i))) for i in (1, 2)]
    b = [made_up_result(made_up_cell(budget=Budget(ipc=i))) for i in (1, 2)]
    assert len(matched(a, b).pools) == 2


def test_code_students_do_not_keep_signal_columns_apart() -> None:
    both = EvaluationProtocol(students=2, student_spaces=("signal", "code"))
    a = [made_up_result(made_up_cell("dct", protocol=p, seed=s)) for s, p in ((0, both), (1, None))]
    b = [made_up_result(made_up_cell(seed=s)) for s in (0, 1)]
    ((pool,),) = (matched(a, b).pools,)
    assert [sorted(p.a.by_seed) for p in pool.pairs] == [[0, 1]]


def test_failed_cells_are_told() -> None:
    a = [made_up_result(made_up_cell("dct", seed=0)), made_up_result(made_up_cell("dct", seed=1), status="failed")]
    found = matched(a, [made_up_result(made_up_cell(seed=s)) for s in (0, 1)])
    assert found.alone == ("A: fashion_mnist_small · 1 ipc · dct × random (signal) · seed 1 failed (failed).",)


def test_words_of_the_command_line(tmp_path: Path) -> None:
    folder = str(made_up_folder(tmp_path / "x", RESULTS))
    assert len(sides((folder, "dct × dm", "identity × dm")).a) == 4
    assert len(sides((folder, folder), "1 ipc").b) == 14
    for words, why in (
        ((), "got 0 words"),
        ((folder,), "got 1 words"),
        ((folder, "dct"), "There is no folder 'dct'"),
        ((folder, "dct", "dct × dm"), "both select 4 of the same cells"),
        ((folder, "dct", "wavelet"), "has 'wavelet' in its title. There is: "),
        ((folder, "dct", "dm", "x"), "got 4 words"),
    ):
        with pytest.raises(SpecError, match=why):
            sides(words)
    with pytest.raises(ArtifactError, match="There is no folder"):
        sides((str(tmp_path / "y"), "dct", "dm"))
