"""What students on codes see: the stored codes and the held-out set encoded, standardised by the training codes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ddbench.artifact import DistilledSet
from ddbench.data import Data
from ddbench.distill.encoded import check_finite, encode_split, standardisation
from ddbench.interfaces.codec import Codes
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.signal import SignalSpec


def as_codes(stored: DistilledSet, data: Data, device: torch.device) -> Data:
    """The set and the held-out items as if codes were the dataset's signals: `train` are the stored codes.

    The signal's mean and deviation are those of the encoded real training set, as in matching in code space, so
    `SignalSpec.normalise` standardises; its augmentation is the codec's for codes. Real items are encoded with the
    leaves that the file holds, rounding included: whoever has the file sees the same codes. While the constants are
    computed the codes of the training set are held, after that those of the set and of the held-out items only.

    Raises: PluginError where codes of real items are not finite.
    """
    codec, signal = stored.codec(), data.card.signal
    assert codec.code_leaf is not None, "planning lets no other codec here"
    shared: Codes = {
        leaf.name: value.to(device) if isinstance(value := stored.codes[leaf.name], Tensor) else value
        for leaf in (*codec.leaves(), *codec.refitted())
        if leaf.scope != "item"
    }
    real = encode_split(codec, shared, data, "train", device)
    check_finite(real, codec, f"training items of {data.card.name!r}")
    mean, std = standardisation(real)
    del real
    held_out = encode_split(codec, shared, data, "held_out", device).cpu()
    check_finite(held_out, codec, f"held-out items of {data.card.name!r}")
    code = stored.codes.get(codec.code_leaf)
    if code is None:  # derived: of the signals that the set decodes to
        x, source = stored.decode_items(device)
        code = codec.encode(x, stored.labels[source.cpu()].to(device), shared)[codec.code_leaf]
    assert isinstance(code, Tensor), "a code leaf has a fixed shape"
    code = code.cpu()
    spec = SignalSpec(
        tuple(code.shape[1:]),
        tuple(mean.flatten().tolist()),
        tuple(std.flatten().tolist()),
        augmentation=codec.code_augmentation(signal.augmentation),
    )
    card = replace(data.card, signal=spec)
    return Data(card, Split(code, stored.labels), Split(held_out, data.held_out.labels))
