"""Weight decay under μP: lr · weight_decay is the same at every width, as in the package mup."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.test_parametrization import copied, losses, of_widths, steps_of
from sgdlab.config.run_id import run_id
from sgdlab.errors import InputError
from sgdlab.training.build import build_run
from trainer_runs import built, config_of

LR, DECAY, STEPS, BASE = 0.01, 0.3, 30, 64

Step = Callable[[Tensor, Tensor, dict[str, Tensor], float, float, int], None]


def adamw(w: Tensor, g: Tensor, state: dict[str, Tensor], lr: float, wd: float, t: int) -> None:
    """One step of AdamW (Loshchilov and Hutter 2019), in place."""
    m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
    v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * g**2
    w -= lr * wd * w
    w -= lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)


def nesterov(w: Tensor, g: Tensor, state: dict[str, Tensor], lr: float, wd: float, t: int) -> None:
    """One step of Nesterov's momentum in torch's form, decay coupled, in place."""
    g = g + wd * w
    v = state["v"] = 0.9 * state.get("v", 0) + g
    w -= lr * (g + 0.9 * v)


def authors_factor(name: str, p: Tensor, rule: Step) -> float:
    """Return ``width_mult`` or its ratio, by which MuAdamW and MuSGD multiply lr and divide wd."""
    layer, is_weight = int(name.split(".")[0]), name.endswith("weight")
    fan_out = p.shape[0] / BASE if layer < 5 else 1.0
    fan_in = p.shape[1] / BASE if is_weight and layer > 1 else 1.0
    if rule is adamw:
        return 1 / fan_in if layer == 3 and is_weight else 1.0
    if layer == 5:
        return fan_in
    return fan_out / fan_in


@pytest.mark.parametrize("width", [64, 256])
@pytest.mark.parametrize("rule", [adamw, nesterov])
def test_thirty_steps_are_those_of_the_authors_rule(rule: Step, width: int) -> None:
    run = built(
        f"optimizer={rule.__name__}", f"optimizer.weight_decay={DECAY}", f"lr={LR}",
        "parametrization=mup", f"model.hidden=[{width},{width}]", f"max_steps={STEPS}",
        "dtype=float64", "schedule=constant", "batch_size=full", "decay.bias_and_norm=true",
        "eval.every=100",
    )  # fmt: skip
    x, y = run.data.train
    weights = {n: p.detach().clone() for n, p in run.model.named_parameters()}
    states: dict[str, dict[str, Tensor]] = {name: {} for name in weights}
    expected = []
    for t in range(1, STEPS + 1):
        leaves = {name: w.clone().requires_grad_() for name, w in weights.items()}
        loss = run.objective.loss(torch.func.functional_call(run.model, leaves, (x,)), y)
        expected.append(loss.item())
        for (name, w), g in zip(
            weights.items(), torch.autograd.grad(loss, list(leaves.values())), strict=True
        ):
            factor = authors_factor(name, w, rule)
            rule(w, g, states[name], LR * factor, DECAY / factor, t)
    assert losses(run) == pytest.approx(expected, rel=1e-12)
    for name, p in run.model.named_parameters():
        torch.testing.assert_close(p.detach(), weights[name], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("optimizer", "decay"), [("adamw", 2.0), ("nesterov", 0.02), ("sgd", 0.02), ("lion", 2.0)]
)
@pytest.mark.parametrize("mode", ["null", "decoupled", "independent"])
def test_a_network_of_copied_units_decays_like_the_narrow_one(
    optimizer: str, decay: float, mode: str
) -> None:
    decay = decay / 100 if mode == "independent" else decay
    without = [o for o in steps_of(optimizer) if "weight_decay" not in o]
    settings = [*without, f"optimizer.weight_decay={decay}", f"decay.mode={mode}"]
    narrow, wide = copied("mup", *settings)
    expected = losses(narrow)
    assert expected != pytest.approx(losses(copied("mup", *steps_of(optimizer))[0]), rel=1e-3)
    assert losses(wide) == pytest.approx(expected, rel=1e-9)


def test_independent_decay_and_the_authors_rule_agree_at_a_constant_rate() -> None:
    common = [
        "optimizer=adamw", "parametrization=mup", f"lr={LR}", "max_steps=20", "dtype=float64",
        "schedule=constant",
    ]  # fmt: skip
    independent = ["decay.mode=independent", f"optimizer.weight_decay={LR * DECAY}"]
    (own,) = of_widths([256, 128], overrides=[*common, f"optimizer.weight_decay={DECAY}"])
    (free,) = of_widths([256, 128], overrides=[*common, *independent])
    assert losses(own) == pytest.approx(losses(free), rel=1e-12)


def test_factors_of_the_users_still_multiply_the_decay_and_frozen_layers_are_left_out() -> None:
    run = built(
        "optimizer=sgd", "optimizer.weight_decay=0.1", "parametrization=mup",
        "model.hidden=[256,64]", "decay.multipliers={1.*:10}", "lr_multipliers={1.*:3}",
    )  # fmt: skip
    found = {
        p: (g["weight_decay"], g.get("lr_multiplier", 1.0))
        for g in run.optimizer.param_groups
        for p in g["params"]
    }
    weights = dict(run.model.named_parameters())
    assert found[weights["1.weight"]] == pytest.approx((0.1 * 10 / 4, 3 * 4))
    assert found[weights["3.weight"]] == pytest.approx((0.1 * 4, 1 / 4))
    assert found[weights["1.bias"]] == pytest.approx((0.0, 3 * 4))


def test_only_runs_whose_numbers_changed_have_another_id() -> None:
    """Ids as version 0.1 gave them to the same commands, on CPU."""

    def of(*overrides: str) -> str:
        return run_id(config_of("device=cpu", "optimizer=adamw", *overrides))

    mup = "parametrization=mup"
    assert of() == "r32abc63ee"
    assert of(mup, "optimizer.weight_decay=0.0") == "r78f17507a"
    assert of(mup, "decay.mode=independent") == "r5a10e8882"
    assert of(mup) not in ("r6fb9e0f9e", of())


def test_an_optimizer_whose_decay_is_not_known_is_refused_in_one_line() -> None:
    config = config_of("optimizer=adamw", "parametrization=mup")
    config.optimizer["_target_"] = "torch.optim.adamw.AdamW"
    config.optimizer["_traits_"] = {"family": "adam"}
    with pytest.raises(InputError, match=r"mup: whether AdamW multiplies weight_decay by lr is"):
        build_run(config)
    config.optimizer["weight_decay"] = 0.0
    build_run(config)
