"""Any timm classifier by name, freshly initialised."""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ddbench.errors import SpecError, did_you_mean
from ddbench.interfaces.network import Classifier, Network
from ddbench.interfaces.plugin import PluginConfig

OWN = ("pretrained", "num_classes", "in_chans", "checkpoint_path")
"""Arguments of timm that the framework sets: students are fresh and follow the data."""


class TimmConfig(PluginConfig):
    """Arguments of a timm classifier."""

    model: str = Field(default="resnet18", description="timm's name of the architecture.")
    arguments: dict[str, Any] = Field(
        default={}, description="Further arguments of timm.create_model, such as {img_size: 32, patch_size: 4}."
    )


class TimmClassifier(Classifier):
    """A timm model; features are what stands before its last linear layer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def embed(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b d"]:
        model = cast(Any, self.model)
        return model.forward_head(model.forward_features(x), pre_logits=True).flatten(1)

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b k"]:
        return self.model(x)


class Timm(Network):
    """A timm classifier with `in_chans` and the number of classes set from the data, never pretrained."""

    version = "1"
    source = "timm (github.com/huggingface/pytorch-image-models)"
    Config = TimmConfig

    def __init__(self, config: PluginConfig | None = None) -> None:
        super().__init__(config)
        self._taken: set[tuple[int, ...]] = set()

    def build(self, shape: tuple[int, ...], n_classes: int) -> TimmClassifier:
        import timm

        name, arguments = self.config.model, self.config.arguments
        if not timm.is_model(name):
            raise SpecError(f"timm has no model called {name!r}. {_near(name)}")
        if own := sorted(set(arguments) & set(OWN)):
            raise SpecError(
                f"The network 'timm' sets {', '.join(own)} itself (students are fresh and follow the data). "
                "Take it out of 'arguments'."
            )
        if len(shape) != 3:
            raise SpecError(f"The network 'timm' takes maps (c, h, w); this signal has shape {shape}. Use 'auto'.")
        try:
            model = timm.create_model(name, pretrained=False, in_chans=shape[0], num_classes=n_classes, **arguments)
        except Exception as error:  # timm passes arguments on to hundreds of constructors
            raise SpecError(
                f"timm cannot make {name!r} for signals of shape {shape} with the arguments {arguments}: "
                f"{type(error).__name__}: {error}"
            ) from error
        classifier = TimmClassifier(model)
        if shape not in self._taken:
            self._try_out(classifier, shape, n_classes)
            self._taken.add(shape)
        return classifier

    def _try_out(self, classifier: TimmClassifier, shape: tuple[int, ...], n_classes: int) -> None:
        """One forward pass, so that a shape that does not fit is a message instead of a traceback hours later."""
        training = classifier.training
        try:
            with torch.no_grad():
                x = torch.zeros(1, *shape)
                logits, features = classifier.eval()(x), classifier.embed(x)
        except Exception as error:  # whatever the architecture raises
            raise SpecError(
                f"timm's {self.config.model!r} does not take signals of shape {shape}: {error} "
                f"Give arguments that fit (such as img_size: {shape[-1]}) or another model."
            ) from error
        finally:
            classifier.train(training)
        if logits.shape != (1, n_classes) or features.dim() != 2:
            raise SpecError(
                f"timm's {self.config.model!r} gives outputs of shape {tuple(logits.shape[1:])} where {n_classes} "
                "logits are needed. Choose a classifier."
            )


def _near(name: str) -> str:
    """The near misses only: timm knows more than a thousand names."""
    import timm

    hint = did_you_mean(name, timm.list_models())
    return hint if hint.startswith("Did") else "timm.list_models() gives the names."
