"""Numbers as written: the whole list of what is taken for what."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from ddbench.interfaces.plugin import PluginConfig


class Config(PluginConfig):
    whole: int = Field(1, description="Whole.")
    part: float | None = Field(None, description="Part.")
    flag: bool = Field(False, description="Flag.")
    word: str | float = Field("auto", description="Word or number.")
    sizes: tuple[int, ...] = Field((), description="Sizes.")
    named: dict[str, float] = Field({}, description="By name.")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"whole": 3}, 3),
        ({"whole": 3.0}, 3),
        ({"part": 3}, 3.0),
        ({"part": None}, None),
        ({"flag": True}, True),
        ({"word": "12"}, "12"),
        ({"sizes": [1, 2]}, (1, 2)),
        ({"named": {"a": 1}}, {"a": 1.0}),
    ],
)
def test_what_is_taken(given, read):
    (name,) = given
    found = getattr(Config(**given), name)
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    "given",
    [
        {"whole": True},
        {"whole": "3"},
        {"whole": 3.5},
        {"part": "3"},
        {"part": False},
        {"flag": 1},
        {"flag": "yes"},
        {"sizes": [1, "2"]},
        {"sizes": [True]},
        {"named": {"a": "1"}},
    ],
)
def test_what_is_refused(given):
    (name,) = given
    with pytest.raises(ValidationError) as caught:
        Config(**given)
    assert {e["loc"][0] for e in caught.value.errors()} == {name}
