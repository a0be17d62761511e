"""Arguments of the autoencoders' codecs."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Literal

from pydantic import Field, field_validator

from ddbench.interfaces.plugin import PluginConfig
from ddbench_codecs.autoencoders.places import Place


class AutoencoderConfig(PluginConfig):
    """Arguments of `autoencoder`; presets have other defaults."""

    model: str = Field(
        min_length=1,
        description="A Hugging Face id (owner/name), a folder below $DDBENCH_MODELS, or shipped:NAME.",
    )
    subfolder: str = Field("", description="Folder of the model within that.")
    revision: str = Field("main", description="Of a Hugging Face repository: branch, tag or commit.")
    weights_variant: str = Field("", description="Variant of the weights' files, such as fp16; '' for the plain ones.")
    compute: Literal["float32", "float16", "bfloat16"] = Field(
        "float32", description="Type in which the network computes; codes and signals are float32."
    )
    quantise: bool = Field(
        False, description="Of VQ models: decode the nearest codewords (straight-through gradient), not the codes."
    )
    decode_chunk: int | None = Field(
        None, ge=1, description="Items decoded at once while gradients pass back; default: by their pixels."
    )
    in_domain: Literal["charge", "free"] = Field(
        "charge",
        description="A decoder trained on the dataset itself is stored and paid for, or free and the row not ranked.",
    )

    @field_validator("model", "subfolder")
    @classmethod
    def _no_path(cls, value: str) -> str:
        pure = PurePosixPath(value)
        if pure.is_absolute() or PureWindowsPath(value).is_absolute() or ".." in pure.parts or value.startswith("~"):
            raise ValueError(
                "a suite names weights, it holds no paths: put or link the folder below the one that the variable "
                "DDBENCH_MODELS names (default ~/.cache/ddbench/models) and give its name there"
            )
        return value

    @property
    def place(self) -> Place:
        return Place(self.model, self.subfolder, self.revision, self.weights_variant)
