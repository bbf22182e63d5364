"""Which engine, how many runs in a stack, and whether to compile: from the config alone."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from stacked_runs import grouped, jobs
from torch import Tensor, nn

from sgdlab.stacked import cost, measure
from sgdlab.stacked.compiled.plan import plan
from sgdlab.stacked.launch import sort, split
from sgdlab.stacked.measured import Measured
from sgdlab.stacked.memory import bytes_per_run
from sgdlab.stacked.model import StackedModel
from sgdlab.stacked.structure import refusal


def _group(count: int, *overrides: str):
    (first,) = jobs(Path("unused"), ("threads=2", "max_steps=100", *overrides), [[]])
    # Composed once: the others differ in their seed only.
    runs = [replace(first, config=replace(first.config, seed=seed)) for seed in range(count)]
    return grouped(runs)[1]


def test_operations_of_dense_layers_and_convolutions() -> None:
    mlp = _group(1, "model.hidden=[32]")
    # Two operations for each weight: 64 pixels to 32 units to 10 classes.
    assert cost._operations(mlp.model, (1, 8, 8)) == (2 * (64 * 32 + 32 * 10), 0)
    cnn = _group(1, "model=cnn", "model.channels=[4]", "model.hidden=[]")
    dense, conv = cost._operations(cnn.model, (1, 8, 8))
    assert conv == 2 * 9 * 1 * 4 * 64
    assert dense == 2 * (4 * 4 * 4) * 10


def test_one_run_trains_alone_and_many_small_ones_together() -> None:
    reason = cost.refusal(_group(1))
    assert reason is not None
    assert reason.startswith("too few runs")
    assert cost.refusal(_group(16)) is None


def test_large_models_gain_nothing() -> None:
    assert cost.refusal(_group(16, "model.hidden=[2048,2048]")) == (
        "a model of this size gains nothing"
    )


def test_what_goes_run_by_run_pays_while_it_is_small() -> None:
    assert cost.refusal(_group(64, "optimizer=muon", "model.hidden=[64]")) is None
    large = _group(64, "optimizer=muon", "model.hidden=[128,128]")
    assert cost.refusal(large) == (
        "an optimizer that goes run by run gains nothing with matrices of this size"
    )
    for own in ("optimizer=muon", "loss=hinge", "average=ema"):
        assert plan(_group(64, own, "stacked.compile=true")) is None


def test_more_work_in_a_step_means_smaller_stacks() -> None:
    small, large = cost.largest(_group(1)), cost.largest(_group(1, "model=cnn"))
    assert 16 <= large < small <= 128


def test_predictions_grow_with_the_work_and_fall_with_the_runs() -> None:
    found = [cost.cost_of(_group(1, f"model.hidden=[{h}]")) for h in (8, 64, 512)]
    for less, more in itertools.pairwise(found):
        assert less.alone < more.alone
        assert less.run < more.run
    assert found[0].stacked(2) > found[0].stacked(8) > found[0].stacked(64)


def test_a_group_is_cut_evenly_and_no_run_is_lost() -> None:
    group = _group(150)
    parts = list(split(group, list(group.jobs)))
    assert [job for part in parts for job in part] == group.jobs
    sizes = {len(part) for part in parts}
    assert len(parts) == -(-150 // cost.largest(group))
    assert max(sizes) - min(sizes) <= 1


def test_on_a_gpu_steps_are_measured_in_the_largest_stacks_that_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = _group(700)
    assert not cost.is_measured(group)
    assert measure.sizes_of(group) == [16, 32]
    group.data = group.data.to("meta", torch.float32)
    room = 10**12
    monkeypatch.setattr(measure, "budget", lambda *_: room)
    monkeypatch.setattr(measure, "bytes_per_run", lambda _: 1000)
    assert cost.is_measured(group)
    assert cost.refusal(group) is None
    assert measure.sizes_of(group) == [512, 700]
    assert cost.largest(group) == 700
    group.measured = Measured(alone=1e-3, stacked={512: 2e-6, 700: 1e-6})
    assert (cost.largest(group), group.measured.refusal(700)) == (700, None)
    room = 100_000
    assert measure.sizes_of(group) == [32, 100]


def test_engine_decides_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = [["seed=0"], ["seed=1"]]
    for engine, alone in (("sequential", 2), ("auto", 2), ("stacked", 0)):
        runs = jobs(tmp_path, (f"engine={engine}", "model.hidden=[1024,1024]"), few)
        _, groups, rest = sort(runs)
        assert len(rest) == alone
        assert sum(len(group.jobs) for group in groups) == 2 - alone
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "sgdlab: note: 2 of 2 runs train one by one: a model of this size gains nothing (2)"
    ]


REASONS = {
    "precision=bf16": "precision=bf16",
    "clip_value=0.1": "clip_value",
    "staleness.delay=2": "staleness.delay",
    "local_sgd.workers=2": "local_sgd.workers",
    "optimizer=lbfgs": "LBFGS has no stacked rule",
    "last_batch=drop": "last_batch=drop",
    "dataset=rosenbrock": "dataset=rosenbrock is a function",
}


@pytest.mark.parametrize("override", REASONS)
def test_what_cannot_be_stacked_is_refused_by_name(
    override: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = jobs(tmp_path, ("engine=stacked", "batch_size=1", override), [["seed=0"], ["seed=1"]])
    _, groups, rest = sort(runs)
    assert groups == []
    assert len(rest) == 2
    said = capsys.readouterr().err
    assert said == f"sgdlab: note: 2 of 2 runs train one by one: {REASONS[override]} (2)\n"


def test_runs_that_differ_in_numbers_only_share_a_stack(tmp_path: Path) -> None:
    varied = [
        ["optimizer=sgd"], ["optimizer=momentum"], ["optimizer=nesterov"], ["lr=0.5"], ["seed=3"],
        ["clip_norm=1"], ["schedule=wsd"], ["decay.mode=independent"], ["evaluate_test=true"],
        ["optimizer.weight_decay=0.1"], ["scaling=linear"], ["limits.loss_factor=7"],
    ]  # fmt: skip
    _, group = grouped(jobs(tmp_path, (), varied))
    assert len(group.jobs) == len(varied)
    _, adams = grouped(jobs(tmp_path, (), [["optimizer=adam"], ["optimizer=adamw"]]))
    assert len(adams.jobs) == 2


def test_runs_that_differ_in_shape_do_not(tmp_path: Path) -> None:
    varied = [
        [], ["optimizer=adam"], ["optimizer=adam", "optimizer.amsgrad=true"], ["batch_size=32"],
        ["model.hidden=[8]"], ["dataset=wine"], ["epochs=3"], ["accumulate=2"], ["dtype=float64"],
        ["eval.every=2"], ["split.seed=1"], ["model.activation=tanh"], ["checkpoint.every=5"],
    ]  # fmt: skip
    from sgdlab.stacked.group import StackPlanner

    groups, others = StackPlanner().of(jobs(tmp_path, (), varied))
    assert not others
    assert len(groups) == len(varied)


class Twice(nn.ReLU):
    """A subclass that does something else."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def _hooked() -> nn.Sequential:
    layer = nn.ReLU()
    layer.register_forward_hook(lambda *args: args[-1] * 3)
    return nn.Sequential(nn.Linear(4, 3), layer)


