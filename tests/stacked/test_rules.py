"""Every rule against its optimizer, against vmap, and against itself in other company."""

import importlib
import inspect
import math
import pkgutil
from dataclasses import replace

import pytest
import torch
from extra_cases import extra_cases
from rule_runs import STEPS, Run, alone, largest_gap, numbered, same_bits, stacked
from torch import optim

from sgdlab.optimizers.keras_sgd import KerasSGD
from sgdlab.optimizers.lamb import LAMB
from sgdlab.optimizers.lars import LARS
from sgdlab.optimizers.lion import Lion
from sgdlab.optimizers.muon import Muon
from sgdlab.optimizers.schedule_free import ScheduleFree
from sgdlab.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from sgdlab.optimizers.schedule_free_sgd import ScheduleFreeSGD
from sgdlab.optimizers.signsgd import SignSGD
from sgdlab.optimizers.swats import SWATS
from sgdlab.stacked import rules
from sgdlab.stacked.rules.base import Rule
from sgdlab.stacked.rules.choose import EXTRA, RULES, kind_of

# The first two runs of each leave out what the others need: a stack of both omits operations.
CASES = {
    "sgd": [
        Run(optim.SGD, {"lr": 0.05}),
        Run(optim.SGD, {"lr": 0.1, "weight_decay": 0.01}),
        Run(optim.SGD, {"lr": 0.02, "momentum": 0.9}),
        Run(optim.SGD, {"lr": 0.01, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1}),
        Run(optim.SGD, {"lr": 0.03, "momentum": 0.95, "nesterov": True, "weight_decay": 0.02}),
    ],
    "adam": [
        Run(optim.Adam, {"lr": 0.01}),
        Run(optim.Adam, {"lr": 0.02, "betas": (0.8, 0.99), "weight_decay": 0.1}),
        Run(optim.AdamW, {"lr": 0.01, "betas": (0.95, 0.9), "weight_decay": 0.3}),
        Run(optim.AdamW, {"lr": 0.003, "eps": 1e-3, "betas": (0.0, 0.999), "fused": True}),
        Run(optim.Adam, {"lr": 0.01, "weight_decay": 0.2, "decoupled_weight_decay": True}),
    ],
    "amsgrad": [
        Run(optim.Adam, {"lr": 0.01, "amsgrad": True, "betas": (0.9, 0.8)}),
        Run(optim.Adam, {"lr": 0.02, "amsgrad": True, "betas": (0.5, 0.5), "weight_decay": 0.1}),
        Run(optim.AdamW, {"lr": 0.01, "amsgrad": True, "betas": (0.9, 0.9)}),
        Run(optim.AdamW, {"lr": 0.01, "amsgrad": True, "weight_decay": 0.2, "foreach": True}),
        Run(optim.Adam, {"lr": 0.005, "amsgrad": True, "eps": 0.01, "betas": (0.9, 0.0)}),
    ],
    "nadam": [
        Run(optim.NAdam, {"lr": 0.01}),
        Run(optim.NAdam, {"lr": 0.02, "betas": (0.8, 0.99), "weight_decay": 0.1}),
        Run(optim.NAdam, {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
        Run(optim.NAdam, {"lr": 0.003, "momentum_decay": 0.1, "eps": 1e-3}),
        Run(optim.NAdam, {"lr": 0.01, "momentum_decay": 0.0, "betas": (0.5, 0.9)}),
    ],
    "rmsprop": [
        Run(optim.RMSprop, {"lr": 0.01}),
        Run(optim.RMSprop, {"lr": 0.02, "alpha": 0.9, "weight_decay": 0.1}),
        Run(optim.RMSprop, {"lr": 0.003, "momentum": 0.9}),
        Run(optim.RMSprop, {"lr": 0.003, "momentum": 0.5, "eps": 1e-3, "weight_decay": 0.1}),
        Run(optim.RMSprop, {"lr": 0.01, "alpha": 0.3, "momentum": 0.8}),
    ],
    "centered_rmsprop": [
        Run(optim.RMSprop, {"lr": 0.01, "centered": True, "eps": 1e-3}),
        Run(optim.RMSprop, {"lr": 0.01, "centered": True, "alpha": 0.9, "weight_decay": 0.1}),
        Run(optim.RMSprop, {"lr": 0.002, "centered": True, "momentum": 0.9, "eps": 0.01}),
        Run(optim.RMSprop, {"lr": 0.003, "centered": True, "momentum": 0.5, "eps": 1e-3}),
        Run(optim.RMSprop, {"lr": 0.01, "centered": True, "alpha": 0.95, "eps": 1e-4}),
    ],
    "adagrad": [
        Run(optim.Adagrad, {"lr": 0.1}),
        Run(optim.Adagrad, {"lr": 0.2, "weight_decay": 0.1}),
        Run(optim.Adagrad, {"lr": 0.1, "lr_decay": 0.05}),
        Run(optim.Adagrad, {"lr": 0.3, "initial_accumulator_value": 2.0, "eps": 0.1}),
        Run(optim.Adagrad, {"lr": 0.1, "lr_decay": 0.5, "initial_accumulator_value": 0.1}),
    ],
    "adadelta": [
        Run(optim.Adadelta, {"lr": 1.0}),
        Run(optim.Adadelta, {"lr": 0.5, "rho": 0.5, "weight_decay": 0.1}),
        Run(optim.Adadelta, {"lr": 1.0, "eps": 1e-3}),
        Run(optim.Adadelta, {"lr": 2.0, "rho": 0.99, "foreach": True}),
        Run(optim.Adadelta, {"lr": 0.3, "eps": 0.1, "rho": 0.0}),
    ],
    "adamax": [
        Run(optim.Adamax, {"lr": 0.01}),
        Run(optim.Adamax, {"lr": 0.02, "betas": (0.8, 0.9), "weight_decay": 0.1}),
        Run(optim.Adamax, {"lr": 0.01, "eps": 0.1}),
        Run(optim.Adamax, {"lr": 0.005, "betas": (0.0, 0.5), "foreach": True}),
        Run(optim.Adamax, {"lr": 0.01, "betas": (0.95, 0.0), "eps": 1e-2}),
    ],
    "radam": [
        Run(optim.RAdam, {"lr": 0.01}),
        Run(optim.RAdam, {"lr": 0.02, "weight_decay": 0.1}),
        Run(optim.RAdam, {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-2}),
        Run(optim.RAdam, {"lr": 0.003, "betas": (0.9, 0.5), "weight_decay": 0.1}),
        Run(optim.RAdam, {"lr": 0.01, "weight_decay": 0.2, "decoupled_weight_decay": True}),
    ],
    "rprop": [
        Run(optim.Rprop, {"lr": 0.01}),
        Run(optim.Rprop, {"lr": 0.02, "etas": (0.3, 1.5)}),
        Run(optim.Rprop, {"lr": 0.005, "step_sizes": (0.004, 0.02)}),
        Run(optim.Rprop, {"lr": 0.01, "etas": (0.9, 1.01), "foreach": True}),
        Run(optim.Rprop, {"lr": 0.1, "etas": (0.1, 3.0), "step_sizes": (1e-3, 0.1)}),
    ],
    "asgd": [
        Run(optim.ASGD, {"lr": 0.05}),
        Run(optim.ASGD, {"lr": 0.02, "lambd": 0.1, "weight_decay": 0.1}),
        Run(optim.ASGD, {"lr": 0.05, "t0": 10.0}),
        Run(optim.ASGD, {"lr": 0.05, "t0": 0.0, "lambd": 0.0, "alpha": 0.5}),
        Run(optim.ASGD, {"lr": 0.1, "t0": 50.0, "lambd": 0.5, "alpha": 1.0}),
    ],
    "keras_sgd": [
        Run(KerasSGD, {"lr": 0.05, "momentum": 0.0}),
        Run(KerasSGD, {"lr": 0.01, "momentum": 0.5, "weight_decay": 0.1}),
        Run(KerasSGD, {"lr": 0.02}),
        Run(KerasSGD, {"lr": 0.01, "momentum": 0.8, "nesterov": True}),
        Run(KerasSGD, {"lr": 0.03, "nesterov": True, "weight_decay": 0.02}),
    ],
    "lars": [
        Run(LARS, {"lr": 1.0, "momentum": 0.0, "lr_in_velocity": False, "weight_decay": 0.0}),
        Run(LARS, {"lr": 0.5, "trust_coefficient": 0.01, "lr_in_velocity": False}),
        Run(LARS, {"lr": 0.5, "weight_decay": 0.1, "trust_coefficient": 0.02}),
        Run(LARS, {"lr": 0.2, "momentum": 0.8, "nesterov": True, "eps": 0.1, "weight_decay": 0.05}),
        Run(
            LARS,
            {
                "lr": 0.3,
                "nesterov": True,
                "lr_in_velocity": False,
                "exclude_bias_and_norm": False,
                "weight_decay": 0.1,
                "vectors_decay": 0.2,
                "trust_coefficient": 0.03,
            },
        ),
    ],
    "lamb": [
        Run(LAMB, {"lr": 0.01, "weight_decay": 0.0}),
        Run(LAMB, {"lr": 0.02, "weight_decay": 0.0, "betas": (0.8, 0.9), "phi_upper": 2.0}),
        Run(LAMB, {"lr": 0.01, "weight_decay": 0.3, "bias_correction": False, "eps": 1e-2}),
        Run(LAMB, {"lr": 0.02, "weight_decay": 0.2, "phi_lower": 5.0, "phi_upper": 6.0}),
        Run(LAMB, {"lr": 0.01, "weight_decay": 0.1, "exclude_bias_and_norm": False}),
    ],
    "lion": [
        Run(Lion, {"lr": 0.01}),
        Run(Lion, {"lr": 0.02, "betas": (0.5, 0.5)}),
        Run(Lion, {"lr": 0.01, "betas": (0.95, 0.98), "weight_decay": 0.3}),
        Run(Lion, {"lr": 0.005, "betas": (0.0, 0.9), "weight_decay": 0.1}),
        Run(Lion, {"lr": 0.01, "betas": (0.8, 0.0)}),
    ],
    "adafactor": [
        Run(optim.Adafactor, {"lr": 0.05}),
        Run(optim.Adafactor, {"lr": 0.1, "weight_decay": 0.1, "d": 1.5}),
        Run(optim.Adafactor, {"lr": 0.3, "beta2_decay": -0.5}),
        Run(optim.Adafactor, {"lr": 0.05, "eps": (None, 0.1), "weight_decay": 0.3}),
        Run(optim.Adafactor, {"lr": 1.0, "d": 3.0, "beta2_decay": 0.0}),
    ],
    "muon": [
        Run(Muon, {"lr": 0.02, "weight_decay": 0.0}),
        Run(Muon, {"lr": 0.01, "momentum": 0.5, "weight_decay": 0.1}),
        Run(Muon, {"lr": 0.02, "adamw_lr_ratio": 1.0, "adamw_betas": (0.5, 0.9)}),
        Run(Muon, {"lr": 0.05, "momentum": 0.0, "adamw_eps": 1e-3}),
        Run(Muon, {"lr": 0.02, "adamw_weight_decay": 0.3, "adamw_lr_ratio": 0.5}),
    ],
    "muon_as_adamw": [
        Run(Muon, {"lr": 0.01, "adjust_lr_fn": "match_rms_adamw", "nesterov": False, "ns_steps": 3})
        for _ in range(5)
    ],
    "schedule_free_sgd": [
        Run(ScheduleFreeSGD, {"lr": 0.1}),
        Run(ScheduleFreeSGD, {"lr": 0.05, "weight_decay": 0.1}),
        Run(ScheduleFreeSGD, {"lr": 0.1, "momentum": 0.5, "warmup_steps": 20}),
        Run(ScheduleFreeSGD, {"lr": 0.2, "r": 1.0, "weight_lr_power": 0.0}),
        Run(ScheduleFreeSGD, {"lr": 0.1, "momentum": 0.98, "r": 0.5, "weight_decay": 0.02}),
    ],
    "schedule_free_adamw": [
        Run(ScheduleFreeAdamW, {"lr": 0.01}),
        Run(ScheduleFreeAdamW, {"lr": 0.02, "betas": (0.8, 0.9), "warmup_steps": 7}),
        Run(ScheduleFreeAdamW, {"lr": 0.01, "weight_decay": 0.3}),
        Run(ScheduleFreeAdamW, {"lr": 0.01, "weight_decay": 0.1, "eps": 0.01, "r": 1.0}),
        Run(ScheduleFreeAdamW, {"lr": 0.005, "betas": (0.5, 0.0), "weight_lr_power": 1.0}),
    ],
    "signsgd": [
        Run(SignSGD, {"lr": 0.01}),
        Run(SignSGD, {"lr": 0.02, "weight_decay": 1.0}),
        Run(SignSGD, {"lr": 0.01, "momentum": 0.9}),
        Run(SignSGD, {"lr": 0.01, "momentum": 0.3, "weight_decay": 0.5}),
        Run(SignSGD, {"lr": 0.005, "momentum": 0.99}),
    ],
}

CASES |= extra_cases()


@pytest.fixture(params=list(CASES))
def runs(request: pytest.FixtureRequest) -> list[Run]:
    return numbered(CASES[request.param])


def with_scheduled_momentum(runs: list[Run]) -> list[Run]:
    """Let it change in every step, and be 0 in two, where buffers stay as they are."""

    def momentum(seed: int, step: int) -> float:
        return 0.0 if step in stopped else 0.5 + 0.4 * math.sin(step / 7 + seed)

    # What averages by its momentum can have none.
    stopped = () if issubclass(runs[0].make, ScheduleFree) else (7, 50)  # pyright: ignore
    return [replace(run, momentum=lambda s, i=run.seed: momentum(i, s)) for run in runs]


def test_every_rule_is_chosen_and_every_choice_has_cases():
    found = set()
    for module in pkgutil.iter_modules(rules.__path__, rules.__name__ + "."):
        members = vars(importlib.import_module(module.name)).values()
        classes = {m for m in members if inspect.isclass(m) and m.__module__ == module.name}
        found |= {c for c in classes if issubclass(c, Rule) and not inspect.isabstract(c)}
    assert found == {*RULES.values(), *EXTRA.values()}
    tried = {kind_of(run.make) for runs in CASES.values() for run in runs}
    extra = EXTRA.values() if extra_cases() else ()
    one_by_one = {r for r in (*RULES.values(), *extra) if r.update_all is Rule.update_all}
    assert tried == one_by_one
    assert {*RULES} - {run.make for runs in CASES.values() for run in runs} == {SWATS}
    assert all(len(runs) == 5 for runs in CASES.values())


@pytest.mark.parametrize("scheduled", [False, True], ids=["constant", "scheduled momentum"])
def test_runs_end_where_their_optimizers_do(runs: list[Run], scheduled: bool):
    runs = with_scheduled_momentum(runs) if scheduled else runs
    for run, end in zip(runs, stacked(runs), strict=True):
        expected = alone(run)
        moved = [
            float((a - b).abs().max()) for a, b in zip(end.weights, run.weights(), strict=True)
        ]
        assert min(moved) > 1e-3
        assert largest_gap(end, expected) < 1e-12, run


def test_float32_runs_end_where_their_optimizers_do(runs: list[Run]):
    for run, end in zip(runs, stacked(runs, torch.float32), strict=True):
        # Nothing of ``v - m²`` but rounding may be left under the root of the centered rule.
        within = 1e-4 if run.settings.get("centered") else 1e-5
        assert largest_gap(end, alone(run, torch.float32), state=False) < within, run


def test_vmap_over_the_runs_is_the_call_on_the_stack(runs: list[Run]):
    kind = kind_of(runs[0].make)  # pyright: ignore[reportArgumentType]
    if kind is None or kind.by_shape:
        return  # they are written for stacks only
    for end, expected in zip(stacked(runs, vmapped=True), stacked(runs), strict=True):
        assert largest_gap(end, expected) < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neighbours_change_no_bit(runs: list[Run], dtype: torch.dtype):
    together = stacked(runs, dtype)
    apart = stacked(runs[:2], dtype) + stacked(runs[2:], dtype)
    assert all(map(same_bits, together, apart))
    other_way_round = stacked(runs[::-1], dtype)[::-1]
    assert all(map(same_bits, together, other_way_round))


@pytest.mark.parametrize("scheduled", [False, True], ids=["constant", "scheduled momentum"])
def test_sizes_of_blocks_change_no_bit(runs: list[Run], scheduled: bool):
    runs = with_scheduled_momentum(runs) if scheduled else runs
    for some in (runs, runs[2:]):
        assert all(map(same_bits, stacked(some), stacked(some, blocks=(1, 7, 92))))


def test_the_velocity_of_sgd_begins_with_the_first_momentum():
    late = replace(CASES["sgd"][3], seed=0, momentum=lambda step: 0.9 * (step > 2))
    runs = [late, replace(CASES["sgd"][2], seed=1)]
    for blocks in ((STEPS,), (2, 3, 95), [1] * STEPS):
        for run, end in zip(runs, stacked(runs, blocks=blocks), strict=True):
            assert largest_gap(end, alone(run)) < 1e-12


def test_mu_products_follow_the_default_type_of_torch():
    runs = numbered(CASES["nadam"][:2])
    torch.set_default_dtype(torch.float64)
    try:
        for run, end in zip(runs, stacked(runs), strict=True):
            assert largest_gap(end, alone(run)) < 1e-12
    finally:
        torch.set_default_dtype(torch.float32)
