"""`ddbench list`: names of what is installed, with the packages that provide it. Imports no plug-in. torch-free."""

from __future__ import annotations

import click

from ddbench import registry
from ddbench.errors import PluginError

WHAT = (*(f"{kind}s" for kind in registry.KINDS), "suites", "recipes")


@click.command("list", epilog="\b\nExample:\n  ddbench list codecs")
@click.argument("what", type=click.Choice(WHAT), required=False)
def list_plugins(what: str | None) -> None:
    """List what is installed: codecs, methods, datasets, networks, engines, suites, recipes; or all of them."""
    for i, kind in enumerate([what] if what else WHAT):
        if what is None:
            click.echo(("\n" if i else "") + f"{kind}:")
        lines = _shipped(kind) if kind in ("suites", "recipes") else _plugins(kind.removesuffix("s"))
        wide = max((len(name) for name, _ in lines), default=0)
        for name, whence in lines:
            click.echo(f"{'' if what else '  '}{name:<{wide}}  {whence}".rstrip())
        if not lines:
            click.echo(f"{'' if what else '  '}(none)")


def _plugins(kind: str) -> list[tuple[str, str]]:
    lines = []
    for name in registry.names(kind):  # pyright: ignore[reportArgumentType]
        try:
            whence = registry.origin(registry.entry(kind, name))  # pyright: ignore[reportArgumentType]
        except PluginError as error:
            whence = f"cannot be used: {error}"
        lines.append((name, whence))
    return lines


def _shipped(kind: str) -> list[tuple[str, str]]:
    from ddbench.spec.find import list_recipes, list_suites

    found = list_suites() if kind == "suites" else list_recipes()
    return [(name, "shipped with ddbench") for name in found]
