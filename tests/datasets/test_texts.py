"""Texts as signals: bytes there and back, near-duplicates, a split that the content fixes."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from ddbench.datasets.near_texts import groups, shingles
from ddbench.datasets.text_sets import TextSide, halves
from ddbench.interfaces.text import cut, text_signal, tidy, to_raw, to_texts


@given(st.text(max_size=60))
def test_a_tidy_text_comes_back_from_its_signal(text):
    kept = tidy(text)
    raw = to_raw([kept], 400)
    assert raw.dtype == torch.uint8
    assert raw.shape == (1, 1, 400)
    assert to_texts(text_signal(400).normalise(raw)) == [kept]
    assert tidy(kept) == kept
    assert not kept or not (kept[0].isspace() or kept[-1].isspace())


@given(st.text(max_size=30), st.integers(1, 20))
def test_a_cut_text_is_a_beginning_without_half_a_character(text, length):
    kept = cut(text, length)
    assert text.startswith(kept)
    assert len(kept.encode()) <= length
    rest = text[len(kept) :]
    assert not rest or len((kept + rest[0]).encode()) > length or rest[0].isspace()


def test_normalised_bytes_are_whole_numbers():
    x = text_signal(256).normalise(torch.arange(256, dtype=torch.uint8).reshape(1, 1, 256))
    torch.testing.assert_close(x.flatten(), torch.arange(256.0), rtol=1e-6, atol=0)


def test_control_characters_and_runs_of_space_go():
    assert tidy(" a\tb\r\n\n c\x00d\x08\ud800 ") == "a b cd"
    assert tidy("e\u0301") == "\u00e9"


def test_groups_are_those_of_every_pair():
    texts = ["What this land needs is a good five cent nickel.", "what this land needs is a good five-cent NICKEL",
             "What this land needs is a dime.", "Nothing of the sort.", "Hello", "hello!", "", "What land"]  # fmt: skip

    def near(a: str, b: str) -> bool:
        x, y = shingles(a), shingles(b)
        return len(x & y) / len(x | y) >= 0.4

    expected = list(range(len(texts)))
    for _ in texts:  # the smallest number spreads along the links
        for i, a in enumerate(texts):
            expected[i] = min([expected[i], *(expected[j] for j, b in enumerate(texts) if near(a, b))])
    assert groups(texts) == expected
    assert expected[:2] == [0, 0]
    assert expected[3] == 3
    assert expected[4:6] == [4, 4]


def test_near_duplicates_are_on_one_side_in_whatever_order_texts_come():
    texts = [f"this is the sentence of number {i} and {i * 7} words" for i in range(30)]
    texts += [t.upper() + "!" for t in texts]
    whole = TextSide(tuple(texts), (0, 1) * 30)
    train, test = halves(whole)
    assert len(train.texts) + len(test.texts) == 60
    assert test.texts
    folded = [{t.casefold().rstrip("!") for t in side.texts} for side in (train, test)]
    assert not folded[0] & folded[1]
    again = halves(whole.take(reversed(range(60))))
    assert [side.texts for side in again] == [train.texts, test.texts]
