"""Weights on disk: where they are looked for, what is wrong with them, and the digest that stands in a cell's key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from codec_helpers import target
from ddbench_codecs.autoencoders import fetch as fetch_module
from ddbench_codecs.autoencoders import places
from ddbench_codecs.autoencoders.codec import Autoencoder
from ddbench_codecs.autoencoders.config import AutoencoderConfig
from ddbench_codecs.autoencoders.model import check_fit
from ddbench_codecs.autoencoders.places import STEM
from ddbench_codecs.autoencoders.presets import SdVaeF4, SdVaeF8
from ddbench_codecs.autoencoders.weights import find, present_name
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from tiny_autoencoders import folder

from ddbench.errors import DataError

WEIGHTS = f"{STEM}.safetensors"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of models and an empty Hugging Face cache."""
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "models"


@pytest.fixture
def model(root: Path) -> Path:
    return shutil.copytree(folder() / "tiny", root / "mine")


def version(name: str = "mine", **args: str) -> str:
    return Autoencoder.version_with(AutoencoderConfig(model=name, **args))  # pyright: ignore[reportArgumentType]


def in_hub(hub: Path, name: str, subfolder: str = "") -> Path:
    """The cache as huggingface_hub lays it out: blobs, and snapshots of links to them."""
    repository, commit = hub / f"models--{name.replace('/', '--')}", "c" * 40
    at = repository / "snapshots" / commit / subfolder
    at.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for file in (folder() / "tiny").iterdir():
        blob = repository / "blobs" / f"of-{file.name}"
        shutil.copy(file, blob)
        (at / file.name).symlink_to(blob)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    return at


def test_missing_weights_are_told_with_file_places_and_way(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        SdVaeF4.version_with(SdVaeF4.Config())
    for part in (
        "config.json",
        str(root / "stabilityai" / "stable-diffusion-x4-upscaler" / "vae"),
        str(tmp_path / "hub"),
    ):
        assert part in str(told.value)
    assert "ddbench prepare SUITE --download" in str(told.value)
    with pytest.raises(DataError, match="DDBENCH_MODELS"):
        version("a_folder")
    with pytest.raises(DataError, match="This release"):
        version("shipped:nothing")


def test_a_folder_of_ones_own_models_is_not_sent_to_the_hub(root: Path, tmp_path: Path) -> None:
    (root / "quality" / "steps-100").mkdir(parents=True)
    with pytest.raises(DataError) as told:
        version("quality/steps-50")
    assert f"Looked in: {root / 'quality' / 'steps-50'}, " in str(told.value)
    assert "--download" not in str(told.value)
    with pytest.raises(DataError, match=r"Looked in: .*someone.*Where the name is that of a Hugging Face repository"):
        version("someone/theirs")
    in_hub(tmp_path / "hub", "quality/steps-50").joinpath(WEIGHTS).unlink()
    with pytest.raises(DataError, match="Hugging Face repository"):
        version("quality/steps-50")


def test_a_local_folder_a_shipped_one_and_the_hubs_cache_are_found(
    root: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = in_hub(tmp_path / "hub", "someone/theirs", "vae")
    monkeypatch.setattr(places, "shipped_root", lambda: root)
    found = version("mine")
    assert version("shipped:mine") == version("someone/theirs", subfolder="vae") == found
    assert found.startswith("1+")
    assert len(found) == 2 + 16
    assert find(AutoencoderConfig(model="someone/theirs", subfolder="vae").place).folder == at
    assert Autoencoder(AutoencoderConfig(model="mine"), target(3, 12, 12)).version == found


def test_a_local_folder_goes_before_the_hubs(root: Path, tmp_path: Path) -> None:
    in_hub(tmp_path / "hub", "someone/theirs")
    shutil.copytree(folder() / "kl", root / "someone" / "theirs")
    assert find(AutoencoderConfig(model="someone/theirs").place).config["_class_name"] == "AutoencoderKL"


def test_the_version_is_of_what_weights_hold_not_of_where_they_lie(root: Path, model: Path) -> None:
    before = version()
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "_name_or_path": "/elsewhere", "_diffusers_version": "9"}))
    assert version() == before
    (model / "codec_card.json").write_text(json.dumps({"training_data": "Sentences say nothing of results."}))
    assert version() == before
    (model / "codec_card.json").write_text(json.dumps({"range": [0, 1]}))
    ranged = version()
    (model / "codec_card.json").unlink()
    tensors = load_file(model / WEIGHTS)
    first = min(tensors)
    save_file({**tensors, first: tensors[first] + 1}, model / WEIGHTS)
    changed = version()
    assert len({before, ranged, changed}) == 3


