"""What the README promises: its blocks are code that works, its commands are those that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from ddbench import registry
from ddbench.cli import main as cli
from ddbench.interfaces.codec import Target
from ddbench.interfaces.signal import SignalSpec
from ddbench.testing.codecs import CodecContract
from ddbench.testing.methods import MethodContract

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def block(marker: str) -> str:
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, f"README.md has no block marked {marker}"
    return found[1]


def defined(marker: str, name: str) -> type:
    space: dict[str, object] = {"__name__": f"readme_{marker}"}
    exec(compile(block(marker), f"README.md ({marker})", "exec"), space)
    found = space[name]
    assert isinstance(found, type)
    return found


def lines(marker: str) -> int:
    return len([line for line in block(marker).splitlines() if line.strip()])


class TestMosaic(CodecContract):
    codec = defined("codec", "Mosaic")
    shapes = ((1, 28, 28), (3, 32, 32))


class TestMoments(MethodContract):
    method = defined("method", "Moments")
    args = {"iterations": 5, "real_batch": 8}  # noqa: RUF012


def test_the_blocks_are_as_short_as_their_titles_say():
    assert lines("codec") <= 20
    assert lines("method") <= 40


def test_the_codecs_bytes_are_charged_by_its_leaves():
    from ddbench.cost import cost_of

    codec = defined("codec", "Mosaic")(None, Target(SignalSpec((1, 28, 28), (0.5,), (0.5,)), 10, 31360))
    assert cost_of(codec.leaves(), "float32").item == 784
    x = torch.arange(784.0).reshape(1, 1, 28, 28)
    decoded = codec.decode(codec.encode(x, None, {}), None, None).signals
    assert decoded[0, 0, :2, :2].flatten().tolist() == [14.5] * 4
    assert registry.contract_faults("codec", defined("codec", "Mosaic")) == []
    assert registry.contract_faults("method", defined("method", "Moments")) == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"^ddbench (\w+)", README, re.MULTILINE))))
def test_every_command_named_exists(name: str):
    assert name in cli.cli.list_commands(None)  # type: ignore[arg-type]


def test_nothing_is_left_to_be_filled_in():
    assert not re.findall(r"@\w+@", README)


def test_every_page_linked_exists():
    for page in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / page).is_file(), page


def test_the_suite_in_the_pages_expands(tmp_path: Path):
    from ddbench.planning.expand import expand
    from ddbench.planning.load import load_suite

    page = (Path(__file__).parents[1] / "docs" / "suites_and_results.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found
    (tmp_path / "mine.yaml").write_text(found[1], encoding="utf-8")
    assert len(expand(load_suite(str(tmp_path / "mine.yaml")))) > 20
