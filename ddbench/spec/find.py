"""Where suites and recipes are: a file by its path, else one that ships with ddbench by its name. torch-free."""

from __future__ import annotations

from pathlib import Path

from ddbench.errors import SpecError, did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]


def list_suites() -> dict[str, Path]:
    """The shipped suites by name, sorted."""
    return _shipped("suites")


def find_suite(text: str) -> Path:
    """The file that `text` means: a path, else a shipped suite's name (`quickstart`, `suites/quickstart.yaml`).

    Raises: SpecError that names the near misses.
    """
    return _find(text, "suites", "suite", None)


def list_recipes() -> dict[str, Path]:
    """The shipped recipes by name, sorted."""
    return _shipped("recipes")


def find_recipes(text: str, beside: Path | None = None) -> Path:
    """The file that `text` means: a path, from the folder `beside` or from here, else the name of shipped recipes.

    Raises: SpecError that names the near misses.
    """
    return _find(text, "recipes", "recipes file", beside)


def _shipped(kind: str) -> dict[str, Path]:
    return {path.stem: path for path in sorted(_folder(kind).glob("*.yaml"))}


def _folder(kind: str) -> Path:
    """The folder of what ships: in the installed package, or at the top of a source checkout."""
    checkout = _PACKAGE.parent
    if not (_PACKAGE / kind).is_dir() and (checkout / "pyproject.toml").is_file():
        return checkout / kind
    return _PACKAGE / kind


def _find(text: str, kind: str, what: str, beside: Path | None) -> Path:
    path = Path(text)
    try:
        for candidate in ([beside / path] if beside else []) + [path]:
            if candidate.is_file():
                return candidate
        folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise SpecError(f"{text!r} is not a path that can be read: {error}.") from error
    shipped = _shipped(kind)
    name = text.removeprefix(f"{kind}/").removesuffix(".yaml").removesuffix(".yml")
    if name in shipped:
        return shipped[name]
    found = "that is a folder" if folder else "no such file, and none that ships with ddbench is called so"
    raise SpecError(
        f"There is no {what} {text!r}: {found}. Give the path of a YAML file or the name of a shipped one. "
        f"{did_you_mean(name, shipped)}".rstrip()
    )
