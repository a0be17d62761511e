"""How leaves become stored tensors and back: floats by rounding, uint8 by a range a row, byte strings by offsets."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ddbench.errors import ArtifactError
from ddbench.interfaces.codec import Ragged
from ddbench.leaf import Leaf, Storage

LEVELS = 255


def store_leaf(
    leaf: Leaf, value: Tensor | Ragged, storage: Storage, labels: Int[Tensor, " m"] | None = None
) -> dict[str, Tensor]:
    """The tensors that hold a leaf: `scope/leaf`, with `.range` for uint8 rows, `.values` and `.offsets` for strings.

    Rows that a coder writes together are one byte string, `.stream`; `labels` are those of the rows.

    Raises: ArtifactError for values that are not finite or do not fit the storage type.
    """
    name = f"{leaf.scope}/{leaf.name}"
    if isinstance(value, Ragged):
        return {f"{name}.values": value.values.cpu(), f"{name}.offsets": value.offsets.cpu()}
    value = value.detach().cpu()
    if leaf.coder is not None:
        assert labels is not None
        stream = bytearray(leaf.coder.pack(value, labels.cpu()))
        return {f"{name}.stream": torch.frombuffer(stream, dtype=torch.uint8).clone()}
    if value.is_floating_point() and not bool(value.isfinite().all()):
        raise ArtifactError(f"The leaf {leaf.name!r} holds values that are not finite; nothing was written.")
    if leaf.has_ranges(storage):
        levels, ranges = to_levels(value.float().reshape(_rows(leaf, value), -1))
        if not bool(ranges.isfinite().all()):
            raise ArtifactError(f"The leaf {leaf.name!r} spans too wide a range for {storage}; nothing was written.")
        return {name: levels.reshape(value.shape), f"{name}.range": ranges}
    dtype = getattr(torch, leaf.stored_dtype(storage))
    if dtype.is_floating_point and value.numel() and float(value.abs().max()) > torch.finfo(dtype).max:
        raise ArtifactError(f"The leaf {leaf.name!r} reaches {float(value.abs().max()):.3g}, too large for {dtype}.")
    stored = value.to(dtype)
    if not dtype.is_floating_point and not torch.equal(stored.to(value.dtype), value):
        raise ArtifactError(f"The leaf {leaf.name!r} holds values that {dtype} does not; nothing was written.")
    # cloned, since safetensors refuses leaves that share memory
    return {name: stored.clone(memory_format=torch.contiguous_format)}


def restore_leaf(
    leaf: Leaf, tensors: dict[str, Tensor], storage: Storage, labels: Int[Tensor, " m"] | None = None
) -> Tensor | Ragged:
    """The leaf from its stored tensors, in its type in memory. Raises: ArtifactError for a damaged stream."""
    name = f"{leaf.scope}/{leaf.name}"
    if leaf.coder is not None:
        assert labels is not None
        data = tensors[f"{name}.stream"].numpy().tobytes()
        try:
            return leaf.coder.unpack(data, labels.cpu())
        except ValueError as error:
            raise ArtifactError(f"The {len(data)} bytes of the leaf {leaf.name!r} cannot be read: {error}.") from error
    if leaf.shape is None:
        return Ragged(tensors[f"{name}.values"], tensors[f"{name}.offsets"])
    value = tensors[name]
    if leaf.has_ranges(storage):
        value = from_levels(value.reshape(_rows(leaf, value), -1), tensors[f"{name}.range"]).reshape(value.shape)
    return value.to(getattr(torch, leaf.dtype))


def to_levels(rows: Float[Tensor, "r d"]) -> tuple[Tensor, Float[Tensor, "r 2"]]:
    """uint8 levels of each row between its lowest and highest value, and (lowest, step) a row."""
    low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
    step = (high - low) / LEVELS
    safe = torch.where(step > 0, step, torch.ones_like(step))
    return ((rows - low) / safe).round().clamp(0, LEVELS).to(torch.uint8), torch.cat([low, step], 1)


def from_levels(levels: Tensor, ranges: Float[Tensor, "r 2"]) -> Float[Tensor, "r d"]:
    return ranges[:, :1] + levels.float() * ranges[:, 1:]


def _rows(leaf: Leaf, value: Tensor) -> int:
    return leaf.range_rows if leaf.scope == "set" else len(value)
