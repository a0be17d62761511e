"""Arguments of the autoencoders' codecs."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Literal

from pydantic import Field, field_validator

from ddbench.interfaces.plugin import PluginConfig
from ddbench.written import ADDED
from ddbench_codecs.autoencoders.places import Place


class AutoencoderConfig(PluginConfig):
    """Arguments of `autoencoder`; presets have other defaults.

    All but the model are `ADDED`, so that labels and cells name those alone that are not what everyone takes.
    """

    model: str = Field(
        min_length=1,
        description="A Hugging Face id (owner/name), a folder below $DDBENCH_MODELS, or shipped:NAME.",
    )
    subfolder: Annotated[str, ADDED] = Field("", description="Folder of the model within that.")
    revision: Annotated[str, ADDED] = Field("main", description="Of a Hugging Face repository: branch, tag or commit.")
    weights_variant: Annotated[str, ADDED] = Field(
        "", description="Variant of the weights' files, such as fp16; '' for the plain ones."
    )
    compute: Annotated[Literal["float32", "float16", "bfloat16"], ADDED] = Field(
        "float32", description="Type in which the network computes; codes and signals are float32."
    )
    quantise: Annotated[bool, ADDED] = Field(
        False, description="Of VQ models: decode the nearest codewords (straight-through gradient), not the codes."
    )
    decode_chunk: Annotated[int | None, ADDED] = Field(
        None, ge=1, description="Items decoded at once while gradients pass back; default: by their pixels."
    )
    in_domain: Annotated[Literal["charge", "free"], ADDED] = Field(
        "charge",
        description="A decoder trained on the dataset itself is stored and paid for, or free and the row not ranked.",
    )

    @field_validator("model", "subfolder")
    @classmethod
    def _no_path(cls, value: str) -> str:
        return below(value)

    @property
    def place(self) -> Place:
        return Place(self.model, self.subfolder, self.revision, self.weights_variant)


def below(value: str) -> str:
    """The name of a place below the folder of models. Raises: ValueError for a path to elsewhere."""
    pure = PurePosixPath(value)
    if pure.is_absolute() or PureWindowsPath(value).is_absolute() or ".." in pure.parts or value.startswith("~"):
        raise ValueError(
            "a suite names weights, it holds no paths: put or link the folder below the one that the variable "
            "DDBENCH_MODELS names (default ~/.cache/ddbench/models) and give its name there"
        )
    return value
