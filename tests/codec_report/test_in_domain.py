"""A decoder that saw the reported dataset is paid for in the report as in a cell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ddbench.codec_report.asked import Words, read
from ddbench.codec_report.lines import lines
from ddbench.cost import cost_of
from ddbench.planning.facts import card_of

sys.path.append(str(Path(__file__).parents[1] / "codecs"))
from tiny_autoencoders import save, tiny


def test_a_decoder_trained_on_the_dataset_is_charged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path))
    for name, dataset in (("own", "fashion_mnist_small"), ("foreign", "mnist")):
        save(tmp_path / name, tiny, card={"training_data": "Made up.", "datasets": [dataset]})
    words = [f"autoencoder: {{model: {name}}}" for name in ("own", "foreign")]
    asked = read(Words(dataset="fashion_mnist_small", codecs=tuple(words), storages="float32", student=False))
    found, *_ = lines(asked, card_of(asked.dataset), 10)
    own, foreign = (line.build() for line in found)
    assert (own.decoder_bytes, cost_of(own.leaves(), "float32").per_set) == (0, foreign.decoder_bytes)
    assert cost_of(foreign.leaves(), "float32").per_set == 0 < foreign.decoder_bytes
