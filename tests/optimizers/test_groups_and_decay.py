"""Scope, form and multipliers of weight decay and learning rate, against updates by hand."""

import pytest
import torch
from torch import nn

from sgdlab.errors import InputError
from sgdlab.models.gpt import GPT
from sgdlab.optimizers.decay import decay_of
from sgdlab.optimizers.groups import parameter_groups
from sgdlab.training.build import build_run
from trainer_runs import built, config_of


def a_model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10))


def sizes(groups: list[dict]) -> list[int]:
    return [sum(p.numel() for p in group["params"]) for group in groups]


def test_biases_and_normalisation_are_left_out_of_the_decay() -> None:
    groups = parameter_groups(a_model(), weight_decay=0.1)
    assert sizes(groups) == [4 * 9 + 1440, 4 + 4 + 4 + 10]
    assert "weight_decay" not in groups[0]
    assert groups[1]["weight_decay"] == 0.0


def test_one_group_where_all_decays_or_nothing_does() -> None:
    everything = 36 + 4 + 8 + 1450
    assert sizes(parameter_groups(a_model(), weight_decay=0.1, bias_and_norm=True)) == [everything]
    (group,) = parameter_groups(a_model(), weight_decay=None)
    assert set(group) == {"params"}
    assert len(group["params"]) == 6


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_are_left_out_of_the_decay_on_request(tied: bool) -> None:
    """By their modules: an output layer that is the embedding goes with it, another stays."""
    model = GPT(input_shape=(4,), num_outputs=9, width=6, depth=1, heads=1, tied=tied)
    decayed, exempt = parameter_groups(model, weight_decay=0.1, embeddings=False)
    names = {p: name for name, p in model.named_parameters()}
    found = {names[p] for p in exempt["params"] if p.ndim > 1}
    assert found == {"embedding.weight", "positions.weight"}
    assert exempt["weight_decay"] == 0.0
    assert ("head.weight" in {names[p] for p in decayed["params"]}) is not tied
    only = parameter_groups(model, weight_decay=0.1, bias_and_norm=True, embeddings=False)
    assert {names[p] for p in only[1]["params"]} == found
    run = built("dataset=text", "model=gpt", "model.width=4", "decay.embeddings=false", "lr=0.1")
    exempt = [g for g in run.optimizer.param_groups if g["weight_decay"] == 0.0]
    assert any(p is run.model.embedding.weight for g in exempt for p in g["params"])


def test_frozen_parameters_are_in_no_group() -> None:
    model = a_model()
    model[3].weight.requires_grad_(False)
    groups = parameter_groups(model, weight_decay=0.1)
    assert all(p is not model[3].weight for group in groups for p in group["params"])


def test_multipliers_by_name_multiply() -> None:
    groups = parameter_groups(
        a_model(),
        weight_decay=0.1,
        decay_multipliers={"0.*": 0.5, "*.weight": 4.0},
        lr_multipliers={"*.bias": 2.0, "3.*": 3.0},
        widths={"3.weight": 0.5},
    )
    found = {
        p.shape: (decay_of({"weight_decay": 0.1, **group}), group.get("lr_multiplier", 1.0))
        for group in groups
        for p in group["params"]
    }
    assert found[torch.Size([4, 1, 3, 3])] == (0.2, 1.0)
    assert found[torch.Size([10, 144])] == (0.8, 1.5)  # a width's factor is taken off the decay
    assert found[torch.Size([10])] == (0.0, 6.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr_multipliers": {"*.bais": 2.0}}, r"\*.bais matches no trainable parameter"),
        ({"lr_multipliers": {"*": -1.0}}, r"lr_multipliers.\*=-1.0: must be a number from 0"),
        ({"decay_multipliers": {"*": 2.0}, "weight_decay": None}, "has no weight_decay"),
    ],
)
def test_multipliers_that_mean_nothing_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parameter_groups(a_model(), **{"weight_decay": 0.1, **settings})


PLAIN = ["model=linear", "dtype=float64", "optimizer.weight_decay=0.2", "lr=0.05"]
PLAIN += ["schedule=cosine", "schedule.warmup_epochs=0.0", "max_steps=10", "batch_size=256"]


