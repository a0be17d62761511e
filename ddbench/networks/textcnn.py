"""The student of texts: words of bytes, looked up, through a convolution over time."""

from __future__ import annotations

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, cat, nn

from ddbench.errors import SpecError
from ddbench.interfaces.network import Classifier, Network
from ddbench.interfaces.plugin import PluginConfig
from ddbench.interfaces.text import SYMBOLS


class TextCnnConfig(PluginConfig):
    """Arguments of TextCNN."""

    width: int = Field(default=64, ge=1, description="Filters of each size.")
    embedding: int = Field(default=16, ge=1, description="Numbers by which a byte is known.")
    sizes: tuple[int, ...] = Field(default=(3, 5, 7), min_length=1, description="Bytes that a filter sees, odd.")


class TextCnnClassifier(Classifier):
    """Byte embeddings, filters of several sizes with ReLU, each one's largest answer, one linear layer."""

    def __init__(self, n_classes: int, config: TextCnnConfig) -> None:
        super().__init__()
        self.bytes = nn.Embedding(SYMBOLS, config.embedding, padding_idx=0)
        self.filters = nn.ModuleList(
            nn.Conv1d(config.embedding, config.width, size, padding=size // 2) for size in config.sizes
        )
        self.head = nn.Linear(config.width * len(config.sizes), n_classes)

    def embed(self, x: Float[Tensor, "b 1 t"]) -> Float[Tensor, "b d"]:
        symbols = x[:, 0].round().clamp(0, SYMBOLS - 1).long()
        z = self.bytes(symbols).transpose(1, 2)
        return nn.functional.relu(self._largest(z))

    def _largest(self, z: Float[Tensor, "b e t"]) -> Float[Tensor, "b d"]:
        return cat([filters(z).amax(2) for filters in self.filters], 1)

    def forward(self, x: Float[Tensor, "b 1 t"]) -> Float[Tensor, "b k"]:
        return self.head(self.embed(x))


class TextCnn(Network):
    """`x → bytes → embedding → [conv 3 | conv 5 | conv 7] → ReLU → largest over time → linear → logits`

    Values are bytes (0 behind the text's end). It learns from texts, not through them: no gradient reaches a byte.
    """

    version = "1"
    source = "Kim 2014 (arXiv 1408.5882), on characters as Zhang, Zhao & LeCun 2015 (arXiv 1509.01626)"
    Config = TextCnnConfig
    config: TextCnnConfig

    def build(self, shape: tuple[int, ...], n_classes: int) -> TextCnnClassifier:
        if len(shape) != 2 or shape[0] != 1:
            raise SpecError(
                f"The network 'textcnn' takes texts, bytes in a row (1, t); this signal has shape {shape}. Use 'mlp', "
                "or 'auto', which chooses by shape."
            )
        return TextCnnClassifier(n_classes, self.config)
