"""Commands on language models, as typed: rates are found, runs repeat, and mistakes are named."""

from pathlib import Path

import pytest
import torch
from cli_runs import Cli, same_run

from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.loop import fit
from trainer_runs import Rows, built

MODELS = {"gpt": ("model=gpt", "model.depth=1"), "lstm": ("model=lstm",)}


def typed(folder: Path, model: str) -> list[str]:
    (folder / "a.txt").write_text("to be or not to be that is the question " * 20)
    return [
        "dataset=text", f"dataset.path={folder / 'a.txt'}", "dataset.context=4",
        "dataset.tokens=characters", "model.width=4", *MODELS[model], "batch_size=8",
        "schedule=constant", "schedule.warmup_epochs=0",
    ]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_a_language_model_repeats_byte_for_byte_and_is_diagnosed(
    sgdlab: Cli, tmp_path: Path, model: str
) -> None:
    own = typed(tmp_path, model)
    for name in ("one", "two"):
        result = sgdlab(
            "train", *own, "dataset.windows=random", "max_steps=12", "accumulate=2",
            "model.dropout=0.1", "average=ema", "evaluate_test=true", f"hydra.run.dir={name}",
        )  # fmt: skip
        assert result.code == 0, result.err
    same_run(sgdlab.folder / "one", sgdlab.folder / "two")
    found = sgdlab("diagnose", "one")
    assert found.code == 0, found.err
    assert "one" in found.out


@pytest.mark.parametrize("model", MODELS)
def test_a_rate_for_a_language_model_is_found(sgdlab: Cli, tmp_path: Path, model: str) -> None:
    result = sgdlab(
        "lr-find", *typed(tmp_path, model), "batch_size=64", "range.steps=40", "hydra.run.dir=here"
    )
    assert result.code == 0, result.err
    assert any(line.startswith("  sgdlab train") for line in result.out.splitlines())


@pytest.mark.parametrize(
    ("average", "expected"),
    [
        ("average=polyak", lambda made: made.mean(0)),
        ("average=ema average.decay=0.5", lambda made: _ema(made, 0.5)),
        ("average=swa average.start=0.5", lambda made: made[[5, 8]].mean(0)),
    ],
)
@pytest.mark.parametrize("model", MODELS)
def test_averages_of_a_language_model_are_those_of_its_iterates(
    tmp_path: Path, model: str, average: str, expected: object
) -> None:
    run = built(
        *typed(tmp_path, model), "batch_size=48", "max_steps=10", "dtype=float64", *average.split()
    )
    made, step = [], run.update.step

    def kept(*arguments: object) -> object:
        values = step(*arguments)  # type: ignore[arg-type]
        made.append(torch.cat([p.detach().flatten() for p in run.model.parameters()]))
        return values

    run.update.step = kept  # type: ignore[method-assign,assignment]
    fit(run, Rows(), NoDisplay())
    assert run.averager is not None
    averaged = run.averager.model([])
    found = torch.cat([p.detach().flatten() for p in averaged.parameters()])
    torch.testing.assert_close(found, expected(torch.stack(made)))  # type: ignore[operator]


def _ema(made: torch.Tensor, decay: float) -> torch.Tensor:
    value = made[0]
    for each in made[1:]:
        value = decay * value + (1 - decay) * each
    return value


@pytest.mark.parametrize(
    ("typed_wrong", "says"),
    [
        (["dataset.tokens=bep"], "dataset.tokens=bep: valid: bpe, bytes, characters"),
        (["dataset.windows=rand"], "dataset.windows=rand: valid: contiguous, random"),
        (["dataset.vocabulary=500"], "dataset.vocabulary=500: is of dataset.tokens=bpe"),
        (["dataset.vocabulry=500"], "did you mean dataset.vocabulary=500?"),
        (["dataset.memory_map_above=big"], "dataset.memory_map_above=big: must be bytes"),
        (["parametrization=mup", "model.mup_base_width=65"], "must be a multiple of"),
        (["parametrization=mup", "optimizer=muon"], "parametrization=mup: no rule for Muon"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    sgdlab: Cli, typed_wrong: list[str], says: str
) -> None:
    result = sgdlab("train", "dataset=text", "model=gpt", "hydra.run.dir=run", *typed_wrong)
    assert result.code == 2
    assert says in result.err
    assert len([line for line in result.err.splitlines() if line]) == 1
    assert not (sgdlab.folder / "run").exists()
