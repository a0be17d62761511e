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

RECIPE = "recipe"


@click.command(epilog="\b\nExamples:\n  ddbench info method dm\n  ddbench info recipe published")
@click.argument("kind", type=click.Choice((*registry.KINDS, RECIPE)))
@click.argument("name")
def info(kind: str, name: str) -> None:
    """Describe the plug-in NAME of a KIND: version, source, arguments; for a dataset, its card too.

    For a recipe (a path or a shipped name): its rules, each with its source.
    """
    if kind == RECIPE:
        _recipe(name)
    else:
        _plugin(kind, name)  # pyright: ignore[reportArgumentType]


def _recipe(text: str) -> None:
    from ddbench.spec.find import find_recipes
    from ddbench.spec.labels import arguments
    from ddbench.spec.recipes import read_recipes

    recipes = read_recipes(find_recipes(text), text)
    click.echo(f"recipe {recipes.name}, version {recipes.version}: {recipes.description.strip()}")
    click.echo("\nRules; where two give an argument, the later one wins:" if recipes.rules else "\nNo rules yet.")
    for rule in recipes.rules:
        beyond = "; or ".join(map(str, rule.found_with))
        click.echo(f"\n  {rule.when}")
        click.echo(f"      {arguments(rule.args)}")
        click.echo(f"      {rule.found}{f' {beyond}, adapted elsewhere' if beyond else ''}: {rule.source}")


def _plugin(kind: Kind, name: str) -> None:
    plugin = registry.load(kind, name)
    first = (inspect.getdoc(plugin) or "").strip().split("\n\n")[0].replace("\n", " ")
    click.echo(f"{kind} {name}: {first}\n")
    facts = [("version", plugin.version), ("source", plugin.source)]
    facts.append(("package", registry.origin(registry.entry(kind, name))))
    if kind == "method":
        facts.append(("spaces", ", ".join(plugin.spaces)))
    _pairs(facts)
    _arguments(plugin.Config)
    if hasattr(plugin, "TrainConfig"):
        _arguments(plugin.TrainConfig, f"Arguments of its training (ddbench codec train {name} --set ARGUMENT=VALUE)")
    if kind == "dataset":
        _card(registry.build("dataset", name).card())


def _arguments(config: Any, title: str = "Arguments") -> None:
    fields = config.model_fields
    click.echo(f"\n{title}:" if fields else "\nTakes no arguments.")
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
