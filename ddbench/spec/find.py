"""Where suites are: a file by its path, else one of those that ship with ddbench by its name. torch-free."""

from __future__ import annotations

from pathlib import Path

from ddbench.errors import SpecError, did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]


def suite_folder() -> Path:
    """The folder of the shipped suites: in the installed package, or at the top of a source checkout."""
    checkout = _PACKAGE.parent
    if not (_PACKAGE / "suites").is_dir() and (checkout / "pyproject.toml").is_file():
        return checkout / "suites"
    return _PACKAGE / "suites"


def list_suites() -> dict[str, Path]:
    """The shipped suites by name, sorted."""
    return {path.stem: path for path in sorted(suite_folder().glob("*.yaml"))}


def find_suite(text: str) -> Path:
    """The file that `text` means: a path, else a shipped suite's name (`quickstart`, `suites/quickstart.yaml`).

    Raises: SpecError that names the near misses.
    """
    path = Path(text)
    try:
        if path.is_file():
            return path
        folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise SpecError(f"{text!r} is not a path that can be read: {error}.") from error
    shipped = list_suites()
    name = text.removeprefix("suites/").removesuffix(".yaml").removesuffix(".yml")
    if name in shipped:
        return shipped[name]
    found = "that is a folder" if folder else "no such file, and none that ships with ddbench is called so"
    raise SpecError(
        f"There is no suite {text!r}: {found}. Give the path of a YAML file or the name of a shipped suite. "
        f"{did_you_mean(name, shipped)}".rstrip()
    )
