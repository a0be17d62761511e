"""Augmentations of other packages: found by entry point, and refused by name where they are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

import pytest
import torch

from ddbench.augment import apply, draw, families
from ddbench.augment import known as module
from ddbench.augment.families import FAMILIES, Family
from ddbench.errors import PluginError, SpecError

NEGATE = Family((1,), lambda x, u: -x)
Bring = Callable[[str, str], None]


@pytest.fixture
def bring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bring]:
    def one(name: str, value: str) -> None:
        monkeypatch.setattr(module, "entry_points", lambda group: [EntryPoint(name, value, group)])
        module.known.cache_clear()

    yield one
    monkeypatch.undo()
    module.known.cache_clear()


def test_one_that_is_brought_is_drawn_and_applied(bring: Bring) -> None:
    with pytest.raises(SpecError, match="unknown operation 'negate'"):
        families("negate", (2, 5))
    bring("negate", f"{__name__}:NEGATE")
    assert families("negate", (2, 5)) == ("negate",)
    x = torch.randn(3, 4, 2, 5)
    one = draw("negate", (2, 5), 3, torch.Generator().manual_seed(0), per_row_op=True)
    assert torch.equal(apply(one, x), -x)
    with pytest.raises(SpecError, match="no meaning on"):
        families("negate", (1, 8, 8))
    assert set(FAMILIES) < set(module.known())


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("two_words", f"{__name__}:NEGATE", "small letters and digits"),
        ("negate", f"{__name__}:Bring", "should be a ddbench.augment.families.Family"),
        ("negate", "no_such_module:NEGATE", "cannot be imported: ModuleNotFoundError"),
        ("crop", f"{__name__}:NEGATE", "the name of another augmentation"),
    ],
)
def test_what_is_none_is_refused_by_name(bring: Bring, name: str, value: str, said: str) -> None:
    bring(name, value)
    with pytest.raises(PluginError, match=said) as raised:
        families("flip", (1, 8, 8))
    assert f"The augmentation {name!r} ({value})" in str(raised.value)
