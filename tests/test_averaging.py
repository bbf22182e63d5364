"""Averages of the iterates, against the iterates kept by hand."""

import copy

import pytest
import torch
from torch import Tensor

from sgdlab.averaging import Exponential, Polyak, Stochastic
from sgdlab.sweeps.preflight import check
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.evaluation import evaluate
from sgdlab.training.loop import fit
from trainer_runs import Rows, built, config_of, train

SMALL = ["model=linear", "dtype=float64", "batch_size=256", "epochs=6"]  # five steps an epoch


def with_iterates(*overrides: str) -> tuple[list[list[Tensor]], list[Tensor] | None, Rows]:
    """Return the iterates after every step, the average at the end, and the rows."""
    run, rows, iterates = built(*SMALL, *overrides), Rows(), []
    take = run.update.step

    def kept(*arguments):
        values = take(*arguments)
        iterates.append([p.detach().clone() for p in run.model.parameters()])
        return values

    run.update.step = kept
    fit(run, rows, NoDisplay())
    model = run.averager.model([]) if run.averager else None
    return iterates, [p.detach() for p in model.parameters()] if model else None, rows


def mean(iterates: list[list[Tensor]]) -> list[Tensor]:
    return [torch.stack(values).mean(0) for values in zip(*iterates, strict=True)]


def close(found: list[Tensor] | None, expected: list[Tensor]) -> None:
    assert found is not None
    for p, q in zip(found, expected, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-13)


def test_polyak_is_the_mean_of_all_iterates() -> None:
    iterates, average, _ = with_iterates("average=polyak")
    assert len(iterates) == 30
    close(average, mean(iterates))


def test_polyak_of_a_suffix() -> None:
    iterates, average, _ = with_iterates("average=polyak", "average.start=0.5")
    close(average, mean(iterates[15:]))


def test_ema_is_the_recursion_from_the_first_iterate() -> None:
    iterates, average, _ = with_iterates("average=ema", "average.decay=0.8")
    expected = iterates[0]
    for new in iterates[1:]:
        expected = [0.8 * old + 0.2 * p for old, p in zip(expected, new, strict=True)]
    close(average, expected)


@pytest.mark.parametrize(("horizon", "start"), [(0.1, 0.0), (0.4, 0.0), (1.0, 0.5), (1e-6, 0.0)])
def test_ema_follows_the_run_and_is_corrected_for_its_start(horizon: float, start: float) -> None:
    """``(1 - d) Σ d^(t-i) θ_i / (1 - d^t)`` with ``d = 1 - 1 / max(1, horizon · steps)``."""
    settings = (f"average.horizon={horizon}", f"average.start={start}")
    iterates, average, _ = with_iterates("average=ema", *settings)
    taken = iterates[int(30 * start) :]
    d = 1 - 1 / max(1.0, horizon * len(taken))
    weights = torch.tensor([d ** (len(taken) - i) for i in range(1, len(taken) + 1)])
    weights = weights.double() / weights.double().sum()
    expected = [
        sum(w * p for w, p in zip(weights, values, strict=True))
        for values in zip(*taken, strict=True)
    ]
    for p, q in zip(average, expected, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "overrides",
    [("epochs=20",), ("schedule=constant", "lr=0.05"), ("optimizer=adamw", "max_steps=60")],
)
def test_the_default_average_is_near_the_weights_however_short_the_run(overrides) -> None:
    """The average of .999 in 340 steps was 71 % the first weights: 71 % beside 96 %."""
    outcome, _, _ = train("average=ema", *overrides)
    at = outcome.progress
    assert at.average_val_metric > at.val_metric - 0.02


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("average.decay=0.999",), True),
        (("average.decay=0.99",), False),
        (("average.decay=0.99", "max_steps=100"), True),
        (("average.decay=0.99", "average.start=0.9"), True),
        (("average.decay=0.9",), False),
        ((), False),
    ],
)
def test_a_memory_longer_than_the_run_is_said(overrides, says) -> None:
    lines = check(config_of("average=ema", *overrides))
    assert any("is long for a run of" in line for line in lines) == says


def test_swa_takes_the_ends_of_late_epochs() -> None:
    iterates, average, _ = with_iterates("average=swa", "average.start=0.4", "average.every=2")
    close(average, mean([iterates[19], iterates[29]]))


def test_no_average_leaves_no_rows() -> None:
    _, average, rows = with_iterates()
    assert average is None
    assert {row[4] for row in rows.evaluations} == {"raw"}


def test_the_average_is_evaluated_beside_the_raw_weights_and_does_not_disturb_them() -> None:
    settings = ["average=polyak", "evaluate_test=true"]
    outcome, rows, _ = train(*SMALL, *settings)
    _, plain, _ = train(*SMALL, "evaluate_test=true")
    assert [row for row in rows.evaluations if row[4] == "raw"] == [
        (*row[:3], mine[3], *row[4:])
        for row, mine in zip(
            plain.evaluations, [r for r in rows.evaluations if r[4] == "raw"], strict=True
        )
    ]
    assert rows.step_rows == plain.step_rows
    averaged = [row for row in rows.evaluations if row[4] == "average"]
    assert [row[5] for row in averaged] == ["train", "val"] * 6 + ["test"]
    assert outcome.average_test is not None
    assert outcome.average_test.loss != outcome.test.loss
    assert outcome.progress.average_val_loss == averaged[-2][6]


@pytest.mark.parametrize("device", ["cpu"])
def test_statistics_of_batch_norm_are_those_of_the_averaged_weights(device: str) -> None:
    """Recomputed by hand: the mean of the batches' statistics over one pass."""
    settings = ["model.batch_norm=true", "model.dropout=0.3", "epochs=3", "average=ema"]
    run, rows = built(*settings, "average.decay=0.9"), Rows()
    fit(run, rows, NoDisplay())
    state = torch.get_rng_state()
    model = run.averager.model(list(run.data.train.x.split(64)))
    assert torch.equal(state, torch.get_rng_state())
    first, norm = model[1], model[2]
    batches = [first(x.flatten(1)) for x in run.data.train.x.split(64)]
    torch.testing.assert_close(norm.running_mean, torch.stack([b.mean(0) for b in batches]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([b.var(0) for b in batches]).mean(0))
    loss = run.objective.loss
    found = evaluate(copy.deepcopy(model), loss, run.metric, run.data.val, 1024)
    row = [row for row in rows.evaluations if row[4:6] == ("average", "val")][-1]
    assert row[6] == pytest.approx(found.loss, rel=1e-5)


@pytest.mark.parametrize(
    ("rule", "settings"),
    [(Polyak, {"start": 1.0}), (Exponential, {"decay": 1.0}), (Stochastic, {"every": 0})],
)
def test_impossible_settings_are_refused(rule: type, settings: dict[str, float]) -> None:
    (key,) = settings
    with pytest.raises(ValueError, match=rf"average.{key}="):
        rule(**settings)
