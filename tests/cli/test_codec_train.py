"""`ddbench codec train`: a folder of weights with its card, whole or not at all; mistakes in a line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from ddbench_codecs.kl_training import KlTraining

from ddbench import registry
from ddbench.cli import main
from ddbench.cli.main import execute
from ddbench.datasets.tabular import Digits
from ddbench.errors import DataError
from ddbench.run import codec_training

SMALL = (
    "f=2", "channels=2", "width=4", "groups=2", "growth=[1]", "crop=8", "batch=2", "steps=2", "checks=1",
    "most_held_out=8",
)  # fmt: skip
FILES = ["codec_card.json", "config.json", "diffusion_pytorch_model.safetensors"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*more: str, out: str = "out", datasets: tuple[str, ...] = ("fashion_mnist_small",)) -> list[str]:
    words = ["codec", "train", "autoencoder", "--out", out]
    given = {word.partition("=")[0] for word in more}
    settings = tuple(text for text in SMALL if text.partition("=")[0] not in given)
    for flag, values in (("--set", settings), ("--dataset", datasets)):
        words += [word for value in values for word in (flag, value)]
    return [*words, *more]


def test_the_folder_has_weights_and_a_card(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(command(out="models/small")) == 0
    said = capsys.readouterr().out
    assert "step 2/2: loss" in said
    assert "fashion_mnist_small: 6000 training signals of shape 1 × 28 × 28" in said
    folder = place / "models" / "small"
    assert sorted(p.name for p in folder.iterdir()) == FILES
    assert [p.name for p in folder.parent.iterdir()] == ["small"], "nothing is left beside it"
    card = json.loads((folder / "codec_card.json").read_text())
    assert card["ddbench_codec"] == 1
    assert card["name"] == "small"
    assert card["datasets"] == ["fashion_mnist"], "the family, so that rows on Fashion-MNIST are in-domain"
    assert "fashion_mnist_small (6000)" in card["training_data"]
    assert card["licence"] == "fashion_mnist_small: MIT"
    assert card["range"] == [-1.0, 1.0]
    assert {"steps", "batch", "lr", "seed", "loss", "validation_loss", "best_step", "seconds"} <= card["trained"].keys()
    assert {"ddbench", "torch", "diffusers"} == card["trained"]["versions"].keys()
    assert str(place) not in json.dumps(card)


def test_the_command_in_the_card_makes_the_same_weights(place: Path) -> None:
    assert execute(command("--set", "seed=3", out="models/small", datasets=("fashion_mnist_small{}",))) == 0
    card = json.loads((place / "models/small/codec_card.json").read_text())
    assert execute(shlex.split(card["trained"]["command"])[1:]) == 0
    same = [(folder / FILES[2]).read_bytes() for folder in (place / "models/small", place / "small")]
    assert same[0] == same[1]


def test_several_datasets_are_disclosed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert execute(command(datasets=("fashion_mnist_small", "fashion_mnist_small"))) == 0
    card = json.loads((place / "out/codec_card.json").read_text())
    assert "fashion_mnist_small (6000) and fashion_mnist_small (6000)" in card["training_data"]
    assert card["datasets"] == ["fashion_mnist"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--set", "stepz=3"), "unknown argument 'stepz'. Did you mean 'steps'"),
        (("--set", "lr=fast"), "argument 'lr'"),
        (("--set", "lr"), "--set takes KEY=VALUE"),
        (("--set", "seed=1", "--set", "seed=2"), "gives 'seed' twice"),
        (("--set", "crop=9"), "crop is 9, which f = 2 does not divide"),
        (("--set", "growth=[1"), "not valid YAML"),
        (("--dataset", "fashion"), "There is no dataset called 'fashion'"),
        (("--dataset", "mnist{size: 3}"), "unknown argument 'size'"),
        (("--dataset", "{a: 1}"), "--dataset takes NAME"),
        (("--dataset", "breast_cancer"), "trained on grey or RGB pictures"),
        (("--device", "cuda:77"), "'cuda:77'"),
    ],
)
def test_mistakes_are_said_in_a_line(
    place: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    assert execute(command(*more)) in (2, 3)
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not list(place.iterdir())


@pytest.mark.parametrize("codec", ["pca", "sd_vae_f8", "dc_ae"])
def test_a_codec_without_training_is_refused(codec: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["codec", "train", codec, "--dataset", "digits", "--out", "out"]) == 2
    assert f"{codec!r} has no weights to train beforehand" in capsys.readouterr().err
    assert not list(place.iterdir())


def test_only_what_can_be_trained_shows_arguments_of_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["info", "codec", "sd_vae_f8"]) == 0
    assert "its training" not in capsys.readouterr().out


def test_what_is_there_is_not_replaced(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "out").mkdir()
    (place / "out" / "mine").touch()
    assert execute(command()) == 3
    assert "is there already" in capsys.readouterr().err
    assert [p.name for p in place.rglob("*")] == ["out", "mine"]


def test_a_place_that_cannot_be_written_is_said_before_training(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "file").touch()
    trained: list[object] = []
    monkeypatch.setattr(KlTraining, "train", trained.append)
    assert execute(command(out="file/out")) == 3
    assert "cannot be made" in capsys.readouterr().err
    assert not trained


def test_a_full_disk_leaves_no_folder(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(codec_training.os, "fsync", full)
    assert execute(command()) == 3
    assert "No space left on device" in capsys.readouterr().err
    assert not (place / "out").exists()
    assert not list(place.glob("*.tmp"))
    assert not list(place.glob(".*.tmp"))


def test_an_interrupted_training_keeps_its_checkpoint_and_goes_on(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ddbench_codecs import kl_training

    step = kl_training._step

    def interrupted(state: Any, *rest: Any) -> None:
        if state.step == 1:
            raise KeyboardInterrupt
        step(state, *rest)

    monkeypatch.setattr(codec_training, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(kl_training, "_step", interrupted)
    assert execute(command()) == 130
    assert "Run the same command again" in capsys.readouterr().err
    assert [p.suffix for p in place.iterdir()] == [".checkpoint"]
    monkeypatch.setattr(kl_training, "_step", step)
    assert execute(command()) == 0
    assert "Going on from step 1 of 2." in capsys.readouterr().out
    assert [p.name for p in place.iterdir()] == ["out"]


def test_what_a_kill_leaves_is_taken_away_by_the_same_command(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(codec_training, "_appear", killed)
        patch.setattr(codec_training.shutil, "rmtree", lambda *args, **options: None)
        assert execute(command()) == 130
    assert [p.name for p in place.glob(".out.*.tmp/*.json")], "half a folder is left"
    assert execute(command()) == 0
    assert [p.name for p in place.iterdir()] == ["out"]


def test_missing_data_are_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: Digits) -> None:
        raise DataError("The dataset 'digits' needs digits.csv.")

    monkeypatch.setattr(Digits, "load", missing)
    assert execute(command("--dataset", "digits")) == 3
    assert "needs digits.csv" in capsys.readouterr().err


def test_info_lists_the_arguments_of_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["info", "codec", "autoencoder"]) == 0
    said = capsys.readouterr().out
    assert "ddbench codec train autoencoder --set" in said
    config = registry.load("codec", "autoencoder").TrainConfig
    assert all(f.description and f.description in said for f in config.model_fields.values())


def test_the_command_trains_in_the_environment_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Restarted(Exception):
        pass

    def restart() -> None:
        raise Restarted

    monkeypatch.setattr(main, "_restart_to_train", restart)
    monkeypatch.setattr(main.sys, "argv", ["ddbench", "codec", "train", "--help"])
    with pytest.raises(Restarted):
        main.main()
