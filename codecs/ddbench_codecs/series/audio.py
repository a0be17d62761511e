"""The codec `neural_audio`: a sound as the continuous latent of EnCodec or DAC, as transformers has them."""

from __future__ import annotations

import json
from typing import Any

from jaxtyping import Float
from pydantic import ValidationError
from torch import Tensor, nn

from ddbench.errors import DataError
from ddbench_codecs.autoencoders.card import CARD, CodecCard
from ddbench_codecs.autoencoders.places import CONFIG, models_root
from ddbench_codecs.autoencoders.weights import Weights
from ddbench_codecs.series.latent import SeriesLatent

CLASSES = {"encodec": "EncodecModel", "dac": "DacModel"}
"""transformers' class by the `model_type` of config.json."""
WEIGHTS = "model.safetensors"


class Sounding(nn.Module):
    """`x [1, t] → encoder → z [C, t/f] → decoder → x̂ [1, t]`, without the quantiser between."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder, self.decoder = model.encoder, model.decoder
        self.f, self.C = int(model.config.hop_length), int(model.config.hidden_size)

    def encode(self, x: Float[Tensor, "b 1 t"]) -> Float[Tensor, "b C s"]:
        return self.encoder(x)[..., : x.shape[-1] // self.f]

    def decode(self, z: Float[Tensor, "b C s"]) -> Float[Tensor, "b 1 t"]:
        """Of models that give back less than a hop for each cell the end is filled with silence."""
        x, wanted = self.decoder(z), z.shape[-1] * self.f
        return nn.functional.pad(x, (0, max(0, wanted - x.shape[-1])))[..., :wanted]


class NeuralAudio(SeriesLatent):
    """Stores the latent of a sound before its quantiser, in EnCodec or DAC, whose weights lie in a local folder.

    The folder is one that transformers' `save_pretrained` writes. Its sampling rate is to be the dataset's.
    """

    version = "1"
    source = "EnCodec, arXiv 2210.13438; DAC, arXiv 2306.06546; as transformers has them"
    takes_raw = True
    keeps_encodings = True

    @classmethod
    def weights_of(cls, name: str) -> Weights:
        folder = models_root() / name
        config, file = folder / CONFIG, folder / WEIGHTS
        if not (config.is_file() and file.is_file()):
            raise DataError(
                f"The weights of {name} are not here: {CONFIG} and {WEIGHTS} are wanted in {folder}, as "
                "save_pretrained of transformers writes them. Copy the folder there (DDBENCH_MODELS names another "
                "folder of models)."
            )
        try:
            found = json.loads(config.read_text("utf-8"))
            kind = found["model_type"]
            card = None
            if (folder / CARD).is_file():
                card = CodecCard.model_validate_json((folder / CARD).read_text("utf-8"))
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise DataError(f"{folder} describes no model: {type(error).__name__}: {error}. Copy it again.") from error
        if kind not in CLASSES:
            raise DataError(f"{config} is of a model {kind!r}; this codec takes {' and '.join(sorted(CLASSES))}.")
        return Weights(folder, found, card, (file,))

    @classmethod
    def model_of(cls, weights: Weights) -> Sounding:
        try:
            import transformers
        except ImportError as error:
            raise DataError(
                "Neural audio codecs come with the package transformers, which is not installed.",
                "Install it: pip install 'ddbench[audio]'.",
            ) from error
        model = getattr(transformers, CLASSES[weights.config["model_type"]])
        try:
            made, told = model.from_pretrained(
                weights.folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except Exception as error:  # whatever a config can provoke
            raise DataError(f"{weights.folder} cannot be loaded: {type(error).__name__}: {error}.") from error
        amiss = [str(n) for kind in ("missing_keys", "mismatched_keys") for n in told[kind]]
        if amiss:
            raise DataError(f"The weights in {weights.folder} do not fit its config.json: {', '.join(amiss[:3])}.")
        if int(getattr(made.config, "audio_channels", 1)) != 1:
            raise DataError(f"{weights.folder} is of stereo sounds; a model of one channel is asked for.")
        return Sounding(made).float()
