"""Runs of a language model: whole batches and parts of them, checkpoints, what is fed and said."""

import math
from pathlib import Path

import pytest
import torch

from sgdlab.errors import InputError
from sgdlab.results.contract import STEP_COLUMNS
from sgdlab.sweeps.output_check import look_at_columns
from sgdlab.training.build import Run
from sgdlab.training.evaluation import evaluate
from trainer_runs import Rows, built, fit_from_checkpoint, train

WORDS = ("to be or not to be that is the question ", "whether it is nobler in the mind ")
TINY = (
    "dataset=text", "dataset.context=8", "model=gpt", "model.width=8", "model.depth=1",
    "schedule.warmup_epochs=0", "schedule=constant", "dtype=float64",
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> str:
    text = "".join(WORDS[(i * i) % 7 % 2] for i in range(40))
    (tmp_path / "short.txt").write_text(text)
    return f"dataset.path={tmp_path / 'short.txt'}"


def weights(run: Run) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in run.model.parameters()])


def test_two_parts_of_a_batch_are_the_batch(path: str) -> None:
    common = (*TINY, path, "max_steps=6", "optimizer=sgd", "lr=0.5")
    _, _, whole = train(*common, "batch_size=12")
    _, _, parts = train(*common, "batch_size=6", "accumulate=2")
    assert torch.allclose(weights(whole), weights(parts), rtol=0, atol=1e-12)
    start = built(*common, "batch_size=12")
    assert float((weights(whole) - weights(start)).abs().max()) > 1e-3


def test_an_evaluation_is_the_mean_over_tokens_whatever_its_batches(path: str) -> None:
    run = built(*TINY, path)
    with torch.no_grad():
        logits = run.model(run.data.val.x).log_softmax(-1)
    own = [
        float(logits[i, t, token])
        for i, window in enumerate(run.data.val.y.tolist())
        for t, token in enumerate(window)
    ]
    mean = -math.fsum(own) / len(own)
    for size in (1, 7, 1000):
        found = evaluate(run.model, run.objective.loss, run.metric, run.data.val, size)
        assert found.loss == pytest.approx(mean, rel=1e-13)
        assert found.metric == pytest.approx(math.exp(mean), rel=1e-12)


@pytest.mark.parametrize(
    "optimizer", ["adamw", "muon", "adafactor", "lion", "soap", "schedule_free_adamw"]
)
def test_a_language_model_learns_by_every_kind_of_optimizer(path: str, optimizer: str) -> None:
    run = (*TINY, path, f"optimizer={optimizer}", "max_steps=60", "batch_size=16")
    outcome, rows, _ = train(*run)
    assert outcome.status == "completed"
    losses = [row[STEP_COLUMNS.index("loss")] for row in rows.step_rows]
    assert losses[0] == pytest.approx(math.log(256), abs=0.05)
    assert losses[-1] < losses[0] - 0.05


def test_a_language_model_goes_on_from_its_checkpoint(path: str, tmp_path: Path) -> None:
    own = ("optimizer=adamw", "max_steps=8", "checkpoint.every=3", "model.dropout=0.2")
    found = []
    for stops in (0, 2):
        (folder := tmp_path / f"{stops}").mkdir()
        rows = Rows()
        for stop in (*[True] * stops, False):
            run = built(*TINY, path, *own)
            torch.manual_seed(5)
            fit_from_checkpoint(run, rows, folder, stop)
        found.append((weights(run), rows.step_rows))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
    assert len(found[0][1]) == 8


def test_outputs_of_a_language_model_are_looked_at(path: str) -> None:
    data = built(*TINY, path).data
    batch = data.train.take(slice(3))
    assert look_at_columns(torch.zeros(3, 8, 256), batch, data, "model=mine") == []
    (more,) = look_at_columns(torch.zeros(3, 8, 260), batch, data, "model=mine")
    assert "gives 4 outputs more than there are tokens" in more
    for shape in ((3, 256), (3, 256, 8), (3, 8, 255)):
        with pytest.raises(InputError, match=r"for tokens \[3, 8\]; it needs \[3, 8, 256\]"):
            look_at_columns(torch.zeros(shape), batch, data, "model=mine")


@pytest.mark.parametrize("loss", ["mse", "bce", "perceptron", "poisson"])
def test_losses_of_other_tasks_are_refused(path: str, loss: str) -> None:
    with pytest.raises(InputError, match=f"loss={loss}.*language.*loss=auto"):
        built(*TINY, path, f"loss={loss}")


def test_fractions_of_the_split_reach_the_text(path: str) -> None:
    data = built(*TINY, path, "split.val=0.1", "split.test=0.5").data
    characters = len(Path(path.partition("=")[2]).read_bytes())
    assert len(data.val.y) == (round(0.1 * characters) - 1) // 8
    assert len(data.test.y) == (round(0.5 * characters) - 1) // 8
