"""Texts compressed, and the codecs' contracts."""

from __future__ import annotations

import random
import zlib
from typing import Any, ClassVar

import pytest
import torch
from ddbench_codecs.text.compressed import Text
from ddbench_codecs.text.deflate import packed, packed_within, unpacked
from ddbench_codecs.text.sentence import Sentence
from hypothesis import given
from hypothesis import strategies as st
from text_files import SUBJECTS, sentence
from tiny_encoder import tiny_encoder

from ddbench.errors import ArtifactError, SpecError
from ddbench.interfaces.codec import Ragged, Target
from ddbench.interfaces.text import text_signal, to_raw, to_texts
from ddbench.testing.codecs import CodecContract

TARGET = Target(text_signal(96), 3, 3 * 2**16)


class TextContract(CodecContract):
    """The contract with sentences for signals."""

    shapes = ((1, 96), (1, 28, 28))

    def target(self, shape):
        return TARGET if shape == (1, 96) else super().target(shape)

    def signals(self, target, n, generator):
        draw = random.Random(int(torch.randint(2**30, (), generator=generator)))
        labels = [list(SUBJECTS)[i % 3] for i in range(n)]
        return to_raw([sentence(label, draw) for label in labels], 96)


class TestText(TextContract):
    codec = Text


class OfTinyEncoder(TextContract):
    codec = Sentence

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _encoder(cls, tiny):
        return tiny

    def refuses(self, shape):
        return shape != (1, 96)


class TestSentenceCodes(OfTinyEncoder):
    args: ClassVar[dict[str, Any]] = {"model": "tiny"}


class TestSentenceTexts(OfTinyEncoder):
    args: ClassVar[dict[str, Any]] = {"model": "tiny", "store": "text"}


class TestSentenceTextsInRooms(OfTinyEncoder):
    args: ClassVar[dict[str, Any]] = {"model": "tiny", "store": "text", "room": 48}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDBENCH_MODELS", str(root))
        patch.setenv("DDBENCH_CACHE", str(root / "cache"))
        yield tiny_encoder(root / "tiny")


@given(st.binary(max_size=300))
def test_streams_are_exact_and_end_by_themselves(text):
    stream = packed(text)
    assert unpacked(stream, 300, 0) == text
    assert unpacked(stream + b"\0" * 5, 300, 0) == text


@given(st.text(max_size=80), st.integers(8, 60))
def test_a_stream_within_a_room_is_of_a_beginning(text, room):
    stream = packed_within(text.encode(), room)
    assert len(stream) <= room
    kept = unpacked(stream, 400, 0).decode()
    assert text.startswith(kept)
    if kept != text:
        assert len(packed(text.encode())) > room


def test_english_takes_less_than_zlib_and_the_dictionary_is_not_charged_twice():
    text = b"There is nothing that you can do about it, and this is why the world is what it is."
    assert len(packed(text)) < 0.6 * len(zlib.compress(text, 9)[2:-4])
    codec = Text(None, TARGET)
    codes = codec.encode(text_signal(96).normalise(to_raw([text.decode()] * 6, 96)), torch.arange(6) % 3, {})
    assert isinstance(streams := codes["text"], Ragged)
    assert int(streams.offsets[-1]) == 6 * len(packed(text))


@pytest.mark.parametrize("stream", [b"\xff\xff\xff", b"", packed(b"x" * 97), packed(b"hello there")[:-2]])
def test_damaged_streams_are_named(stream):
    codes = {"text": Ragged.of([packed(b"fine"), stream, packed(b"fine")])}
    with pytest.raises(ArtifactError, match="item 1"):
        Text(None, TARGET).decode(codes, torch.tensor([0, 1, 2]), torch.Generator())


def test_a_bomb_is_not_unpacked():
    with pytest.raises(ArtifactError, match="up to 96 bytes"):
        unpacked(packed(b"a" * 10**7), 96, 0)


def test_signals_that_are_no_text_are_refused():
    with pytest.raises(SpecError, match="takes texts"):
        Text(None, CodecContract().target((1, 28)))


def test_decoded_texts_are_those_that_were_stored(tiny):
    draw = random.Random(0)
    texts = [sentence("sea", draw) for _ in range(6)]
    x, y = text_signal(96).normalise(to_raw(texts, 96)), torch.arange(6) % 3
    for codec in (Text(None, TARGET), Sentence(Sentence.Config(model="tiny", store="text"), TARGET)):
        assert to_texts(codec.decode(codec.encode(x, y, {}), y, torch.Generator()).signals) == texts
