"""Cells of an autoencoder's codec, end to end: both spaces, encodings made once, decoders that are paid for or not."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_cells import small_cell, small_folder

from ddbench import artifact, registry
from ddbench.cli.main import execute
from ddbench.distill import encoded
from ddbench.distill.build import first_task
from ddbench.engines.inline import Inline
from ddbench.errors import DataError, SpecError
from ddbench.interfaces.engine import Job
from ddbench.planning.facts import cap_bytes, version
from ddbench.planning.load import load_suite
from ddbench.report.rows import tables
from ddbench.report.table import Collection, render
from ddbench.result.schema import UNDISCLOSED, Result
from ddbench.run import cell as cell_module
from ddbench.run.cell import load_data, workshop
from ddbench.run.folder import RunFolder
from ddbench.spec.cell import Cell

sys.path.append(str(Path(__file__).parents[1] / "codecs"))
from tiny_autoencoders import folder, save, tiny

CODES_BYTES = 4 * 4 * 7 * 7
DECODER_BYTES = 27692

SUITE = """
ddbench: 1
name: latents
protocol: {students: 1, epochs: 1, columns: equal_steps, networks: {auto: {width: 4}}}
grid:
  - datasets: fashion_mnist_small
    codecs:
      - identity
      - autoencoder: {model: mine}
    methods: {dm: {iterations: 1, real_batch: 4}}