def test_weights_in_parts_are_weights(root: Path, model: Path) -> None:
    tensors = load_file(model / WEIGHTS)
    names = sorted(tensors)
    parts = {"a.safetensors": names[:7], "b.safetensors": names[7:]}
    for file, held in parts.items():
        save_file({n: tensors[n] for n in held}, model / file)
    (model / WEIGHTS).unlink()
    index = {"weight_map": {n: file for file, held in parts.items() for n in held}}
    (model / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    assert set(find(AutoencoderConfig(model="mine").place).entries) == set(names)
    version()
    (model / "b.safetensors").unlink()
    with pytest.raises(DataError, match=r"b\.safetensors is wanted"):
        version()


@pytest.mark.parametrize("name", [5, "../b.safetensors", "/b.safetensors", ""])
def test_an_index_names_files_beside_it_and_no_others(model: Path, name: Any) -> None:
    (model / WEIGHTS).unlink()
    (model / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(DataError, match="no file beside it"):
        version()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _cut_head(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30])


def _other(path: Path) -> None:
    path.write_bytes(b"\0" * 100)


@pytest.mark.parametrize(
    ("harm", "told"), [(_cut, "should have .* bytes by its header"), (_cut_head, "cut short"), (_other, "no header")]
)
def test_damaged_weights_are_named_with_their_fault(model: Path, harm: Callable[[Path], None], told: str) -> None:
    harm(model / WEIGHTS)
    with pytest.raises(DataError, match=told) as error:
        version()
    assert WEIGHTS in str(error.value)


def test_a_download_that_was_not_finished_is_told(tmp_path: Path) -> None:
    at = in_hub(tmp_path / "hub", "someone/theirs")
    (at / WEIGHTS).unlink()
    half = tmp_path / "hub" / "models--someone--theirs" / "blobs" / "abc.incomplete"
    half.write_bytes(b"half")
    with pytest.raises(DataError, match=r"not finished .*abc\.incomplete"):
        version("someone/theirs")


def test_weights_of_another_model_are_refused(model: Path) -> None:
    tensors = load_file(model / WEIGHTS)
    first, second, *_ = sorted(tensors)
    del tensors[first]
    save_file({**tensors, second: torch.zeros(2, 3), "unheard": torch.zeros(1)}, model / WEIGHTS)
    with pytest.raises(DataError) as told:
        version()
    for part in (f"{first} is missing", "unheard is not known", f"{second} has shape (2, 3)"):
        assert part in str(told.value)


def test_pickles_are_not_read(model: Path) -> None:
    (model / WEIGHTS).rename(model / f"{STEM}.bin")
    with pytest.raises(DataError, match="is a pickle"):
        version()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"_class_name": "UNet2DModel"}, "UNet2DModel.*AutoencoderKL"),
        ({"_class_name": None}, "adapters for"),
        ({"latent_channels": "four"}, "describes no model"),
        ({"latents_std": "wide"}, "no numbers"),
        ({"latents_mean": [0.1, 0.2]}, "one or 4, one a channel"),
        ({"latents_std": [1, 2, 0, 4]}, "finite numbers that are not 0"),
        ({"scaling_factor": 0}, "finite numbers that are not 0"),
    ],
)
def test_a_config_that_is_no_autoencoders_is_told(model: Path, change: dict[str, object], told: str) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(DataError, match=told):
        version()


def test_a_card_that_is_wrong_is_told(model: Path) -> None:
    (model / "codec_card.json").write_text(json.dumps({"range": [1, -1]}))
    with pytest.raises(DataError, match=r"codec_card\.json.*black below white"):
        version()


