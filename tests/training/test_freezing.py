"""Frozen parameters stay, in gradient, optimizer, statistics, diagnostics and averages."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from sgdlab.averaging import has_statistics, hold_statistics, holds_statistics, refresh_statistics
from sgdlab.config.run_id import run_id
from sgdlab.errors import InputError
from sgdlab.training.freezing import freeze
from sgdlab.training.summary import built_of
from trainer_runs import Rows, built, config_of, fit_from_checkpoint, train

CNN = (
    "model=cnn", "model.channels=[4,4]", "model.hidden=[]", "model.batch_norm=true",
    "max_steps=6", "batch_size=32", "schedule=constant", "dtype=float64", "threads=1",
)  # fmt: skip
FROZEN = (*CNN, "freeze=[features.0.*,features.1.*]")


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_steps_are_those_of_a_loop_by_hand() -> None:
    options = (*FROZEN, "optimizer=sgd", "optimizer.weight_decay=0", "lr=0.1", "max_steps=3")
    run = built(*options)
    model, loss = copy.deepcopy(run.model), nn.CrossEntropyLoss()
    _, rows, trained = train(*options)
    held = ("features.0.", "features.1.")
    moving = [p for name, p in model.named_parameters() if not name.startswith(held)]
    expected = []
    for update in run.updates(0):
        if len(expected) == 3:
            break
        model.train()
        model.features[1].training = False
        (batch,) = update
        value = loss(model(batch.x), batch.y)
        expected.append(value.item())
        gradients = torch.autograd.grad(value, moving)
        with torch.no_grad():
            for p, g in zip(moving, gradients, strict=True):
                p -= 0.1 * g
    assert [row[4] for row in rows.step_rows] == pytest.approx(expected, rel=1e-12)
    for name, tensor in trained.model.state_dict().items():
        torch.testing.assert_close(tensor, model.state_dict()[name], rtol=1e-11, atol=1e-12)


def test_frozen_parts_and_their_statistics_do_not_move_and_are_counted() -> None:
    before = copy.deepcopy(built(*FROZEN).model.state_dict())
    outcome, _, run = train(*FROZEN)
    assert outcome.status == "completed"
    after = run.model.state_dict()
    for name, tensor in before.items():
        held = name.startswith(("features.0.", "features.1."))
        assert torch.equal(tensor, after[name]) == held, name
    found = built_of(run)
    assert found.num_frozen == 4 * 9 + 2 * 4
    trained = sum(p.numel() for group in run.optimizer.param_groups for p in group["params"])
    assert found.num_parameters == found.num_frozen + trained


def test_what_is_frozen_by_the_name_of_a_statistic_alone() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2))
    freeze(model, ["1.*"])
    assert holds_statistics(model.train()[1])
    assert not model[1].training
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("2.wieght", "did you mean 2.weight"),
        ("0", "0.* has all of that part"),
        ("nothing*", "matches no parameter"),
    ],
)
def test_a_pattern_of_nothing_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(InputError, match=r"^freeze: ") as refusal:
        freeze(small(), [pattern])
    assert said in str(refusal.value)


def test_a_norm_with_a_trained_part_keeps_counting() -> None:
    model = small()
    freeze(model, ["*.weight"])
    assert not holds_statistics(model[1])
    assert has_statistics(model)


def test_copies_hold_their_own_statistics() -> None:
    model = small()
    hold_statistics(model[1])
    again = copy.deepcopy(model).train()
    assert (model.training, model[1].training, again[1].training) == (True, False, False)
    assert again[1].train(True) is again[1]


def test_an_average_recomputes_the_statistics_that_are_free_only() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2)).double()
    with torch.no_grad():
        model[0].running_mean.fill_(3.0)
        model[0].running_var.fill_(4.0)
    hold_statistics(model[0])
    x = torch.randn(8, 2, generator=torch.manual_seed(0), dtype=torch.float64)
    refresh_statistics(model, [x])
    assert model[0].running_mean.tolist() == [3.0, 3.0]
    assert model[0].running_var.tolist() == [4.0, 4.0]
    expected = (x.mean(0) - 3) / (4 + 1e-5) ** 0.5
    torch.testing.assert_close(model[1].running_mean, expected)
    hold_statistics(model[1])
    assert not has_statistics(model)


def test_all_frozen_is_refused() -> None:
    with pytest.raises(InputError, match=r"freeze=\['\*'\]: leaves no parameter to train"):
        built("freeze=['*']", "max_steps=1")


def test_a_resumed_run_is_the_same(tmp_path: Path) -> None:
    options = (*FROZEN, "average=ema", "checkpoint.every=2")
    _, whole, once = train(*options)
    for stop in (True, True, False):
        run = built(*options)
        fit_from_checkpoint(run, Rows(), tmp_path, stop)
    assert len(whole.step_rows) == 6
    for name, tensor in once.model.state_dict().items():
        assert torch.equal(tensor, run.model.state_dict()[name]), name
    averages = [run.averager.state_dict() for run in (once, run)]
    assert averages[0]
    assert all(torch.equal(t, averages[1][n]) for n, t in averages[0].items())


def test_ids_of_older_configs_stay() -> None:
    assert run_id(config_of("freeze=[]", "weights=null")) == run_id(config_of())
    assert run_id(config_of("freeze=[0.*]")) != run_id(config_of())


@pytest.mark.parametrize("value", ["stem.*", "3", "[[a]]"])
def test_patterns_are_a_list(value: str) -> None:
    with pytest.raises(InputError, match=r"freeze=.*: must be a list of patterns"):
        config_of(f"freeze={value}")


def test_quantities_of_layers_and_curvature_are_those_of_what_is_trained() -> None:
    outcome, rows, run = train(*FROZEN, "diagnostics=full", "diagnostics.every=3", "max_steps=3")
    assert outcome.status == "completed"
    trained = sum(p.numel() for group in run.optimizer.param_groups for p in group["params"])
    assert trained == sum(p.numel() for p in run.objective.parameters)
    assert rows.step_rows[-1][5] > 0
