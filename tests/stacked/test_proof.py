"""Whether a stack is shown to be the same run before it starts."""

import random
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stacked_runs import job
from torch import Tensor, nn, optim

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.job import Job
from sgdlab.errors import InputError
from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.models.parts import ACTIVATIONS
from sgdlab.optimizers.traits import shipped_as
from sgdlab.stacked import proof
from sgdlab.stacked.alone import stack_of_one
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.launch import sort
from sgdlab.stacked.proof import _short
from sgdlab.steps.batches import BatchPlan

SMALL = ("engine=stacked", "model.hidden=[12]")


def proved(tmp_path: Path, *overrides: str) -> str | None:
    """Return what the proof says of a run that looks as if it could be stacked."""
    return judged([job(tmp_path, *overrides)])


def judged(runs: Sequence[Job]) -> str | None:
    planner = StackPlanner()
    groups, others = planner.of(runs)
    assert not others
    (group,) = groups
    return proof.refusal(planner, group)


def own(tmp_path: Path, group: str, target: str, seed: int = 0, **settings: Any) -> Job:
    """Return a run with a part of the user's own."""
    run = job(tmp_path, *SMALL, f"seed={seed}", "optimizer=sgd")
    section = {"_target_": f"own_models.{target}", **settings}
    if group == "optimizer":
        section |= {"lr": 0.1, "_traits_": shipped_as("sgd")["_traits_"]}
    names = run.config.names | {group: "mine"}
    return replace(run, config=replace(run.config, **{group: section}, names=names))


STACKED = [
    path.stem
    for path in sorted((conf_dir() / "optimizer").glob("*.yaml"))
    if shipped_as(path.stem)["_traits_"]["stacked"]
    and find_spec(shipped_as(path.stem)["_target_"].split(".")[0])
]


