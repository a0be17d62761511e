"""Whole cells on texts: compressed, as codes, and as the real texts that learned codes settle on."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from text_files import rows
from tiny_encoder import tiny_encoder

import ddbench
from ddbench import artifact
from ddbench.data import Data
from ddbench.data import load as load_data
from ddbench.datasets.text_file import TextFile, TextFileConfig
from ddbench.errors import SpecError
from ddbench.interfaces.text import to_texts
from ddbench.networks.textcnn import TextCnn
from ddbench.run.code_students import as_codes
from ddbench.run.folder import RunFolder

CODES = {"model": "tiny"}
TEXTS = {"model": "tiny", "store": "text"}
DM = {"dm": {"iterations": 20, "real_batch": 16}}


@pytest.fixture(autouse=True)
def places(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("DDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DDBENCH_DATA", str(tmp_path))
    tiny_encoder(tmp_path / "models" / "tiny")
    with open(tmp_path / "texts.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows(40)])
    return tmp_path


def suite(student_space: str, network: Any = None, **block: Any) -> dict[str, Any]:
    network = network or {"auto": {"width": 16}}
    protocol = {"name": "p", "students": 2, "epochs": 60, "networks": network, "student_spaces": student_space,
                "columns": "equal_steps"}  # fmt: skip
    grid = {"datasets": {"text_file": {"length": 96}}, "budgets": {"bytes_per_class": 400}, "seeds": 0,
            "network": {"auto": {"width": 16}}, **block}  # fmt: skip
    return {"ddbench": 1, "name": "texts", "version": 1, "description": "texts", "protocol": protocol, "grid": [grid]}


def run(path: Path, asked: dict[str, Any]):
    done = ddbench.run(asked, out=path, engine="inline", progress=False)
    assert not done.failures, done.failures
    return RunFolder.open(path)


def data() -> Data:
    return load_data(TextFile(TextFileConfig(length=96)))


@pytest.mark.filterwarnings("ignore:mandatory row")
def test_students_on_texts_learn_from_compressed_ones(tmp_path):
    asked = suite("signal", "textcnn", codecs="text", methods="random", spaces="signal")
    folder = run(tmp_path / "run", asked)
    (key,) = folder.keys()
    result, stored = folder.result(key), artifact.load(folder.cell_dir(key))
    assert result is not None
    assert set(to_texts(stored.decode()[0])) <= set(to_texts(data().source.signal.normalise(data().train.signals)))
    assert sum(stored.card.counts) > 3 * 5, "compressed sentences take less than 80 bytes"
    assert result.bytes.used <= 1200 * 1.02
    assert min(r.accuracy for r in result.runs) > 0.6


@pytest.mark.filterwarnings("ignore:mandatory row")
@pytest.mark.parametrize("method", ["random", "herding", DM], ids=str)
def test_students_on_codes_learn_from_codes(tmp_path, method):
    folder = run(tmp_path / "run", suite("code", codecs={"sentence": CODES}, methods=method, spaces="code"))
    (key,) = folder.keys()
    result = folder.result(key)
    assert result is not None
    assert result.bytes.parts == {"item/z": result.bytes.used}
    assert result.bytes.used == 4 * 8 * sum(result.bytes.items)
    assert result.bytes.decoder > 1000
    assert {r.space for r in result.runs} == {"code"}


@pytest.mark.filterwarnings("ignore:mandatory row")
def test_a_text_is_charged_and_its_code_is_made_anew(tmp_path):
    blocks = suite("code", codecs={"sentence": TEXTS}, methods="random", spaces="code")
    blocks["grid"].append(
        {**blocks["grid"][0], "codecs": {"sentence": {**TEXTS, "room": 40}}, "methods": ["random", DM]}
    )
    folder, found = run(tmp_path / "run", blocks), data()
    kept = dict(zip(to_texts(found.source.signal.normalise(found.train.signals)), found.train.labels.tolist()))
    for key in list(folder.keys()):
        stored, result = artifact.load(folder.cell_dir(key)), folder.result(key)
        assert result is not None
        file = load_file(folder.cell_dir(key) / "distilled.safetensors")
        assert all(name.startswith("item/text") for name in file)
        assert result.bytes.used == sum(t.numel() * t.element_size() for t in file.values())
        texts = to_texts(stored.decode()[0])
        if result.cell.method.name == "dm":
            assert len(set(texts)) == len(texts) == 30
        for text, label in zip(texts, stored.labels.tolist()):
            assert label in {k for whole, k in kept.items() if whole.startswith(text)}
        seen = as_codes(stored, found, torch.device("cpu"))
        codec = stored.codec()
        codes = codec.encode(stored.decode()[0], stored.labels, {})["z"]
        assert isinstance(codes, torch.Tensor)
        torch.testing.assert_close(seen.train.signals, codes)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (
            {"codecs": "dct", "methods": "random", "spaces": "signal"},
            "rows of 256 symbols, and the codec 'dct' takes numbers",
        ),
        ({"codecs": "identity", "methods": DM, "spaces": "signal"}, "the signals are symbols: match codes"),
        ({"codecs": "identity", "methods": DM, "spaces": "code"}, "the codec has no code space"),
        ({"codecs": {"sentence": TEXTS}, "methods": DM, "spaces": "code"}, "picked, not learned"),
        ({"codecs": {"sentence": CODES}, "methods": DM, "spaces": "signal"}, "match codes"),
    ],
)
def test_pairs_that_make_no_sense_on_symbols_are_refused(block, said):
    space = "code" if block["spaces"] == "code" and block["codecs"] != "identity" else "signal"
    asked = suite(space, budgets={"bytes_per_class": 2000}, **block)
    with pytest.raises(SpecError, match=said):
        ddbench.run(asked, engine="inline", progress=False)


def test_textcnn_is_its_definition_and_reads_no_further_than_the_text():
    torch.manual_seed(0)
    model = TextCnn(TextCnn.Config(width=4, embedding=3, sizes=(3, 5))).build((1, 20), 5).double()
    x = torch.zeros(2, 1, 20, dtype=torch.float64)
    x[0, 0, :6] = torch.tensor([104, 101, 108, 108, 111, 255.0])
    features = model.embed(x)
    for b in range(2):
        z = model.bytes.weight[x[b, 0].long()]
        expected = []
        for filters in model.filters:
            half = filters.kernel_size[0] // 2
            padded = torch.cat([z.new_zeros(half, 3), z, z.new_zeros(half, 3)])
            answers = [(filters.weight * padded[i : i + 2 * half + 1].T).sum((1, 2)) + filters.bias for i in range(20)]
            expected.append(torch.stack(answers).amax(0).clamp(min=0))
        torch.testing.assert_close(features[b], torch.cat(expected))
    torch.testing.assert_close(model(x), features @ model.head.weight.T + model.head.bias)
    with pytest.raises(SpecError, match="bytes in a row"):
        TextCnn().build((3, 20), 5)
