"""The codec `autoencoder1d`: each channel of a series as the latent of a network that was trained beforehand."""

from __future__ import annotations

import torch

from ddbench.errors import DataError
from ddbench_codecs.autoencoders.model import read
from ddbench_codecs.autoencoders.places import Place
from ddbench_codecs.autoencoders.weights import Weights, find
from ddbench_codecs.series.latent import SeriesLatent
from ddbench_codecs.series.net import CLASS_NAME, SeriesAutoencoder, built
from ddbench_codecs.series.training import SeriesTraining


class Autoencoder1d(SeriesTraining, SeriesLatent):
    """Stores the latent of each channel of a series in a small network trained by `ddbench codec train`."""

    version = "1"
    source = "LatentDD, arXiv 2311.15547, with a network over time; trained by `ddbench codec train`"

    @classmethod
    def weights_of(cls, name: str) -> Weights:
        weights = find(Place(name))
        if weights.config["_class_name"] != CLASS_NAME:
            raise DataError(
                f"{weights.folder} holds a {weights.config['_class_name']}, not a {CLASS_NAME}: "
                "`ddbench codec train autoencoder1d` makes such weights, and other codecs take other models."
            )
        try:
            with torch.device("meta"):
                wanted = {n: tuple(p.shape) for n, p in built(weights.config).named_parameters()}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{weights.folder}/config.json describes no model that works: {error}.") from error
        found = {n: e.shape for n, e in weights.entries.items()}
        if found != wanted:
            amiss = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
            raise DataError(
                f"The weights in {weights.folder} do not fit its config.json: {', '.join(amiss[:3])}. Copy both again."
            )
        return weights

    @classmethod
    def model_of(cls, weights: Weights) -> SeriesAutoencoder:
        model = built(weights.config)
        model.load_state_dict({n: t.float() for n, t in read(weights.files).items()})
        return model