@pytest.mark.parametrize("optimizer", STACKED)
@pytest.mark.parametrize(
    "overrides",
    [
        ("dtype=float64",),
        ("accumulate=3", "clip_norm=0.1", "model.batch_norm=true"),
        ("decay.bias_and_norm=true", "optimizer.weight_decay=0.1", "model.dropout=0.3"),
    ],
    ids=lambda overrides: overrides[0],
)
def test_every_shipped_rule_is_shown_to_be_its_optimizer(
    optimizer: str, overrides: tuple[str, ...], tmp_path: Path
) -> None:
    decays = "weight_decay" in shipped_as(optimizer)
    own = [o for o in overrides if decays or not o.startswith("optimizer.weight_decay")]
    assert proved(tmp_path, *SMALL, f"optimizer={optimizer}", *own) is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "overrides",
    [
        ("model=linear",),
        ("model.batch_norm=true", "model.dropout=0.2", "loss=mse"),
        ("model=cnn", "model.batch_norm=true", "model.dropout=0.2"),
        ("parametrization=mup", "model.mup_base_width=8", "optimizer=adamw"),
        ("dataset=diabetes", "batch_size=full"),
        ("dataset=wine", "batch_size=1", "loss=cross_entropy", "loss.label_smoothing=0.1"),
        ("dataset=breast_cancer", "accumulate=5", "batch_size=32"),
        ("decay.mode=independent", "lr_multipliers={*.bias:2}", "schedule=one_cycle"),
        *((f"model.activation={name}",) for name in ACTIVATIONS),
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_shipped_part_is_shown_to_be_the_same(
    overrides: tuple[str, ...], dtype: str, tmp_path: Path
) -> None:
    assert proved(tmp_path, "engine=stacked", f"dtype={dtype}", *overrides) is None


@pytest.mark.parametrize("inputs", [1e-9, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("outputs", [0.0, 1e-9, 1e9])
def test_a_badly_scaled_model_is_not_sent_away(
    inputs: float, outputs: float, tmp_path: Path
) -> None:
    run = own(tmp_path, "model", "scaled", inputs=inputs, outputs=outputs)
    assert judged([run]) is None


@pytest.mark.parametrize("lr", ["1e-30", "1e30"])
def test_the_rate_of_the_run_does_not_matter(lr: str, tmp_path: Path) -> None:
    assert proved(tmp_path, *SMALL, f"lr={lr}") is None


def _double(self: Any, output: Tensor, target: Tensor) -> Tensor:
    return 2 * nn.functional.cross_entropy(output, target)


def _wavering(self: nn.ReLU, x: Tensor) -> Tensor:
    return x.relu() + 0 * torch.rand(())


def _leaking(self: nn.ReLU, x: Tensor) -> Tensor:
    """Return the output of ReLU with a gradient that is larger by a ten-millionth."""
    return x.relu() * (1 + 1e-7) - x.relu().detach() * 1e-7


def _slow(self: nn.BatchNorm1d, x: Tensor) -> Tensor:
    mean, var = self.running_mean, self.running_var
    settings = (self.weight, self.bias, self.training, 0.09, self.eps)
    return nn.functional.batch_norm(x, mean, var, *settings)


def _always(self: nn.Dropout, mode: bool = True) -> nn.Dropout:
    self.training = True
    return self


def _never(self: nn.BatchNorm1d, mode: bool = True) -> nn.BatchNorm1d:
    self.training = False
    return self


def _tenth(self: optim.SGD, closure: Any = None) -> None:
    for group in self.param_groups:
        for p in group["params"]:
            p.data.sub_(group["lr"] * p.grad * (1 + 1e-9))


def _failing(self: nn.ReLU, x: Tensor) -> Tensor:
    if self.training:
        raise RuntimeError("not today")
    return x.relu()


# What an import of the user's may do to a class: nothing of it is seen in the model.
PATCHES = {
    "another loss": (CrossEntropy, "__call__", _double, "a stacked step has another loss"),
    "another gradient": (
        nn.ReLU, "forward", _leaking, "a stacked step has another gradient of 1.weight"
    ),
    "another momentum": (
        nn.BatchNorm1d, "forward", _slow, "a stacked step leaves another 2.running_mean"
    ),
    "another update": (optim.SGD, "step", _tenth, "a stacked update gives another 1.weight"),
    "draws": (nn.ReLU, "forward", _wavering, "a step draws other random numbers"),
    "noise in evaluation": (
        nn.Dropout, "train", _always, "a layer stays in training while evaluating"
    ),
    "frozen statistics": (
        nn.BatchNorm1d, "train", _never, "a layer stays in evaluation while training"
    ),
}  # fmt: skip


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_difference_is_found_and_named(
    patch: str, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, name, changed, reason = PATCHES[patch]
    overrides = (*SMALL, "optimizer=sgd", "optimizer.weight_decay=0.0", f"dtype={dtype}")
    more = {nn.BatchNorm1d: ("model.batch_norm=true",), nn.Dropout: ("model.dropout=0.2",)}
    overrides += more.get(kind, ())
    assert proved(tmp_path, *overrides) is None
    # A forward of another module is given hooks in float64, which are seen at once.
    monkeypatch.setattr(changed, "__module__", kind.__module__)
    monkeypatch.setattr(kind, name, changed)
    assert proved(tmp_path, *overrides) == reason


def test_a_draw_in_evaluation_only_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: nn.ReLU, x: Tensor) -> Tensor:
        return x.relu() if self.training else x.relu() + 0 * torch.rand(())

    forward.__module__ = nn.ReLU.__module__
    monkeypatch.setattr(nn.ReLU, "forward", forward)
    assert proved(tmp_path, *SMALL) == "an evaluation draws random numbers"


def test_a_bias_that_is_no_parameter_is_found(tmp_path: Path) -> None:
    run = own(tmp_path, "model", "constant_bias")
    run = replace(run, config=replace(run.config, dtype="float64"))
    assert judged([run]) == "a stacked step has another loss"


def test_a_hook_where_autograd_gathers_is_found(tmp_path: Path) -> None:
    run = own(tmp_path, "model", "hidden_hook")
    run = replace(run, config=replace(run.config, dtype="float64"))
    assert judged([run]) == "a stacked step has another gradient of 1.weight"


def test_the_smaller_last_batch_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: nn.ReLU, x: Tensor) -> Tensor:
        return x.relu() * (1 if len(x) == 64 or not self.training else 2)

    forward.__module__ = nn.ReLU.__module__
    monkeypatch.setattr(nn.ReLU, "forward", forward)
    # 1,077 examples end with a batch of 53.
    assert proved(tmp_path, *SMALL) == "a stacked step has another loss"


def test_what_fails_in_both_engines_is_left_to_the_stack(tmp_path: Path) -> None:
    # 1,077 examples in fours end with one, which cannot be normalised.
    assert proved(tmp_path, *SMALL, "model.batch_norm=true", "batch_size=4") is None


def test_what_fails_alone_is_not_stacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planner = StackPlanner()
    (group,), _ = planner.of([job(tmp_path, *SMALL)])
    monkeypatch.setattr(nn.ReLU, "forward", _failing)
    assert proof.refusal(planner, group) == "a step fails alone: not today"


@pytest.mark.parametrize(
    ("plan", "short"),
    [
        ((1077, 64, 1), (64 + 53, 64, 1)),
        ((1077, 64, 3), (3 * 64 + 117, 64, 3)),
        ((1077, 64, 8), (3 * 64 + 53, 64, 3)),
        ((1024, 64, 1), (64, 64, 1)),
        ((100, 64, 2), (100, 64, 2)),
        ((1077, 1077, 1), (100, 100, 1)),
        ((1077, 500, 1), (100 + 77, 100, 1)),
        ((1199, 600, 1), (100 + 99, 100, 1)),
        ((5, 1, 1), (1, 1, 1)),
    ],
)
def test_a_short_plan_ends_like_the_epoch(plan: tuple[int, ...], short: tuple[int, ...]) -> None:
    found = _short(BatchPlan(*plan), 100)
    assert (found.examples, found.batch_size, found.accumulate) == short
    assert BatchPlan.of(found.batch_size, found.accumulate, found.examples) == found


PARTS = {
    ("model", "leftover_gradient"): "a stacked step has another gradient of 1.weight",
    ("model", "Projected"): "SGD has hooks",
    ("loss", "Annealed"): "loss Annealed changes as it is called",
    ("loss", "counting"): "loss counting writes to variables outside it",
    ("loss", "noisy"): "a step fails: it draws random numbers otherwise than by dropout",
    ("optimizer", "MySGD"): "MySGD has no stacked rule",
    ("optimizer", "patched"): "step of SGD is replaced",
    ("optimizer", "hooked"): "SGD has hooks",
    ("optimizer", "partial"): "SGD does not train all parameters once",
    ("optimizer", "starting"): "a run alone starts from other weights",
    ("optimizer", "clamping"): "there are hooks on 1.weight",
    ("optimizer", "warm"): "a stacked update gives another 1.weight",
    ("schedule", "Counting"): "schedule=mine is no pure function of the step",
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[1])
def test_parts_that_only_look_like_ours_train_one_by_one(
    part: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [own(tmp_path, *part, seed=seed) for seed in (0, 1)]
    _, groups, rest = sort(runs)
    assert (groups, rest) == ([], runs)
    said = capsys.readouterr().err
    assert said == f"sgdlab: note: 2 of 2 runs train one by one: {PARTS[part]} (2)\n"
    with pytest.raises(InputError, match="engine=stacked"):
        stack_of_one(runs[0].config)


@pytest.mark.parametrize(
    "part",
    [
        ("model", "plain"),
        ("model", "trained_statistics"),
        ("schedule", "pure_schedule"),
        ("loss", "MyLoss"),
        ("loss", "confident"),
    ],
)
def test_parts_of_the_user_that_are_what_they_look_like_are_stacked(
    part: tuple[str, str], tmp_path: Path
) -> None:
    runs = [own(tmp_path, *part, seed=seed) for seed in (0, 1)]
    _, (group,), rest = sort(runs)
    assert group.jobs == runs
    assert rest == []


def test_a_seed_decides_nothing_but_weights(tmp_path: Path) -> None:
    runs = [own(tmp_path, "model", "by_seed", seed=seed) for seed in (0, 1)]
    _, groups, rest = sort(runs)
    assert sum(len(group.jobs) for group in groups) == 1
    assert rest == runs[1:]
    runs = [own(tmp_path, "model", "frozen_by_seed", seed=seed) for seed in range(6)]
    _, groups, rest = sort(runs)
    assert rest


def test_a_refusal_names_the_difference_and_where_the_runs_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CrossEntropy, "__call__", _double)
    runs = [job(tmp_path, *SMALL, f"seed={seed}") for seed in (0, 1)]
    _, groups, rest = sort(runs)
    assert (groups, rest) == ([], runs)
    said = capsys.readouterr().err
    assert "2 of 2 runs train one by one: a stacked step has another loss (2)" in said
    with pytest.raises(InputError, match="engine=stacked: a stacked step has another loss; set"):
        stack_of_one(runs[0].config)


def test_a_proof_leaves_no_trace(tmp_path: Path) -> None:
    run = own(tmp_path, "model", "drawing")
    planner = StackPlanner()
    (group,), _ = planner.of([run])
    before, weights = _states(), _weights(planner, group)
    with torch.no_grad():
        assert proof.refusal(planner, group) is None
        assert not torch.is_grad_enabled()
    assert _states() == before
    assert _weights(planner, group) == weights
    assert not any(tmp_path.iterdir())


def _states() -> tuple[object, ...]:
    numpy = [np.asarray(part).tolist() for part in np.random.get_state()]  # noqa: NPY002
    return random.getstate(), numpy, torch.get_rng_state().tolist()


def _weights(planner: StackPlanner, group: Group) -> list[object]:
    run, state = planner.build(group.jobs[0], group)
    data = [t.tolist() for t in group.data.train]
    return [run.progress.step, run.lr, data, {n: t.tolist() for n, t in state.items()}]
