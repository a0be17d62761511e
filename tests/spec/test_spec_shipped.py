"""The suites that ship: valid with the real plug-ins, and complete."""

from __future__ import annotations

from pathlib import Path

import pytest
from picture_trees import clipart_tree

from ddbench.datasets.imagenet import subsets
from ddbench.planning.expand import expand
from ddbench.planning.load import load_suite
from ddbench.planning.mandatory import missing_mandatory
from ddbench.planning.plan import plan
from ddbench.spec.find import list_suites

pytestmark = pytest.mark.usefixtures("built_ins")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small trees in the layouts that suites ask for: a card looks at ImageNet's files, but does not read them."""
    root = tmp_path_factory.mktemp("data")
    for wnid in {wnid for classes in subsets().values() for wnid, _ in classes}:
        for part, count in (("train", 12), ("val", 2)):
            folder = root / "imagenet" / part / wnid
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{wnid}_{i}.JPEG").touch()
    clipart_tree(root / "openclipart" / "png")
    return root


@pytest.fixture(autouse=True)
def _pictures_are_there(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_DATA", str(pictures))


@pytest.mark.parametrize("name", list(list_suites()))
def test_shipped_suites_are_valid_and_have_the_mandatory_rows(name):
    suite = load_suite(name)
    assert suite.name == name
    assert suite.description
    cells = expand(suite)
    assert cells
    assert missing_mandatory(cells) == []
    for planned in plan(cells):
        assert planned.used_bytes is None or planned.used_bytes <= 1.02 * planned.cap_bytes


def test_the_quickstart_has_what_the_readme_shows():
    cells = expand(load_suite("quickstart"))
    rows = {(str(c.budget), c.codec.name, c.method.name) for c in cells}
    wanted = {("1 ipc", codec, method) for codec in ("identity", "downsample", "dct") for method in ("random", "dm")}
    wanted |= {
        ("1 ipc", "jpeg", "random"),
        ("10 ipc", "pca", "random"),
        ("10 ipc", "pca", "dm"),
        ("None", "identity", "full"),
    }
    assert wanted <= rows
    assert {c.dataset.name for c in cells} == {"fashion_mnist_small"}
