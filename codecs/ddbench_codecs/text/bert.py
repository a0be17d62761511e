"""A BERT encoder in torch's own layers: what a sentence encoder computes, without the weight of a library of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The sizes that a BERT's config.json names."""

    words: int
    positions: int
    types: int
    width: int
    layers: int
    heads: int
    inner: int
    epsilon: float

    @classmethod
    def of(cls, config: dict[str, Any]) -> Shape:
        """Raises: KeyError, TypeError, ValueError where a size is missing or none."""
        shape = cls(
            words=int(config["vocab_size"]),
            positions=int(config["max_position_embeddings"]),
            types=int(config["type_vocab_size"]),
            width=int(config["hidden_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            inner=int(config["intermediate_size"]),
            epsilon=float(config["layer_norm_eps"]),
        )
        if min(shape.words, shape.positions, shape.types, shape.width, shape.layers, shape.heads, shape.inner) < 1:
            raise ValueError(f"{shape} has a size below 1")
        if shape.width % shape.heads:
            raise ValueError(f"{shape.heads} heads do not divide a width of {shape.width}")
        return shape


class Bert(nn.Module):
    """Token numbers to hidden states: words + positions + type, then post-norm transformer layers with GELU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.width
        self.words, self.positions, self.types = (
            nn.Embedding(n, d) for n in (shape.words, shape.positions, shape.types)
        )
        self.norm = nn.LayerNorm(d, eps=shape.epsilon)
        layer = nn.TransformerEncoderLayer(
            d, shape.heads, shape.inner, dropout=0.0, activation="gelu", layer_norm_eps=shape.epsilon, batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, shape.layers, enable_nested_tensor=False)

    def forward(self, tokens: Int[Tensor, "b t"], real: Bool[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
        at = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.words(tokens) + self.positions(at) + self.types(torch.zeros_like(tokens))
        return self.layers(self.norm(x), src_key_padding_mask=~real)


def renamed(stored: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Weights under `Bert`'s names, from those of transformers' BertModel. Raises: KeyError where one is missing."""
    own = {name.removeprefix("bert."): value for name, value in stored.items()}
    found = {
        "words.weight": own["embeddings.word_embeddings.weight"],
        "positions.weight": own["embeddings.position_embeddings.weight"],
        "types.weight": own["embeddings.token_type_embeddings.weight"],
        "norm.weight": own["embeddings.LayerNorm.weight"],
        "norm.bias": own["embeddings.LayerNorm.bias"],
    }
    same = {
        "attention.output.dense": "self_attn.out_proj", "attention.output.LayerNorm": "norm1",
        "intermediate.dense": "linear1", "output.dense": "linear2", "output.LayerNorm": "norm2",
    }  # fmt: skip
    for i in range(layers):
        theirs, ours = f"encoder.layer.{i}.", f"layers.layers.{i}."
        for part in ("weight", "bias"):
            three = [own[f"{theirs}attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            found[f"{ours}self_attn.in_proj_{part}"] = torch.cat(three)
            found |= {f"{ours}{to}.{part}": own[f"{theirs}{of}.{part}"] for of, to in same.items()}
    return found
