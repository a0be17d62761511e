"""The training of KL autoencoders: what it learns from, its loss, its resume, its early stop, what it writes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from codec_helpers import raw
from ddbench_codecs import kl_training
from ddbench_codecs.kl_config import KlTrainConfig, network
from ddbench_codecs.kl_loss import distance, divergence, reconstruct, training_loss
from ddbench_codecs.kl_training import KlTraining, decibels, learning_rate
from ddbench_codecs.kl_windows import LUMA, Batches, pictures, windows
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors.torch import load_file

from ddbench.errors import DataError, Divergence, RunError, SpecError
from ddbench.interfaces.codec_training import Trainable, TrainingSet, Work
from ddbench.interfaces.dataset import Split
from ddbench.interfaces.signal import SignalSpec

TINY: dict[str, Any] = {
    "f": 2, "channels": 2, "width": 4, "groups": 2, "growth": (1,), "crop": 8, "batch": 2, "steps": 6, "checks": 3,
    "most_held_out": 4,
}  # fmt: skip
WEIGHTS = "diffusion_pytorch_model.safetensors"


def made_up(n: int = 40, *shape: int, name: str = "made_up", byte: bool = True, bounded: bool = True) -> TrainingSet:
    """Smooth random pictures."""
    shape = shape or (1, 10, 10)
    x = torch.nn.functional.interpolate(raw(n, shape[0], 3, 3), shape[1:], mode="bilinear")
    bounds = (0.0, 1.0) if bounded else (None, None)
    signal = SignalSpec(shape, (0.5,) * shape[0], (0.2,) * shape[0], *bounds)
    signals = (255 * x).round().to(torch.uint8) if byte else x
    return TrainingSet(name, "1", signal, Split(signals, torch.zeros(n, dtype=torch.int64)))


def work(folder: Path, told: list[str] | None = None, checkpoint_s: float = 0.0) -> Work:
    said = told if told is not None else []
    return Work(torch.device("cpu"), folder / "checkpoint", checkpoint_s, said.append)


def train(into: Path, said: list[str] | None = None, sets: tuple[TrainingSet, ...] = (), **args: Any) -> Any:
    into.mkdir(exist_ok=True)
    config = KlTrainConfig(**(TINY | args))
    return KlTraining.train(config, sets or (made_up(),), work(into.parent, said), into)


def test_it_is_what_the_command_looks_for() -> None:
    assert isinstance(KlTraining, Trainable)
    assert not isinstance(KlTrainConfig, Trainable)


def test_training_lowers_the_loss_and_diffusers_loads_what_it_writes(tmp_path: Path) -> None:
    steps = {"steps": 100, "batch": 4, "checks": 1, "lr": 1e-2, "invert": 0.0, "average": 0.9, "channels": 4}
    before = train(tmp_path / "a", steps=1, **{k: v for k, v in steps.items() if k != "steps"}).record
    (tmp_path / "checkpoint").unlink()
    trained = train(tmp_path / "b", **steps)
    after = trained.record
    assert after["validation_loss"] < 0.4 * before["validation_loss"]
    assert after["validation_psnr_db"]["made_up"] > before["validation_psnr_db"]["made_up"] + 4
    assert trained.card == {"range": [-1.0, 1.0]}
    assert {"steps", "batch", "lr", "seed", "loss", "validation_loss", "best_step", "seconds"} <= after.keys()
    model = AutoencoderKL.from_pretrained(tmp_path / "b")
    held_out = Batches(
        (pictures(made_up(), KlTrainConfig(**(TINY | steps))),), KlTrainConfig(**(TINY | steps))
    ).held_out()
    found = distance(held_out[0], reconstruct(model, held_out[0]), "mse", 0.0).item()
    assert found == pytest.approx(after["validation_loss"], abs=2e-7)


@pytest.mark.parametrize("killed_at", [1, 5])
def test_a_killed_training_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = train(tmp_path / "whole" / "out")
    step = kl_training._step

    def killed(state: Any, *rest: Any) -> None:
        if state.step == killed_at:
            raise KeyboardInterrupt
        step(state, *rest)

    monkeypatch.setattr(kl_training, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed" / "out")
    assert not list((tmp_path / "killed" / "out").iterdir())
    monkeypatch.setattr(kl_training, "_step", step)
    torch.manual_seed(killed_at)
    said: list[str] = []
    again = train(tmp_path / "killed" / "out", said)
    assert said[0] == f"Going on from step {killed_at} of 6."
    same = [(tmp_path / kind / "out" / WEIGHTS).read_bytes() for kind in ("whole", "killed")]
    assert same[0] == same[1]
    assert {k: v for k, v in again.record.items() if k != "seconds"} == {
        k: v for k, v in whole.record.items() if k != "seconds"
    }


def test_a_damaged_or_foreign_checkpoint_is_told_and_not_used(tmp_path: Path) -> None:
    train(tmp_path / "first")
    expected = (tmp_path / "first" / WEIGHTS).read_bytes()
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-7])
    said: list[str] = []
    train(tmp_path / "second", said)
    assert "is damaged. Training starts anew." in said[0]
    assert (tmp_path / "second" / WEIGHTS).read_bytes() == expected
    train(tmp_path / "third", said, seed=1)
    assert any("belongs to another training" in line and "starts anew" in line for line in said)
    assert (tmp_path / "third" / WEIGHTS).read_bytes() != expected


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(tmp_path: Path) -> None:
    torch.manual_seed(1)
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    train(tmp_path / "1" / "a")
    state = torch.manual_seed(2).get_state()
    train(tmp_path / "2" / "a")
    assert torch.equal(torch.get_rng_state(), state)
    assert (tmp_path / "1" / "a" / WEIGHTS).read_bytes() == (tmp_path / "2" / "a" / WEIGHTS).read_bytes()


def test_training_stops_where_validation_no_longer_gains_and_keeps_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    validate, losses = kl_training.validate, iter([3.0, 1.0, 2.0, 2.0])

    def told(*args: Any) -> tuple[float, list[float]]:
        return next(losses, 0.0), validate(*args)[1]

    monkeypatch.setattr(kl_training, "validate", told)
    said: list[str] = []
    record = train(tmp_path / "1" / "a", said, checks=6, patience=2).record
    assert (record["steps"], record["best_step"]) == (4, 2)
    assert said[-1] == "Stopped at step 4: no gain since step 2."
    monkeypatch.setattr(kl_training, "validate", validate)
    # the weights after two steps of the same schedule of six
    step = kl_training._step
    kept: dict[int, dict[str, torch.Tensor]] = {}

    def noted(state: Any, *rest: Any) -> None:
        step(state, *rest)
        kept[state.step] = {n: t.clone() for n, t in state.average.items()}

    monkeypatch.setattr(kl_training, "_step", noted)
    train(tmp_path / "2" / "a")
    found = load_file(tmp_path / "1" / "a" / WEIGHTS)
    assert all(torch.equal(found[n], t) for n, t in kept[2].items())


def test_weights_may_be_stored_at_half_size(tmp_path: Path) -> None:
    record = train(tmp_path / "a", weights="float16").record
    stored = load_file(tmp_path / "a" / WEIGHTS)
    assert {t.dtype for t in stored.values()} == {torch.float16}
    assert {p.dtype for p in AutoencoderKL.from_pretrained(tmp_path / "a").parameters()} == {torch.float32}
    assert record["validation_loss"] > 0


def test_a_loss_that_is_not_finite_is_said(tmp_path: Path) -> None:
    with pytest.raises(Divergence, match=r"Lower lr \(it is 1e\+30\)"):
        train(tmp_path / "a", lr=1e30, warmup=0.0)


def test_a_first_validation_that_is_not_finite_is_said(tmp_path: Path) -> None:
    with pytest.raises(Divergence, match=r"validation loss was nan at step 1\. Lower lr"):
        train(tmp_path / "a", lr=1e30, warmup=0.0, steps=1)


def test_decibels_of_nothing_and_of_what_is_not_a_number() -> None:
    x = torch.zeros(1, 1, 2, 2)
    assert decibels(x, x) == 99.0
    assert decibels(x, x + 0.2) == pytest.approx(20.0)
    assert math.isnan(decibels(x, x * float("nan")))


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AutoencoderKL, "save_pretrained", full)
    with pytest.raises(RunError, match="No space left on device"):
        train(tmp_path / "a", steps=1)


def test_distance_and_divergence_are_the_slow_ones() -> None:
    x, seen = raw(2, 3, 4, 5).double(), raw(2, 3, 4, 5, seed=1).double()
    a, b = x.numpy(), seen.numpy()
    rows = np.mean([((b[:, :, i + 1] - b[:, :, i]) - (a[:, :, i + 1] - a[:, :, i])) ** 2 for i in range(3)])
    columns = np.mean([np.abs((b[..., i + 1] - b[..., i]) - (a[..., i + 1] - a[..., i])) ** 2 for i in range(4)])
    assert distance(x, seen, "mse", 0.0).item() == pytest.approx(np.mean((a - b) ** 2), rel=1e-12)
    assert distance(x, seen, "mse", 0.7).item() == pytest.approx(np.mean((a - b) ** 2) + 0.7 * (rows + columns))
    assert distance(x, seen, "l1", 0.0).item() == pytest.approx(np.mean(np.abs(a - b)), rel=1e-12)
    mean, logvar = raw(50, 1, 1, 1).double() - 0.5, raw(50, 1, 1, 1, seed=2).double() - 0.5
    # KL(p ‖ q) as the integral of p·log(p/q), on a fine grid
    t = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    p, q = torch.distributions.Normal(mean, (logvar / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    log_p = p.log_prob(t)
    integral = (log_p.exp() * (log_p - q.log_prob(t))).sum(-1).mean() * (t[1] - t[0])
    assert divergence(mean, logvar).item() == pytest.approx(integral.item(), rel=1e-6)


def test_gradients_of_the_loss_are_finite_differences() -> None:
    config = KlTrainConfig(**(TINY | {"kl": 0.1, "edges": 0.3}))
    torch.manual_seed(0)
    model = network(config).double()
    x, noise = 2 * raw(2, 1, 8, 8).double() - 1, raw(2, 2, 4, 4).double()
    training_loss(model, x, noise, config).backward()
    for name in ("encoder.conv_in.weight", "quant_conv.weight", "decoder.conv_out.weight"):
        weight = dict(model.named_parameters())[name]
        assert weight.grad is not None
        where, h, sides = weight.grad.abs().argmax(), 1e-5, []
        for sign in (1, -1):
            with torch.no_grad():
                weight.view(-1)[where] += sign * h
                sides.append(training_loss(model, x, noise, config).item())
                weight.view(-1)[where] -= sign * h
        assert (sides[0] - sides[1]) / (2 * h) == pytest.approx(weight.grad.view(-1)[where].item(), rel=1e-5)


def test_psnr_is_of_the_range_and_the_rate_rises_then_falls() -> None:
    x = torch.zeros(1, 1, 2, 2)
    assert decibels(x, x + 0.2) == pytest.approx(20.0)
    assert decibels(x, x) == 99.0
    assert decibels(x + 1, x + 3) == 99.0, "students see clipped pictures"
    config = KlTrainConfig(**(TINY | {"steps": 100, "warmup": 0.1, "lr": 1.0}))
    rates = [learning_rate(s, config) for s in range(100)]
    assert rates[:10] == pytest.approx([(s + 1) / 11 for s in range(10)])
    assert max(rates) == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates == sorted(rates[:11]) + sorted(rates[11:], reverse=True)


@pytest.mark.parametrize(("f", "widths"), [(2, (4, 8)), (4, (4, 8, 16)), (8, (4, 8, 16, 16))])
def test_the_network_is_the_one_asked_for(f: int, widths: tuple[int, ...]) -> None:
    config = KlTrainConfig(**(TINY | {"f": f, "growth": (1, 2, 4), "in_channels": 3, "channels": 5, "layers": 2}))
    model = network(config)
    assert config.widths == widths == tuple(model.config["block_out_channels"])
    assert not any("attentions" in name for name, _ in model.named_parameters())
    z = model.encode(torch.zeros(1, 3, 16, 16)).latent_dist.mean  # pyright: ignore[reportAttributeAccessIssue]
    assert z.shape == (1, 5, 16 // f, 16 // f)
    assert any("attentions" in n for n, _ in network(KlTrainConfig(**(TINY | {"attention": True}))).named_parameters())


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"crop": 9}, "crop is 9, which f = 2 does not divide"),
        ({"groups": 3}, "4 channels do not make 3 groups"),
        ({"f": 3}, "f"),
        ({"held_out": 0.0}, "held_out"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(args: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        KlTrainConfig(**(TINY | args))


def test_windows_are_pieces_of_their_pictures() -> None:
    plain = TINY | {"zoom": 1.0, "symmetries": False, "invert": 0.0, "gain": 0.0}
    config, of = KlTrainConfig(**plain), made_up(6, 1, 20, 24)
    mine = pictures(of, config)
    draw, index = torch.Generator().manual_seed(0), torch.arange(6)
    found = windows(mine, index, config, draw)
    whole = of.train.signals.double() / 127.5 - 1
    pieces = whole.unfold(2, 8, 1).unfold(3, 8, 1).reshape(6, -1, 8, 8)
    assert ((pieces - found.double()).abs().amax((2, 3)).amin(1) < 1e-6).all()
    assert len({tuple(p.flatten().tolist()) for p in found}) == 6


def test_small_pictures_get_a_rim_and_large_ones_shrink() -> None:
    plain = TINY | {"symmetries": False, "invert": 0.0, "gain": 0.0}
    small = made_up(3, 1, 5, 6)
    x = windows(pictures(small, KlTrainConfig(**plain)), torch.arange(3), KlTrainConfig(**plain), torch.Generator())
    assert x.shape == (3, 1, 8, 8)
    values = {round(v, 5) for v in (small.train.signals.double() / 127.5 - 1).flatten().tolist()}
    assert {round(v, 5) for v in x.double().flatten().tolist()} <= values
    config = KlTrainConfig(**(plain | {"zoom": 4.0}))
    ramp = torch.arange(64, dtype=torch.float32).expand(2, 1, 64, 64) / 63
    signal = SignalSpec((1, 64, 64), (0.5,), (0.2,), 0.0, 1.0)
    of = pictures(TrainingSet("ramp", "1", signal, Split(ramp, torch.zeros(2))), config)
    slopes = [
        windows(of, torch.tensor([0]), config, torch.Generator().manual_seed(s)).diff(dim=3)[0, 0, 4, 4]
        for s in range(30)
    ]
    scales = sorted(float(s) * 63 / 2 for s in slopes)
    assert scales[0] < 1.6
    assert 2.5 < scales[-1] < 4.2


def test_colour_becomes_luma_and_grey_becomes_colour() -> None:
    plain = {"zoom": 1.0, "symmetries": False, "invert": 0.0, "gain": 0.0}
    colour = made_up(4, 3, 8, 8, byte=False)
    config = KlTrainConfig(**(TINY | plain | {"crop": 8}))
    x = windows(pictures(colour, config), torch.arange(4), config, torch.Generator())
    assert x.shape[1] == 1
    luma = 2 * sum(w * colour.train.signals[:, i] for i, w in enumerate(LUMA)) - 1
    assert any(torch.allclose(x[0, 0, 3, 3], v, atol=1e-5) for v in luma[0].flatten())
    config = KlTrainConfig(**(TINY | plain | {"in_channels": 3}))
    grey = windows(pictures(made_up(4), config), torch.arange(4), config, torch.Generator())
    assert grey.shape[1] == 3
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_batches_mix_the_sets_and_leave_out_what_is_held_out() -> None:
    dark, light = made_up(40, name="dark"), made_up(40, name="light")
    dark.train.signals.fill_(0)
    light.train.signals.fill_(255)
    config = KlTrainConfig(
        **(
            TINY
            | {
                "invert": 0.0,
                "gain": 0.0,
                "batch": 4,
                "symmetries": False,
                "shares": (1, 3),
                "held_out": 0.2,
                "most_held_out": 5,
            }
        )
    )
    batches = Batches((pictures(dark, config), pictures(light, config)), config)
    assert batches.at(torch.Generator()).mean((1, 2, 3)).round(decimals=5).tolist() == [-1, 1, 1, 1]
    even = Batches(batches.sets, KlTrainConfig(**(TINY | {"invert": 0.0, "gain": 0.0, "batch": 5})))
    assert even.at(torch.Generator()).mean((1, 2, 3)).round(decimals=5).tolist() == [-1, -1, 1, 1, 1]
    for s in batches.sets:
        assert (len(s.train), len(s.held_out)) == (35, 5)
        assert sorted([*s.train.tolist(), *s.held_out.tolist()]) == list(range(40))
    assert all(torch.equal(a, b) for a, b in zip(batches.held_out(), batches.held_out()))


@pytest.mark.parametrize(
    ("sets", "args", "error", "said"),
    [
        ((made_up(), made_up(name="b")), {"shares": (4,)}, SpecError, "it should give 2 whole numbers"),
        ((made_up(),), {"shares": (3,)}, SpecError, "sum to the batch of 2"),
        ((made_up(), made_up(name="b")), {"batch": 1}, SpecError, "no room for 2 datasets"),
        ((made_up(1),), {}, DataError, "it takes two or more"),
        ((made_up(byte=False, bounded=False),), {}, SpecError, "have no bounds"),
        ((made_up(40, 2, 8, 8),), {}, SpecError, r"have shape \(2, 8, 8\)"),
    ],
)
def test_sets_that_do_not_fit_are_refused(
    tmp_path: Path, sets: tuple[TrainingSet, ...], args: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        train(tmp_path / "a", sets=sets, **args)


def test_the_config_beside_the_weights_is_diffusers_own(tmp_path: Path) -> None:
    train(tmp_path / "a", steps=1)
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert (config["_class_name"], config["latent_channels"], config["scaling_factor"]) == ("AutoencoderKL", 2, 1.0)


def test_codes_have_unit_variance_by_the_constants_in_the_config(tmp_path: Path) -> None:
    train(tmp_path / "a")
    model, config = AutoencoderKL.from_pretrained(tmp_path / "a"), KlTrainConfig(**TINY)
    held_out = Batches((pictures(made_up(), config),), config).held_out()[0]
    codes = model.encode(held_out).latent_dist.mean.detach().double().numpy()  # pyright: ignore[reportAttributeAccessIssue]
    assert model.config["latents_mean"] == pytest.approx(codes.mean((0, 2, 3)).tolist(), rel=1e-4)
    assert model.config["latents_std"] == pytest.approx(codes.std((0, 2, 3)).tolist(), rel=1e-4)
