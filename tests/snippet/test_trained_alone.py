"""Snippets train as the run did: run without sgdlab, compared step by step with sgdlab's parts."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from trained_by_sgdlab import config, train

from sgdlab.config.catalogue import members
from sgdlab.snippet import snippet

CASES: dict[str, dict[str, Any]] = {}
SLOW: dict[str, dict[str, Any]] = {}
MOVED = ("sgd", "nesterov", "adam", "lars", "muon", "swats", "keras_sgd", "schedule_free_adamw")
"""Momentum, ``betas[0]``, none, and groups of both kinds: how one-cycle may find them."""
DECAYING = {"schedule": "cosine", "schedule.warmup_epochs": 1.0}

PLATEAU = {"schedule": "plateau", "schedule__patience": 0}


def case(name: str, /, **changes: Any) -> None:
    CASES[name] = {key.replace("__", "."): value for key, value in changes.items()}


for optimizer in members("optimizer"):
    # Thousands of evaluations a run, or hundreds.
    few = {"max_steps": 4} if optimizer in ("kiefer_wolfowitz", "lbfgs") else {}
    CASES[f"optimizer_{optimizer}"] = {"optimizer": optimizer, **DECAYING, **few}
    for schedule in members("schedule"):
        changes = {"optimizer": optimizer, "schedule": schedule, **few}
        quick = schedule == "one_cycle" and optimizer in MOVED
        (CASES if quick else SLOW)[f"{optimizer}_{schedule}"] = changes
for schedule in members("schedule"):
    changes = {"schedule": schedule, "schedule.warmup_epochs": 0.0}
    CASES[f"schedule_{schedule}"] = {"optimizer": "adamw", **changes}
    for shape in ("linear", "exponential", "constant"):
        ramp = {"schedule.warmup_steps": 7, "schedule.warmup_shape": shape}
        name, quick = f"schedule_{schedule}_{shape}", shape == "linear" or schedule == "cosine"
        (CASES if quick else SLOW)[name] = {"optimizer": "nesterov", **changes, **ramp}

for optimizer in ("nesterov", "adamw", "lion", "muon", "swats", "soap"):
    for mode in ("coupled", "decoupled", "independent"):
        if (optimizer, mode) != ("swats", "decoupled"):
            CASES[f"decay_{optimizer}_{mode}"] = {
                "optimizer": optimizer,
                "optimizer.weight_decay": 0.3,
                "decay.mode": mode,
                "scaling": "sqrt",
                "lr_multipliers": {"0.*": 0.5},
                **DECAYING,
            }
for optimizer in ("adamw", "muon", "lamb", "adabound", "rprop"):
    CASES[f"multipliers_{optimizer}"] = {
        "optimizer": optimizer,
        "lr_multipliers": {"*.bias": 2.0, "0.*": 0.25, "2.weight": 0.0},
        **({} if optimizer == "rprop" else {"decay.multipliers": {"*.weight": 3.0, "5.*": 0.5}}),
    }
    if optimizer != "rprop":
        CASES[f"all_decay_{optimizer}"] = {"optimizer": optimizer, "decay.bias_and_norm": True}
for optimizer in ("adamw", "muon", "lamb"):
    # Of the user's own, so that the snippet asks each parameter's module what it is.
    CASES[f"own_model_{optimizer}"] = {"optimizer": optimizer, "model._target_": "mine.Net"}
for rule in ("linear", "sqrt", "gentle"):
    for optimizer in ("nesterov", "adabound"):
        CASES[f"scaling_{rule}_{optimizer}"] = {
            "optimizer": optimizer,
            "scaling": rule,
            "scaling.candidate": 0.5,
            "accumulate": 2,
            **DECAYING,
        }
for optimizer in ("sgd", "adamw", "lbfgs", "nesterov_lookahead", "schedule_free_sgd"):
    CASES[f"clipped_{optimizer}"] = {"optimizer": optimizer, "clip_norm": 0.05, "accumulate": 3}
# The curvature that L-BFGS sees in clipped gradients makes rounding errors grow by the step.
CASES["clipped_lbfgs"]["max_steps"] = 2
for average in ("polyak", "ema", "swa"):
    CASES[f"average_{average}"] = {"average": average, "average.start": 0.4, "lr": 0.3}
case("average_from_the_first_step", average="polyak", lr=0.3)
case("average_swa_every_other", average="swa", average__every=2, average__start=0.0, lr=0.3)
case("accumulated_values", optimizer="kiefer_wolfowitz", accumulate=3, max_steps=2)
for norm in (None, 0.05):
    case(f"clipped_by_value_{norm}", clip_value=0.01, clip_norm=norm, optimizer="nesterov")
case("max_steps", max_steps=13, clip_norm=1.0)
case("max_steps_accumulated", max_steps=5, accumulate=3)  # the last update is uneven
case("bf16", precision="bf16", dtype="float32", optimizer="adamw")
case("bf16_values", precision="bf16", dtype="float32", optimizer="nesterov_lookahead", accumulate=2)
case("fp16", precision="fp16", dtype="float32", optimizer="adamw", clip_norm=1.0)
case("fp16_accumulated", precision="fp16", dtype="float32", optimizer="sgd", accumulate=3)
case("single", dtype="float32", optimizer="adam", lr=1e-30)
case("plateau", epochs=5, schedule="plateau", schedule__patience=0, schedule__cooldown=1, lr=0.3)
case("plateau_decay", **PLATEAU, decay__mode="independent", lr=0.3)
case("plateau_every_other", **PLATEAU, eval__every=2, epochs=5)
case("milestones", schedule="step", schedule__milestones=[1, 2.5], schedule__warmup_epochs=0.6)
case("three_phases", schedule="one_cycle", schedule__three_phase=True, schedule__shape="linear")
case("rate_only", schedule="one_cycle", schedule__cycle_momentum=False)
case("warm_sf", optimizer="schedule_free_adamw", optimizer__warmup_steps=6, schedule="constant")
case("paper_lars", optimizer="lars", optimizer__nesterov=True, optimizer__lr_in_velocity=False)
case("swats_switches", optimizer="swats", optimizer__switch_tolerance=1e3, schedule="cosine")

Runs = dict[str, tuple[dict[str, Any], dict[str, Any]]]


def both(cases: dict[str, dict[str, Any]], folder: Path) -> Runs:
    """Return what sgdlab did and what the snippet did in a process without it, by case."""
    configs = {name: config(changes) for name, changes in cases.items()}
    for name, made in configs.items():
        (folder / f"{name}.py").write_text(snippet(made))
    jobs = {name: made["dtype"] for name, made in configs.items()}
    (folder / "jobs.json").write_text(json.dumps(jobs))
    script = Path(__file__).with_name("alone.py")
    with subprocess.Popen(
        [sys.executable, "-I", str(script), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        by_sgdlab = {name: train(made) for name, made in configs.items()}
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    alone = torch.load(folder / "found.pt")
    return {name: (by_sgdlab[name], alone[name]) for name in cases}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    return both(CASES, tmp_path_factory.mktemp("snippets"))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_same_rates_and_weights_in_every_step(runs: Runs, name: str) -> None:
    compare(*runs[name], loose=name.startswith(("bf16", "fp16")))


@pytest.mark.slow
def test_the_cases_move_the_weights_and_differ(runs: Runs) -> None:
    """A comparison of nothing with nothing would pass, too."""
    seen: dict[bytes, str] = {}
    for name, (ours, _) in runs.items():
        weights = ours["weights"]
        assert len(weights) >= 2, name
        if name != "single":
            assert (weights[-1] - weights[0]).abs().max() > 1e-9, name
        seen.setdefault(weights.numpy().tobytes(), name)
    assert len(seen) > 0.85 * len(runs)


@pytest.mark.slow
def test_plateau_dropped_twice(tmp_path: Path) -> None:
    ours, alone = both({"plateau": CASES["plateau"]}, tmp_path)["plateau"]
    rates = [step[0] for step in alone["rates"]]
    assert len(set(rates)) == 3
    assert rates == sorted(rates, reverse=True)
    compare(ours, alone)


@pytest.mark.slow
def test_every_optimizer_with_every_schedule(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    for ours, alone in both(SLOW, tmp_path).values():
        compare(ours, alone)


def compare(ours: dict[str, Any], alone: dict[str, Any], *, loose: bool = False) -> None:
    """Assert equality to 1e-12 of the size; autocast rounds to three digits."""
    assert "error" not in alone, alone["error"]
    tolerance = 1e-3 if loose else 1e-12
    torch.testing.assert_close(
        torch.tensor(alone["rates"], dtype=torch.float64),
        torch.tensor(ours["rates"], dtype=torch.float64),
        rtol=1e-14,
        atol=0.0,
    )
    assert alone["momenta"] == ours["momenta"]
    for key in ("weights", "average"):
        assert (key in alone) == (key in ours)
        if key in ours:
            torch.testing.assert_close(alone[key], ours[key], rtol=tolerance, atol=tolerance)
