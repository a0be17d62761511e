"""Bits of right answers against a slow version that spells every bit out."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.result.bits import bit_array, n_right, pack_bits, unpack_bits


def slow_pack(correct: list[bool]) -> bytes:
    padded = [*correct, *[False] * (-len(correct) % 8)]
    return bytes(sum(bit << (7 - i) for i, bit in enumerate(padded[at : at + 8])) for at in range(0, len(padded), 8))


@given(st.lists(st.booleans(), max_size=70))
def test_there_and_back(correct: list[bool]) -> None:
    text = pack_bits(correct)
    assert base64.b64decode(text) == slow_pack(correct)
    n = len(correct)
    assert unpack_bits(text, n) == correct
    assert bit_array(text, n).tolist() == correct
    assert bit_array(text, n).dtype == bool
    assert n_right(text, n) == sum(correct)


def test_padding_does_not_count() -> None:
    text = base64.b64encode(b"\xff").decode()
    assert (unpack_bits(text, 3), n_right(text, 3), bit_array(text, 3).sum()) == ([True] * 3, 3, 3)


@pytest.mark.parametrize("read", [unpack_bits, n_right, bit_array])
def test_wrong_text_is_refused(read: object) -> None:
    assert callable(read)
    with pytest.raises(ValueError, match="9 bits need 2 bytes, found 1"):
        read(base64.b64encode(b"\xff").decode(), 9)
    for text in ("not base64!", "AA", "AA=", "AAAA=", "AA==\n", "AA===", "_-__", "é===", "\uff21==="):
        with pytest.raises(ValueError, match="no base64"):
            read(text, 8)
