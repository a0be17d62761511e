"""Students of a codec report: trained on originals or on reconstructions alike, and the features of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ddbench import registry
from ddbench.codec_report.schema import Estimate
from ddbench.data import Data
from ddbench.evaluate.schedule import equal_epochs
from ddbench.evaluate.scoring import batch_for, correct
from ddbench.evaluate.streams import StudentStreams
from ddbench.evaluate.students import Lesson, train_students
from ddbench.evaluate.trainingset import TrainingSet
from ddbench.interfaces.network import Classifier, Network, fresh
from ddbench.spec.cell import Choice, Training
from ddbench.spec.labels import arguments
from ddbench.stats import interval


@dataclass(frozen=True)
class School:
    """How students are trained and scored: the same weights, batches and updates whatever they are trained on."""

    data: Data
    network: Choice
    training: Training
    device: torch.device

    def _network(self) -> Network:
        return registry.build("network", self.network.name, self.network.args)

    def train(self, train: TrainingSet, seed: int, tell: Callable[[float], None]) -> Classifier:
        """One student of the set, at its last update. Raises: SpecError where the network does not take the shape."""
        card = self.data.card
        streams = StudentStreams(card.name, card.revision, seed, self.network.name)
        lesson = Lesson(train.to(self.device), self.training, equal_epochs(self.training, len(train)), streams)
        (student,) = train_students(self._network(), card.n_classes, lesson, [0], device=self.device, progress=tell)
        assert isinstance(student.model, Classifier), "what was trained by gradient has an embedding"
        return student.model

    def accuracy(self, model: Classifier) -> float:
        """Share of the held-out originals that it gets right."""
        row = correct([model], self.data.held_out, self.data.card.signal, device=self.device)[0]
        return int(row.sum()) / len(row)

    def restore(self, state: Mapping[str, Tensor]) -> Classifier:
        """A student with the weights of one that was trained before."""
        card = self.data.card
        model = fresh(self._network(), card.signal.shape, card.n_classes, 0, self.device)
        model.load_state_dict(dict(state))
        return model

    def features(self, model: Classifier, x: Float[Tensor, "n *shape"]) -> Float[Tensor, "n d"]:
        """What its last layer sees of normalised signals, on the CPU."""
        model.eval()
        with torch.inference_mode():
            parts = [
                model.embed(part.to(self.device)).cpu() for part in x.split(batch_for(self.data.card.signal.shape))
            ]
        return torch.cat(parts)

    def words(self) -> str:
        """What a student is, in a line."""
        t = self.training
        network = " ".join(p for p in (self.network.name, arguments(self.network.args)) if p)
        return (
            f"{network}, {t.epochs} epochs of the training set, batch {t.batch}, {t.optimiser} lr {t.lr:g} "
            f"({t.schedule}), momentum {t.momentum:g}, weight decay {t.weight_decay:g}, augmentation: {t.augment}"
        )


def estimate(by_seed: Mapping[int, float]) -> Estimate:
    """Mean and 95 % interval over seeds, one student each."""
    found = interval({seed: [value] for seed, value in by_seed.items()})
    return Estimate(mean=found.mean, half_width=found.half_width, by_seed=dict(by_seed))
