"""`ddbench info`: what a plug-in says of itself."""

from __future__ import annotations

import inspect
import types
import typing
from typing import Any

import click

from ddbench import registry
from ddbench.canonical import canonical
from ddbench.interfaces.dataset import DatasetCard
from ddbench.registry import Kind


@click.command(epilog="\b\nExample:\n  ddbench info method dm")
@click.argument("kind", type=click.Choice(registry.KINDS))
@click.argument("name")
def info(kind: Kind, name: str) -> None:
    """Describe the plug-in NAME of a KIND: version, source, arguments; for a dataset, its card too."""
    plugin = registry.load(kind, name)
    first = (inspect.getdoc(plugin) or "").strip().split("\n\n")[0].replace("\n", " ")
    click.echo(f"{kind} {name}: {first}\n")
    facts = [("version", plugin.version), ("source", plugin.source)]
    facts.append(("package", registry.origin(registry.entry(kind, name))))
    if kind == "method":
        facts.append(("spaces", ", ".join(plugin.spaces)))
    _pairs(facts)
    _arguments(plugin)
    if kind == "dataset":
        _card(registry.build("dataset", name).card())


def _arguments(plugin: Any) -> None:
    fields = plugin.Config.model_fields
    click.echo("\nArguments:" if fields else "\nTakes no arguments.")
    for name, field in fields.items():
        default = (
            "required" if field.is_required() else f"default {_plain(field.get_default(call_default_factory=True))}"
        )
        click.echo(f"  {name} ({type_name(field.annotation)}, {default})")
        click.echo(f"      {field.description}")


def type_name(annotation: Any) -> str:
    """A type as a suite's author reads it: `int or null`, `one of 'a', 'b'`, `list of int`."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(part) for part in parts)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(repr, parts))
    if origin in (list, tuple, set, frozenset):
        return f"list of {type_name(parts[0])}" if parts else "list"
    if annotation is type(None):
        return "null"
    return getattr(annotation, "__name__", str(annotation))


def _plain(value: Any) -> str:
    try:
        return canonical(value)
    except (TypeError, ValueError):
        return str(value)


def _card(card: DatasetCard) -> None:
    click.echo("\nDataset:")
    low, high = card.signal.low, card.signal.high
    names = ", ".join(card.class_names[:10]) + (", …" if card.n_classes > 10 else "")
    _pairs(
        [
            ("revision", card.revision),
            ("licence", card.licence),
            ("signal", " × ".join(map(str, card.signal.shape))),
            ("raw range", "unbounded" if low is None and high is None else f"{low} to {high}"),
            ("augmentation", card.signal.augmentation or "none"),
            ("classes", f"{card.n_classes}: {names}"),
            ("training", f"{card.train_size} ({card.smallest_class} of the rarest class)"),
            ("test", str(card.test_size)),
            ("bytes", f"{card.train_size * card.signal_bytes:,} in the training set, {card.signal_bytes} a signal"),
        ],
        indent="  ",
    )


def _pairs(pairs: list[tuple[str, str]], indent: str = "") -> None:
    wide = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{indent}{name:<{wide}}  {value}")
