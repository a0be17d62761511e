"""`codec_card.json`: what a folder of weights says of itself beside diffusers' config.json."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CARD = "codec_card.json"


class CodecCard(BaseModel):
    """Where weights come from. All of it is optional: a folder without a card is a model of unstated training data."""

    model_config = ConfigDict(frozen=True)

    ddbench_codec: Literal[1] = 1
    name: str = ""
    training_data: str = Field("", description="A sentence: what the weights were trained on.")
    datasets: tuple[str, ...] = Field(
        (),
        description="Registry names or families of the ddbench datasets among them: on these the decoder is paid for.",
    )
    range: tuple[float, float] = Field((-1.0, 1.0), description="What the model calls black and white.")
    trained: dict[str, Any] = Field({}, description="How, for the record.")

    @model_validator(mode="after")
    def _ordered(self) -> CodecCard:
        if not self.range[0] < self.range[1]:
            raise ValueError(f"range is (black, white), black below white; found {list(self.range)}")
        return self