"""


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDBENCH_MODELS", str(tmp_path / "models"))
    shutil.copytree(folder() / "tiny", tmp_path / "models" / "mine")
    card = {"training_data": "A part of Fashion-MNIST.", "datasets": ["fashion_mnist_small"]}
    save(tmp_path / "models" / "own", tiny, card=card)
    return tmp_path / "models"


def cell(space: str = "code", model: str = "mine", method: str = "dm", ipc: float = 1, **args: Any) -> Cell:
    """A cell of a few seconds."""
    given = {"iterations": 3, "real_batch": 8} if method == "dm" else {}
    at = {"dataset": "fashion_mnist_small", "space": space, "ipc": ipc, "epochs": 1, "method": method}
    made = small_cell("autoencoder", codec_args={"model": model, **args}, **at, **given)
    codec = version("codec", made.codec)
    protocol = made.protocol.model_copy(update={"students": 1, "columns": ("equal_steps",)})
    return made.model_copy(update={"versions": made.versions.model_copy(update={"codec": codec}), "protocol": protocol})


def run(path: Path, *cells: Cell) -> list[Result]:
    made = small_folder(path, list(cells))
    Inline().run(Job(made.path, made.keys(), device="cpu"), lambda event: None)
    found = [made.result(c.key) for c in cells]
    for result in found:
        assert result is not None
        assert result.status == "ok", result.error
    return [r for r in found if r is not None]


def test_cells_in_both_spaces_and_codes_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    whole = encoded.encode_all

    def counted(codec, shared, source, *rest: Any):
        calls.append(len(source))
        return whole(codec, shared, source, *rest)

    monkeypatch.setattr(encoded, "encode_all", counted)
    code, signal, again = cell("code"), cell("signal"), cell("code").model_copy(update={"seed": 1})
    results = run(tmp_path / "run", code, signal, again)
    assert calls == [6000], "the training set is encoded once for all cells"
    for result in results:
        assert result.bytes is not None
        assert result.bytes.parts == {"item/z": 10 * 4 * CODES_BYTES}, "four codes in the bytes of one image"
        assert result.bytes.decoder == DECODER_BYTES
        assert len({p.loss for p in result.losses}) > 1
    assert results[0].cell.versions.codec.startswith("1+")


def test_gradients_in_chunks_are_those_of_the_whole() -> None:
    """Through the decoder by finite differences too, in the loss of a cell."""
    grads = []
    for chunk in (None, 3):
        made = cell("signal", **({} if chunk is None else {"decode_chunk": chunk}))
        data = load_data(made)
        shop = workshop(made, data, cap_bytes(made, data.card), torch.device("cpu"))
        task = first_task(shop, registry.build("method", "dm", made.method.args))
        assert task.decode_chunk == chunk
        weight = torch.randn(10, 4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
        task.begin(1)
        task.backward((task.synthetic() * weight).sum())
        grads.append(task.params["z"].grad)
        if chunk:
            z, h = task.params["z"].detach().double(), 1e-6
            v = torch.randn(z.shape, generator=torch.Generator().manual_seed(2)).double()
            with torch.no_grad():
                here = []
                for sign in (1, -1):
                    task.params["z"] = z + sign * h * v
                    here.append(float((task.synthetic() * weight).double().sum()))
            slow = (here[0] - here[1]) / (2 * h)
            assert slow == pytest.approx(float((grads[-1] * v).double().sum()), rel=1e-4)
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-4, atol=1e-4)


def test_a_decoder_trained_on_the_dataset_is_paid_for_or_unranked(tmp_path: Path) -> None:
    paid = cell("signal", "own", "random", ipc=3)
    free, other = cell("signal", "own", "random", ipc=3, in_domain="free"), cell("signal", method="random", ipc=3)
    charged, let_go, foreign = run(tmp_path / "run", paid, free, other)
    assert charged.bytes is not None
    assert let_go.bytes is not None
    assert foreign.bytes is not None
    items = charged.bytes.items[0]
    assert charged.bytes.used == 10 * items * CODES_BYTES + DECODER_BYTES
    assert charged.bytes.side == 0, "a decoder is payload"
    assert (charged.bytes.decoder, charged.bytes.free_in_domain) == (0, 0)
    assert items < let_go.bytes.items[0] == foreign.bytes.items[0] == 12
    assert (let_go.bytes.decoder, let_go.bytes.free_in_domain) == (DECODER_BYTES, DECODER_BYTES)
    assert foreign.bytes.free_in_domain == 0
    assert "free_in_domain" not in json.loads(foreign.model_dump_json())["bytes"], "old results stay as they are"
    assert any("not ranked" in note for note in let_go.notes)
    ranked, apart = tables([charged, let_go, foreign])
    assert (ranked.is_ranked, apart.is_ranked) == (True, False)
    assert foreign.bytes.decoder_training_data == UNDISCLOSED
    assert [row.results for row in ranked.rows] == [(charged,)]
    assert {row.results[0].key for row in apart.rows} == {let_go.key, foreign.key}
    assert "the decoder of autoencoder was trained on this dataset" in render(Collection((let_go,))).replace("\n", " ")


def test_a_stored_decoder_is_what_decodes(tmp_path: Path, root: Path) -> None:
    """With float16 storage its weights are rounded too, and students see what the rounded decoder makes."""
    made = cell("signal", "own", "random", ipc=3).model_copy(update={"storage": "float16"})
    (result,) = run(tmp_path / "run", made)
    assert result.bytes is not None
    assert result.bytes.used == 10 * result.bytes.items[0] * CODES_BYTES // 2 + DECODER_BYTES // 2
    stored = artifact.load(RunFolder.open(tmp_path / "run").cell_dir(made.key))
    x, _ = stored.decode_items()
    name = "w_decoder__layers__0__weight"
    spoilt = {**stored.codes, name: stored.codes[name] + 1}  # pyright: ignore[reportOperatorIssue]
    assert not torch.equal(replace(stored, codes=spoilt).decode_items()[0], x)


def test_a_cell_of_other_weights_is_not_run(root: Path) -> None:
    made = cell("signal", method="random")
    save(root / "mine", tiny, seed=1)
    with pytest.raises(
        SpecError, match=r"planned for version 1\+\w{16} of the codec autoencoder.* here it has version"
    ):
        workshop(made, load_data(made), 31360, torch.device("cpu"))


def suite(model: str = "mine") -> None:
    text = SUITE + "    spaces: code\n    budgets: {ipc: 1}\n    network: {auto: {width: 4}}\n"
    Path("latents.yaml").write_text(text.replace("mine", model))


def test_a_fault_of_weights_stands_at_the_codecs_line() -> None:
    suite("elsewhere")
    with pytest.raises(DataError, match=r"latents\.yaml:9: .*elsewhere are not here"):
        load_suite("latents.yaml")


def test_prepare_asks_for_weights_first_and_encodes(capsys: pytest.CaptureFixture[str]) -> None:
    suite("elsewhere")
    assert execute(["prepare", "latents.yaml", "--device", "cpu"]) == 3
    assert "Copy the folder to" in capsys.readouterr().err
    suite()
    cell_module._load.cache_clear()
    assert execute(["prepare", "latents.yaml", "--device", "cpu", "--no-download"]) == 0
    told = capsys.readouterr().out
    assert "codec autoencoder: weights here" in told
    assert "encoded data 1" in told
    assert execute(["prepare", "latents.yaml", "--device", "cpu"]) == 0
    assert "found 1" in capsys.readouterr().out


def test_a_family_stands_for_its_members() -> None:
    small, whole = (registry.build("dataset", name).card() for name in ("fashion_mnist_small", "fashion_mnist"))
    assert small.family == whole.family == "fashion_mnist"
    assert registry.build("dataset", "digits").card().family == "digits"