@pytest.mark.parametrize("name", ["/etc/weights", "C:\\weights", "../up", "~/weights"])
def test_suites_hold_no_paths(name: str) -> None:
    with pytest.raises(ValidationError, match="DDBENCH_MODELS"):
        AutoencoderConfig(model=name)


def test_attention_of_old_files_has_its_present_names(root: Path) -> None:
    shutil.copytree(folder() / "kl", root / "old")
    tensors = load_file(root / "old" / WEIGHTS)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for name, tensor in tensors.items():
        for now, then in old.items():
            name = name.replace(f".{now}.", f".{then}.")
        renamed[name] = tensor
    assert set(renamed) != set(tensors)
    save_file(renamed, root / "old" / WEIGHTS)
    weights = find(AutoencoderConfig(model="old").place)
    check_fit(weights)
    assert {present_name(n) for n in renamed} == set(tensors)
    codec = Autoencoder(AutoencoderConfig(model="old"), target(3, 12, 12))
    x = torch.randn(1, 3, 12, 12)
    shutil.copytree(folder() / "kl", root / "new")
    new = Autoencoder(AutoencoderConfig(model="new"), target(3, 12, 12))
    a, b = (c.encode(x, torch.zeros(1, dtype=torch.int64), {})["z"] for c in (codec, new))
    assert isinstance(a, torch.Tensor)
    assert isinstance(b, torch.Tensor)
    assert torch.equal(a, b)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A network that has one repository; what was asked of it."""
    asked: list[str] = []

    def fetch(repository: str, name: str, *, cache_dir: Path, **_: object) -> str:
        asked.append(name)
        if repository == "someone/offline":
            raise OSError("no route")
        if repository == "someone/lost" or (repository == "someone/lost-later" and name != "config.json"):
            raise LocalEntryNotFoundError("no route")
        if name == "codec_card.json" or (repository == "someone/pickles" and name != "config.json"):
            raise EntryNotFoundError("404")
        at = cache_dir / "models--stabilityai--sd-vae-ft-mse" / "snapshots"
        if repository != "stabilityai/sd-vae-ft-mse":
            return str(at)
        if not at.exists():
            in_hub(cache_dir, repository)
        return str(at / ("c" * 40) / name)

    monkeypatch.setattr(fetch_module.huggingface_hub, "hf_hub_download", fetch)
    return asked


def test_nothing_is_fetched_unless_asked(network: list[str]) -> None:
    told: list[float] = []
    config = SdVaeF8.Config()
    with pytest.raises(DataError, match="--download"):
        SdVaeF8.fetch(config, False, told.append)
    assert (network, told) == ([], [])
    assert SdVaeF8.fetch(config, True, told.append).startswith("weights fetched, 0.1 MB in ")
    assert network == ["config.json", "codec_card.json", WEIGHTS]
    assert told[-1] == 1.0
    assert SdVaeF8.fetch(config, True, told.append).startswith("weights here, 0.1 MB in ")
    assert len(network) == 3, "what is here is not asked for"
    SdVaeF8.version_with(config)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("someone/offline", "config.json of .* could not be fetched: OSError: no route"),
        ("someone/lost", "config.json of .* could not be fetched: .*no route"),
        ("someone/lost-later", "codec_card.json of .* could not be fetched: .*no route"),
        ("someone/pickles", "only safetensors"),
    ],
)
def test_what_cannot_be_fetched_is_told(network: list[str], name: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        Autoencoder.fetch(AutoencoderConfig(model=name), True, lambda fraction: None)


def test_what_was_copied_by_hand_is_not_replaced(network: list[str], root: Path) -> None:
    shutil.copytree(folder() / "tiny", root / "stabilityai" / "sd-vae-ft-mse")
    _cut(root / "stabilityai" / "sd-vae-ft-mse" / WEIGHTS)
    with pytest.raises(DataError, match="by its header"):
        SdVaeF8.fetch(SdVaeF8.Config(), True, lambda fraction: None)
    assert network == []