def weights(*overrides: str) -> torch.Tensor:
    run = built(*PLAIN, *overrides)
    torch.manual_seed(0)
    for step in range(10):
        for p in run.objective.parameters:
            p.grad = torch.randn_like(p)
        for group in run.optimizer.param_groups:
            factor = run.schedule(step, 10, 5)
            group["lr"] = run.lr * factor * group.get("lr_multiplier", 1.0)
        run.optimizer.step()
    return next(iter(run.model.parameters())).detach()


def by_hand(mode: str, rule: type, **settings: object) -> torch.Tensor:
    """The rule of torch without decay, and the decay of the mode written out before it."""
    run = built(*PLAIN)
    w, b = (p.detach().clone().requires_grad_() for p in run.model.parameters())
    optimizer = rule([w, b], lr=0.05, **settings)
    torch.manual_seed(0)
    for step in range(10):
        w.grad, b.grad = torch.randn_like(w), torch.randn_like(b)
        factor = run.schedule(step, 10, 5)
        optimizer.param_groups[0]["lr"] = 0.05 * factor
        with torch.no_grad():
            if mode == "coupled":
                w.grad += 0.2 * w
            elif mode == "decoupled":
                w -= 0.05 * factor * 0.2 * w
            else:
                w -= factor * 0.2 * w
        optimizer.step()
    return w.detach()


@pytest.mark.parametrize("mode", ["coupled", "decoupled", "independent"])
@pytest.mark.parametrize("name", ["momentum", "adam", "adamw"])
def test_the_three_modes(mode: str, name: str) -> None:
    rule = {"momentum": torch.optim.SGD}.get(name, torch.optim.Adam)
    settings = {"momentum": 0.9} if name == "momentum" else {}
    found = weights(f"optimizer={name}", f"decay.mode={mode}")
    torch.testing.assert_close(found, by_hand(mode, rule, **settings), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("name", "mode"), [("momentum", "coupled"), ("adamw", "decoupled")])
def test_the_optimizers_own_mode_is_the_default(name: str, mode: str) -> None:
    settings = [f"optimizer={name}"]
    own, ours = weights(*settings), weights(*settings, f"decay.mode={mode}")
    torch.testing.assert_close(own, ours, rtol=0, atol=1e-14)


def test_independent_decay_does_not_know_multipliers_of_lr() -> None:
    settings = ["optimizer=sgd", "decay.mode=independent"]
    run = build_run(config_of(*PLAIN, *settings, "lr_multipliers={*:3}"))
    w = next(iter(run.model.parameters()))
    before = w.detach().clone()
    run.update.optimizer.param_groups[0]["lr"] = 3 * run.lr
    for p in run.objective.parameters:
        p.grad = torch.zeros_like(p)
    run.optimizer.step()
    torch.testing.assert_close(w.detach(), 0.8 * before)


def test_a_mode_that_the_optimizer_cannot_take_is_refused() -> None:
    with pytest.raises(InputError, match=r"decay.mode=couple: .*coupled"):
        built("decay.mode=couple")
    with pytest.raises(InputError, match=r"decay.mode=coupled: not possible with optimizer=lbfgs"):
        built("optimizer=lbfgs", "decay.mode=coupled")


def test_the_summary_counts_decayed_parameters_in_every_mode() -> None:
    run = built("decay.mode=independent")
    decayed = [g for g in run.optimizer.param_groups if decay_of(g)]
    assert sizes(decayed) == [64 * 64 * 2 + 640]


class DecaysByItself(torch.optim.AdamW):
    """Its YAML may say nothing of the decay of .01 that it takes from torch."""


@pytest.mark.parametrize("told", [{}, {"weight_decay": 0.01}])
def test_a_decay_of_the_constructors_own_leaves_biases_and_norms_out(told: dict) -> None:
    config = config_of("model.batch_norm=true")
    config.optimizer.clear()
    config.optimizer.update({"_target_": f"{__name__}.DecaysByItself", "lr": 0.01, **told})
    optimizer = build_run(config).optimizer
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.01, 0.0]
    assert sizes(optimizer.param_groups)[0] == 64 * 64 * 2 + 640
