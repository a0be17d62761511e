"""Look-up of plug-ins: lazy, with near misses, and clear about packages that clash, fail or break the contract."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint, PathDistribution, distributions
from pathlib import Path

import pytest

from ddbench import registry
from ddbench.errors import PluginError, SpecError

MODULE = """
from pydantic import Field
from ddbench.interfaces.method import Selector
from ddbench.interfaces.plugin import PluginConfig

class Config(PluginConfig):
    share: float = Field(0.5, gt=0, le=1, description="Share.")
    kind: str = Field(description="Required.")

class Good(Selector):
    version, source, Config = "1", "made up", Config
    def select(self, task, n): ...

class Silent(Good):
    version = ""

class Unsourced(Good):
    source = None

class Abstract(Selector):
    version, source = "1", "made up"

class Undocumented(Good):
    class Config(PluginConfig):
        x: int = 3

class Stranger:
    version, source = "1", "made up"

number = 5
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs made-up packages: `install(name, module_text, {group: {plug-in: value}})`, found as pip's would be."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, module: str, points: dict[str, dict[str, str]]) -> None:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(module))
        info = tmp_path / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = [line for g, t in points.items() for line in (f"[{g}]", *(f"{k} = {v}" for k, v in t.items()))]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        registry.refresh()

    yield install
    for module in [m for m in sys.modules if (tmp_path / f"{m}.py").exists()]:
        del sys.modules[module]
    monkeypatch.undo()
    registry.refresh()


@pytest.fixture
def acme(installed):
    points = {n: f"acme_dd:{v}" for n, v in {
        "acme_good": "Good", "acme_silent": "Silent", "acme_unsourced": "Unsourced", "acme_abstract": "Abstract",
        "acme_undocumented": "Undocumented", "acme_stranger": "Stranger", "acme_number": "number",
        "acme_nowhere": "Nowhere",
    }.items()}  # fmt: skip
    installed("acme_dd", MODULE, {"ddbench.methods": points})


def test_installed_plugins_are_found_and_built(acme):
    assert "acme_good" in registry.names("method")
    assert registry.names("method") == sorted(registry.names("method"))
    assert registry.origin(registry.entry("method", "acme_good")) == "acme_dd 1.2"
    method = registry.build("method", "acme_good", {"kind": "a", "share": 0.25})
    assert (method.config.kind, method.config.share) == ("a", 0.25)


def test_an_unknown_name_suggests_near_misses(acme):
    with pytest.raises(PluginError, match=r"no method called 'acme_god'\. Did you mean 'acme_good'"):
        registry.load("method", "acme_god")
    with pytest.raises(PluginError, match=r"Known: .*acme_good"):
        registry.entry("method", "zzzzzzzz")


def test_two_plugins_of_one_name_name_both_packages(acme, installed):
    installed("other_dd", MODULE, {"ddbench.methods": {"acme_good": "other_dd:Good", "other": "other_dd:Good"}})
    with pytest.raises(PluginError) as caught:
        registry.load("method", "acme_good")
    for word in ("acme_dd 1.2 (acme_dd:Good)", "other_dd 1.2 (other_dd:Good)", "Uninstall"):
        assert word in str(caught.value)
    assert registry.load("method", "other").__name__ == "Good"
    assert registry.names("method").count("acme_good") == 1


def test_one_package_seen_twice_is_no_clash(monkeypatch):
    point = EntryPoint("x", "m:X", "ddbench.methods")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point, point])
    assert registry._found.__wrapped__("method") == {"x": [point]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("def f(:", "SyntaxError"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named_and_the_others_work(acme, installed, body, words):
    installed("broken_dd", body, {"ddbench.methods": {"broken": "broken_dd:X"}})
    assert "broken" in registry.names("method")
    with pytest.raises(PluginError) as caught:
        registry.load("method", "broken")
    assert "'broken' of broken_dd 1.2 (broken_dd:X) cannot be imported" in str(caught.value)
    assert words in str(caught.value)
    assert registry.load("method", "acme_good").version == "1"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("acme_silent", "declares no 'version'"),
        ("acme_unsourced", "declares no 'source'"),
        ("acme_abstract", "does not define select"),
        ("acme_undocumented", "arguments x have no description"),
        ("acme_stranger", "not a subclass of ddbench.interfaces.method.Method"),
        ("acme_number", "it is 5, not a subclass"),
    ],
)
def test_contract_breakers_are_told_what_is_wrong(acme, name, words):
    with pytest.raises(PluginError, match="breaks the plug-in contract") as caught:
        registry.load("method", name)
    assert words in str(caught.value)
    assert "acme_dd 1.2" in str(caught.value)


def test_a_missing_attribute_is_an_import_failure(acme):
    with pytest.raises(PluginError, match="cannot be imported: AttributeError"):
        registry.load("method", "acme_nowhere")


def test_all_wrong_arguments_are_named_at_once(acme):
    with pytest.raises(SpecError) as caught:
        registry.configure("method", "acme_good", {"share": 2, "kidn": "a"})
    for words in ("argument 'share'", "got 2", "'kind' is required", "unknown argument 'kidn'. Did you mean 'kind'"):
        assert words in str(caught.value)
    places = [loc for loc, _ in registry.argument_faults("method", "acme_good", {"share": 2, "kidn": "a"})]
    assert sorted(places) == [("kidn",), ("kind",), ("share",)]
    assert registry.argument_faults("method", "acme_good", {"kind": "a"}) == []


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_arguments_are_finite_since_they_are_part_of_keys(acme, value):
    assert registry.argument_faults("method", "acme_good", {"kind": "a", "share": value})


def test_listing_and_naming_import_no_torch():
    code = (
        "import sys; from ddbench import registry\n"
        "for kind in registry.KINDS: registry.names(kind)\n"
        "import ddbench.spec.suite, ddbench.spec.mistakes, ddbench.spec.find, ddbench.spec.cell, ddbench.spec.combine\n"
        "from ddbench.planning.load import load_suite\n"
        "assert load_suite('quickstart', plugins=False).grid\n"
        "loaded = [m for m in sys.modules if m.split('.')[0] in ('torch', 'ddbench_codecs', 'ddbench_methods')]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_fixture_reads_packages_as_importlib_does(acme):
    (found,) = [d for d in distributions() if d.metadata["Name"] == "acme_dd"]
    assert isinstance(found, PathDistribution)
    assert len(found.entry_points) == 8
