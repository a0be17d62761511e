"""A small random sentence encoder in the files of a real one: BERT weights, a WordPiece tokenizer, mean pooling."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from text_files import COMMON, SUBJECTS
from torch import Tensor

WORDS = sorted({*COMMON.split(), *(word for words in SUBJECTS.values() for word in words.split())})
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *WORDS,
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{c}" for c in "aeinorst"),
]
CONFIG = {
    "model_type": "bert", "hidden_act": "gelu", "hidden_size": 8, "intermediate_size": 12, "layer_norm_eps": 1e-12,
    "max_position_embeddings": 64, "num_attention_heads": 2, "num_hidden_layers": 2, "type_vocab_size": 2,
    "vocab_size": len(VOCABULARY),
}  # fmt: skip


def tiny_encoder(folder: Path, seed: int = 0, **config: object) -> Path:
    """Writes the files; skips the test where the library of tokenizers is missing."""
    tokenizers = pytest.importorskip("tokenizers", reason="the extra 'text' is not installed")
    folder.mkdir(parents=True)
    tokens = {word: i for i, word in enumerate(VOCABULARY)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(tokens, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    save_file(weights(seed), str(folder / "model.safetensors"))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Normalize"}]))
    return folder


def weights(seed: int) -> dict[str, Tensor]:
    """Random weights under the names of transformers' BertModel."""
    draw = torch.Generator().manual_seed(seed)
    d, inner = 8, 12

    def linear(name: str, inputs: int, outputs: int) -> dict[str, Tensor]:
        weight, bias = torch.randn(outputs, inputs, generator=draw) / 2, torch.randn(outputs, generator=draw) / 4
        return {f"{name}.weight": weight, f"{name}.bias": bias}

    def norm(name: str) -> dict[str, Tensor]:
        weight, bias = 1 + torch.randn(d, generator=draw) / 4, torch.randn(d, generator=draw) / 4
        return {f"{name}.weight": weight, f"{name}.bias": bias}

    found = {
        f"embeddings.{name}_embeddings.weight": torch.randn(n, d, generator=draw)
        for name, n in (("word", len(VOCABULARY)), ("position", 64), ("token_type", 2))
    }
    found |= norm("embeddings.LayerNorm")
    for i in range(2):
        own = f"encoder.layer.{i}."
        for name in ("query", "key", "value"):
            found |= linear(f"{own}attention.self.{name}", d, d)
        found |= linear(f"{own}attention.output.dense", d, d) | norm(f"{own}attention.output.LayerNorm")
        found |= linear(f"{own}intermediate.dense", d, inner)
        found |= linear(f"{own}output.dense", inner, d) | norm(f"{own}output.LayerNorm")
    return found | linear("pooler.dense", d, d)


def slow_code(stored: dict[str, Tensor], ids: list[int]) -> Tensor:
    """The code of one token sequence in float64, by the definitions of BERT (arXiv 1810.04805), a head at a time."""
    w = {name: value.double() for name, value in stored.items()}

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        return (
            centred / (centred.square().mean(1, keepdim=True) + 1e-12).sqrt() * w[f"{name}.weight"] + w[f"{name}.bias"]
        )

    x = torch.stack([w["embeddings.word_embeddings.weight"][i] for i in ids])
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm("embeddings.LayerNorm", x)
    for i in range(2):
        own = f"encoder.layer.{i}."
        q, k, v = (linear(f"{own}attention.self.{name}", x) for name in ("query", "key", "value"))
        heads = []
        for h in (slice(0, 4), slice(4, 8)):
            scores = (q[:, h] @ k[:, h].T / 2).exp()
            heads.append(scores / scores.sum(1, keepdim=True) @ v[:, h])
        x = norm(f"{own}attention.output.LayerNorm", x + linear(f"{own}attention.output.dense", torch.cat(heads, 1)))
        inner = linear(f"{own}intermediate.dense", x)
        inner = inner * (1 + torch.erf(inner / 2**0.5)) / 2
        x = norm(f"{own}output.LayerNorm", x + linear(f"{own}output.dense", inner))
    mean = x.mean(0)
    return mean / mean.norm()
