"""Student networks by label, and which of them a cell's matching never saw. torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from ddbench.spec.cell import Cell, Choice


def labels(networks: Sequence[Choice]) -> list[str]:
    """A name for each network of a protocol: the plug-in's, with the arguments in which namesakes differ."""
    names = []
    for choice in networks:
        others = [c for c in networks if c.name == choice.name and c != choice]
        differ = sorted({k for c in others for k in {*c.args, *choice.args} if c.args.get(k) != choice.args.get(k)})
        told = ", ".join(f"{k}={choice.args.get(k)}" for k in differ)
        names.append(f"{choice.name}({told})" if told else choice.name)
    return names


def unseen(cell: Cell) -> tuple[str, ...]:
    """Labels of the students whose network is not the match network, by name and arguments.

    It compares what was asked for: a suite that matches with `auto` and trains `convnet` asks for two networks.
    """
    networks = cell.protocol.networks
    return tuple(dict.fromkeys(name for name, choice in zip(labels(networks), networks) if choice != cell.network))