def _shared() -> nn.Sequential:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Sequential(nn.Linear(4, 3), Twice()), "Twice has no stacked form"),
        (_hooked(), "the model has hooks"),
        (_shared(), "the model shares parameters between layers"),
        (nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))), "Parametrized"),
        (
            nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False)),
            "batch norm without running statistics",
        ),
        (nn.Sequential(nn.Linear(4, 3), nn.LSTM(3, 3)), "LSTM has no stacked form"),
        (nn.Sequential(nn.Linear(4, 3).requires_grad_(False)), "frozen parameters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_layer_does_beyond_its_class_is_refused(model: nn.Module, reason: str) -> None:
    assert reason in str(refusal(model))


def test_a_layer_without_weights_may_stand_twice() -> None:
    tanh = nn.Tanh()
    model = nn.Sequential(nn.Linear(4, 3), tanh, nn.Linear(3, 3), tanh, nn.Linear(3, 2)).double()
    assert refusal(model) is None
    stacked = StackedModel(model)
    params = stacked.load([model.state_dict()] * 2, torch.device("cpu"))
    x = torch.randn(5, 4, dtype=torch.float64)
    found = stacked.forward(params, x.expand(2, 5, 4))
    torch.testing.assert_close(found[0], model(x), rtol=1e-13, atol=1e-13)


def test_a_step_that_fails_is_left_to_the_ordinary_trainer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ("engine=stacked", "dataset=wine", "model.batch_norm=true", "batch_size=1")
    _, groups, rest = sort(jobs(tmp_path, own, [["seed=0"], ["seed=1"]]))
    assert groups == []
    assert len(rest) == 2
    assert "a step fails: Expected more than 1 value per channel" in capsys.readouterr().err


def test_memory_counts_a_batch_and_not_the_dataset() -> None:
    per_run = bytes_per_run(_group(2, "model.hidden=[64]", "batch_size=8"))
    weights = 4 * (64 * 64 + 64 + 64 * 10 + 10)
    # Two forward passes of 8 examples, or one of 128 in evaluation, and the order of 1,077.
    assert 6 * weights < per_run < 6 * weights + 128 * 4 * (64 + 64 + 64 + 3 * 10) * 2 + 8 * 1100
