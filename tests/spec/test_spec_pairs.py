"""Rules of which plug-ins go together, each tried alone, and no more said than is wrong."""

from __future__ import annotations

import pytest

from ddbench.planning.facts import full_args
from ddbench.planning.pairs import faults_of, pair_faults
from ddbench.spec.cell import Cell, Choice


@pytest.fixture
def cell_of(fakes):
    def make(codec="identity", method="learn", space="signal", dataset="pictures", **more) -> Cell:
        values = {
            "dataset": dataset,
            "codec": full_args("codec", Choice(name=codec)),
            "method": full_args("method", Choice(name=method)),
            "space": space,
            "storage": "float32",
            "budget": {"ipc": 1},
            "network": "auto",
            "protocol": {},
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
        {"space": "code"},
        {"codec": "half", "space": "code"},
        {"codec": "masked"},
        {"codec": "stiff", "method": "random"},
        {"codec": "jpeg", "method": "random"},
        {"method": "pixel"},
        {"method": "full", "budget": None},
        {"dataset": "rows"},
        {"codec": "half", "network": "maps"},
        {"dataset": "rows", "method": "random", "network": "maps"},
        {"dataset": "rows", "protocol": {"networks": ["auto", "trees"]}},
        {"method": "random", "network": "trees", "protocol": {"networks": ["trees"]}},
    ],
)
def test_pairs_that_are_defined(cell_of, given):
    assert pair_faults(cell_of(**given)) == []


@pytest.mark.parametrize(
    ("given", "axis", "words"),
    [
        ({"method": "pixel", "space": "code"}, "method", "the method is defined in signal space"),
        ({"codec": "masked", "space": "code"}, "codec", "the codec has no code space"),
        ({"codec": "stiff"}, "codec", "gradient, which does not pass"),
        ({"network": "trees"}, "network", "'trees' is no match network: it is fitted in one go"),
        ({"codec": "jpeg"}, "codec", "gradient"),
        ({"codec": "hollow", "method": "random"}, "codec", "stores nothing for an item"),
        ({"method": "clash", "budget": {"ipc": 2}}, "codec", "both store a leaf called z"),
        ({"codec": "grid", "budget": {"ipc": 11}}, "codec", "one item stores 11 signals, the rarest class has 10"),
        ({"codec": "buggy"}, "codec", "codec 'buggy' failed while it was planned: ZeroDivisionError: oops"),
        ({"codec": "half", "dataset": "rows"}, "codec", "takes pictures"),
        ({"budget": {"ipc": 0.99}}, "budget", "holds no item"),
        ({"budget": {"ipc": 1e305}}, "budget", "too large"),
        ({"dataset": "rows", "network": "maps"}, "network", "match network 'maps' does not take shape (5,)"),
        ({"dataset": "rows", "protocol": {"networks": ["maps"]}}, "student", "student 'maps' does not take shape (5,)"),
        ({"dataset": "rows", "protocol": {"networks": "maps"}, "method": "full", "budget": None}, "student", "student"),
    ],
)
def test_pairs_that_are_not(cell_of, given, axis, words):
    (fault,) = faults_of(cell_of(**given))
    assert fault.axis == axis
    assert words in fault.text


def test_non_differentiable_codes_can_be_learned_in_code_space(cell_of, monkeypatch):
    import spec_fakes

    monkeypatch.setattr(spec_fakes.Stiff, "code_leaf", "z")
    assert pair_faults(cell_of(codec="stiff", space="code")) == []
    monkeypatch.setattr(spec_fakes.Stiff, "code_leaf", "y")
    assert "not a fixed-size item leaf" in pair_faults(cell_of(codec="stiff", space="code"))[0]


def test_the_shape_of_the_code_decides_in_code_space(cell_of, monkeypatch):
    import spec_fakes

    monkeypatch.setattr(spec_fakes.Masked, "code_leaf", "z")
    (text,) = pair_faults(cell_of(codec="masked", space="code", network="maps"))
    assert "match network 'maps' does not take shape (4,)" in text
