"""Weights whose publisher names a dataset: on that dataset, by whatever name, the decoder is in-domain."""

from __future__ import annotations

import pytest
from ddbench_codecs.autoencoders.domain import in_domain
from ddbench_codecs.autoencoders.known import KNOWN

from ddbench import registry


@pytest.mark.parametrize("args", [{"size": 64}, {"archive": "160px"}])
def test_what_saw_imagenet_knows_imagenette(args: dict[str, object]) -> None:
    family = registry.build("dataset", "imagenette", args).card().family
    assert in_domain(KNOWN["mit-han-lab/dc-ae-f32c32-in-1.0-diffusers"].datasets, family)
    assert not in_domain(KNOWN["stabilityai/sd-vae-ft-mse"].datasets, family)
