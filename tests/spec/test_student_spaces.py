"""Students on codes in suites: old keys stay, what has no codes is refused, the yardsticks follow."""

from __future__ import annotations

from typing import Any

import pytest
from made_up_results import made_up_cell, made_up_result
from pydantic import ValidationError

from ddbench.planning.facts import full_args
from ddbench.planning.mandatory import missing_mandatory
from ddbench.planning.pairs import faults_of
from ddbench.result.schema import StorageReport, StudentRun
from ddbench.spec.cell import Cell, Choice, EvaluationProtocol
from ddbench.spec.mandatory import absent_beside


def test_a_protocol_without_code_students_is_written_as_before() -> None:
    plain = EvaluationProtocol()
    assert "student_spaces" not in plain.model_dump(mode="json")
    assert "student_spaces" not in plain.model_dump_json()
    said = EvaluationProtocol.model_validate({"student_spaces": "signal"})
    assert made_up_cell(protocol=said).key == made_up_cell(protocol=plain).key
    keys = {made_up_cell(protocol=EvaluationProtocol(student_spaces=s)).key for s in (("signal",), ("signal", "code"))}
    assert len(keys) == 2
    both = EvaluationProtocol(student_spaces=("signal", "code"))
    assert EvaluationProtocol.model_validate_json(both.model_dump_json()) == both
    assert both.in_signal_space == plain


def test_results_say_only_what_is_new() -> None:
    result = made_up_result(made_up_cell())
    run, storage = result.runs[0], result.bytes
    assert storage is not None
    assert "space" not in run.model_dump(mode="json")
    assert "refitted" not in storage.model_dump(mode="json")
    on_codes, free = run.model_copy(update={"space": "code"}), storage.model_copy(update={"refitted": 7})
    assert StudentRun.model_validate_json(on_codes.model_dump_json()) == on_codes != run
    assert StorageReport.model_validate_json(free.model_dump_json()) == free != storage


@pytest.mark.parametrize("wrong", [[], ["code", "code"], ["latent"]])
def test_spaces_are_known_and_given_once(wrong: list[str]) -> None:
    with pytest.raises(ValidationError):
        EvaluationProtocol.model_validate({"student_spaces": wrong})


@pytest.fixture
def cell_of(fakes):
    def make(codec="identity", method="random", networks="auto", spaces=("signal", "code"), **more) -> Cell:
        values = {
            "dataset": "pictures",
            "codec": full_args("codec", Choice(name=codec)),
            "method": full_args("method", Choice(name=method)),
            "space": "signal",
            "storage": "float32",
            "budget": {"ipc": 1},
            "network": "auto",
            "protocol": {"networks": networks, "student_spaces": list(spaces)},
            "seed": 0,
            "versions": {"dataset": "", "codec": "", "method": "", "network": "", "students": []},
            **more,
        }
        return Cell.model_validate(values)

    return make


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"codec": "half"},
        {"codec": "half", "method": "learn"},
        {"method": "learn", "space": "code"},
        {"spaces": ["code"]},
    ],
)
def test_cells_that_can_have_code_students(cell_of, given: dict[str, Any]) -> None:
    assert faults_of(cell_of(**given)) == []


@pytest.mark.parametrize(
    ("given", "axis", "words"),
    [
        ({"codec": "masked"}, "codec", "no students on codes: the codec has no code space"),
        ({"codec": "jpeg"}, "codec", "no students on codes"),
        ({"codec": "grid"}, "codec", "11 signals"),
        ({"method": "full", "budget": None}, "method", "the ceiling stores nothing"),
    ],
)
def test_cells_that_cannot_are_refused_with_the_way_out(cell_of, given, axis, words) -> None:
    faults = faults_of(cell_of(**given))
    told = [f for f in faults if words in f.text and f.axis == axis]
    assert told, faults
    if "grid" not in given.values():
        assert "student_spaces is signal" in told[0].text
    given = {**given, "spaces": ["signal"]}
    assert not any("on codes" in f.text for f in faults_of(cell_of(**given)))


def test_the_students_network_is_asked_for_the_codes_shape(cell_of) -> None:
    (fault,) = faults_of(cell_of("half", networks=["auto", "from_four"]))
    assert (fault.axis, fault.index) == ("student", 1)
    said = "half, students on codes: the student 'from_four' does not take shape (1, 2, 2) of pictures: too small"
    assert said in fault.text
    assert faults_of(cell_of("half", networks="from_four", spaces=["signal"])) == []
    assert faults_of(cell_of("identity", networks="from_four", spaces=["code"])) == []


def test_yardsticks_of_protocols_that_differ_in_code_students_count(cell_of) -> None:
    """JPEG has no codes, so its row can only stand under the protocol of signals; `random` needs codes as well."""
    learned = cell_of("half", "learn")
    plain = {"spaces": ["signal"]}
    signal_rows = [cell_of("identity", **plain), cell_of("jpeg", **plain), cell_of("half", **plain)]
    smaller = cell_of("downsample", **plain)
    (lacking,) = missing_mandatory([learned, *signal_rows, smaller])
    assert "random × half" in lacking
    assert "with students on codes" in lacking
    assert missing_mandatory([learned, *signal_rows, smaller, cell_of("half")]) == []
    assert [a.row for a in absent_beside([cell_of("half", "learn", **plain)], signal_rows, lambda codec: True)] == [
        "row with downsample"
    ]
