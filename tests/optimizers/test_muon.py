"""Muon against torch's Muon and AdamW run separately, and against singular values by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import AdamW
from trajectories import STEPS, Quadratic, run, scheduled, state_bytes

from sgdlab.errors import InputError
from sgdlab.models.linear import Linear
from sgdlab.optimizers.groups import parameter_groups
from sgdlab.optimizers.muon import Muon, orthogonalized
from trainer_runs import built

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
# Weight and bias of two hidden layers and an output layer.
SHAPES = ((6, 4), (6,), (5, 6), (5,), (3, 5), (3,))
RATIO = 0.1


def layered(shapes: tuple[tuple[int, ...], ...] = SHAPES) -> list[nn.Parameter]:
    return Quadratic(shapes).parameters()


def grouped(params: list[nn.Parameter]) -> list[dict[str, Any]]:
    return [
        {"params": [p for p in params if p.ndim > 1]},
        {"params": [p for p in params if p.ndim <= 1], "weight_decay": 0.0},
    ]


def kinds(optimizer: Muon) -> dict[bool, list[nn.Parameter]]:
    return {
        kind: [p for g in optimizer.param_groups if g["use_muon"] is kind for p in g["params"]]
        for kind in (True, False)
    }


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
def test_a_hundred_steps_equal_torchs_muon_and_adamw_run_separately(
    nesterov: bool, adjust: str
) -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon")
    ours, theirs = layered(), layered()
    options = {"momentum": 0.9, "nesterov": nesterov, "adjust_lr_fn": adjust}
    optimizer = Muon(grouped(ours), weight_decay=0.3, adamw_lr_ratio=RATIO, **options)

    w1, b1, w2, b2, w3, b3 = theirs
    muon = torch.optim.Muon([w1, w2], weight_decay=0.3, **options)
    rest = [{"params": [w3]}, {"params": [b1, b2, b3], "weight_decay": 0.0}]
    adamw = AdamW(rest, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.3)

    run(optimizer, ours, scheduled(0.02))
    problem = Quadratic(SHAPES)
    for step, lr in enumerate(scheduled(0.02), 1):
        problem.fill(theirs, step)
        muon.param_groups[0]["lr"] = lr
        for group in adamw.param_groups:
            group["lr"] = lr * RATIO
        muon.step()
        adamw.step()
    for p, q in zip(ours, theirs, strict=True):
        assert (p - q).abs().max() < 1e-10


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5), (1, 6)])
def test_orthogonalisation_maps_the_singular_values_by_the_polynomial(
    shape: tuple[int, int],
) -> None:
    """By an exact decomposition in float64; the product is as good as bfloat16 allows."""
    m = np.random.default_rng(0).normal(size=shape)
    u, s, vt = np.linalg.svd(m, full_matrices=False)
    s = s / np.linalg.norm(s)
    a, b, c = COEFFICIENTS
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    assert s.min() > 0.6
    assert s.max() < 1.3
    found = orthogonalized(torch.tensor(m), COEFFICIENTS, 5, 1e-7).double().numpy()
    np.testing.assert_allclose(found, u @ np.diag(s) @ vt, atol=0.03)


def test_a_zero_gradient_is_no_division_by_zero() -> None:
    zero = orthogonalized(torch.zeros(3, 4), COEFFICIENTS, 5, 1e-7)
    assert torch.equal(zero.float(), torch.zeros(3, 4))


@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
def test_kernels_of_convolutions_are_treated_as_matrices(adjust: str) -> None:
    """A kernel [out, in, h, w] moves like the parameter [out, in*h*w]."""
    shapes = ((8, 2, 2, 1), (3, 5)), ((8, 4), (3, 5))
    kernel, matrix = (layered(s) for s in shapes)
    for params in (kernel, matrix):
        run(Muon(params, adjust_lr_fn=adjust), params, scheduled(0.02))
    assert torch.equal(kernel[0].flatten(1), matrix[0])
    start = layered(shapes[1])[0]
    assert (matrix[0] - start).abs().max() > 0.1


def test_a_kernel_in_channels_last_moves_like_any_other() -> None:
    ends = []
    for memory in (torch.contiguous_format, torch.channels_last):
        kernel, last = layered(((4, 3, 3, 2), (2, 3)))
        kernel = nn.Parameter(kernel.detach().to(memory_format=memory))
        run(Muon([kernel, last]), [kernel, last], [0.02] * 5)
        ends.append(kernel.detach())
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=1e-3)


def test_a_square_matrix_moves_by_lr_times_an_orthogonal_one() -> None:
    """All singular values of an update lie near lr, whatever the gradient's scale."""
    p, last = layered(((5, 5), (2, 2)))
    before = p.detach().clone()
    optimizer = Muon([p, last], lr=0.1, weight_decay=0.0)
    p.grad = 1e6 * torch.randn(5, 5, dtype=torch.float64, generator=torch.manual_seed(0))
    optimizer.step()
    moves = torch.linalg.svdvals(p.detach() - before)
    assert 0.06 < moves.min() < moves.max() < 0.13
    assert last.grad is None


# Which parameters are whose


def test_hidden_matrices_are_muons_and_biases_norms_and_the_output_layer_adamws() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)
    )
    found = kinds(Muon(parameter_groups(model, weight_decay=0.01)))
    names = {p: name for name, p in model.named_parameters()}
    assert [names[p] for p in found[True]] == ["0.weight", "2.weight"]
    assert sorted(names[p] for p in found[False]) == [
        "0.bias", "1.bias", "1.weight", "2.bias", "4.bias", "4.weight",
    ]  # fmt: skip


def test_a_linear_model_has_no_matrix_for_muon_and_trains_with_adamw() -> None:
    model = Linear(input_shape=(4,), num_outputs=3).double()
    twin = Linear(input_shape=(4,), num_outputs=3).double()
    twin.load_state_dict(model.state_dict())
    optimizer = Muon(parameter_groups(model, weight_decay=0.1), lr=0.5, weight_decay=0.1)
    adamw = AdamW(
        parameter_groups(twin, weight_decay=0.1),
        lr=0.5 * 0.015,
        betas=(0.9, 0.95),
        eps=1e-10,
        weight_decay=0.1,
    )
    assert kinds(optimizer)[True] == []
    for step in range(20):
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            p.grad = torch.sin(torch.arange(p.numel()) + step).reshape(p.shape).double()
            q.grad = p.grad.clone()
        optimizer.step()
        adamw.step()
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_groups_keep_their_decay_and_multipliers_multiply() -> None:
    w1, b1, w2, _, w3, _ = layered()
    groups = [
        {"params": [w1, w3], "lr_multiplier": 2.0},
        {"params": [w2], "weight_decay": 0.7},
        {"params": [b1], "weight_decay": 0.0},
    ]
    optimizer = Muon(groups, lr=0.04, weight_decay=0.1, adamw_lr_ratio=0.25)
    found = [
        (g["use_muon"], g["params"], g["weight_decay"], g.get("lr_multiplier"), g["lr"])
        for g in optimizer.param_groups
    ]
    # w2 stands last, so it is taken for the output layer.
    assert found == [
        (True, [w1, w3], 0.1, 2.0, 0.04),
        (False, [w2], 0.7, 0.25, 0.01),
        (False, [b1], 0.0, 0.25, 0.01),
    ]
    assert groups[0] == {"params": [w1, w3], "lr_multiplier": 2.0}
    mixed = Muon([{"params": [w1, b1, w2], "lr_multiplier": 2.0}], adamw_lr_ratio=0.25)
    assert [g["lr_multiplier"] for g in mixed.param_groups] == [2.0, 0.5]


def test_each_part_has_a_decay_of_its_own() -> None:
    """Muon's part by the formula of a step, the rest by torch's AdamW."""
    ours, theirs = layered(), layered()
    optimizer = Muon(grouped(ours), 0.05, weight_decay=0.4, adamw_weight_decay=0.1)
    w1, b1, w2, b2, w3, b3 = theirs
    rest = [{"params": [w3]}, {"params": [b1, b2, b3], "weight_decay": 0.0}]
    adamw = AdamW(rest, 0.05 * 0.015, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.1)
    buffers = {w: torch.zeros_like(w) for w in (w1, w2)}
    problem = Quadratic(SHAPES)
    for step in range(1, 11):
        problem.fill(ours, step)
        problem.fill(theirs, step)
        optimizer.step()
        adamw.step()
        for w, buffer in buffers.items():
            buffer.mul_(0.95).add_(w.grad, alpha=0.05)
            x = (0.95 * buffer + 0.05 * w.grad).bfloat16()
            x = x / x.norm()
            for _ in range(5):
                gram = x.T @ x
                a, b, c = COEFFICIENTS
                x = a * x + x @ (b * gram + c * gram @ gram)
            scale = math.sqrt(max(1.0, w.shape[0] / w.shape[1]))
            w.data = (1 - 0.05 * 0.4) * w - 0.05 * scale * x
    for p, q in zip((ours[1], *ours[3:]), (b1, b2, w3, b3), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)
    for p, q in zip((ours[0], ours[2]), (w1, w2), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=0.02)  # ten products in bfloat16
    mixed = Muon([{"params": [ours[0], ours[4]], "weight_decay": 0.2}], weight_decay=0.4,
                 adamw_weight_decay=0.1)  # fmt: skip
    assert [g["weight_decay"] for g in mixed.param_groups] == [0.2, 0.05]


SPLITS = {
    "dataset=text model=gpt": {"embedding.weight", "positions.weight"},
    "dataset=text model=gpt model.tied=false":
        {"embedding.weight", "positions.weight", "head.weight"},
    "dataset=text model=lstm": {"embedding.weight", "head.weight"},
    "dataset=images_synthetic model=resnet18 model.width=2": {"fc.weight"},
    "dataset=images_synthetic model=vit": {"class_token", "position_embedding", "head.weight"},
    "dataset=images_synthetic model=airbench": {"head.weight"},
    "dataset=digits model=cnn": {"classifier.2.weight"},
}  # fmt: skip


@pytest.mark.parametrize(("overrides", "tables"), SPLITS.items(), ids=SPLITS)
def test_embeddings_and_heads_of_shipped_models_are_adamws(
    overrides: str, tables: set[str]
) -> None:
    run = built(*overrides.split(), "optimizer=muon", "device=cpu")
    found = kinds(run.optimizer)  # type: ignore[arg-type]
    names = {p: name for name, p in run.model.named_parameters()}
    assert {names[p] for p in found[False] if p.ndim > 1} == tables
    assert set(found[True]) == {p for p, name in names.items() if p.ndim > 1 and name not in tables}


def test_only_muons_groups_have_its_momentum_and_only_adamws_have_betas() -> None:
    """A schedule of momentum sets `momentum`, or the first of `betas` where there is none."""
    optimizer = Muon(grouped(layered()))
    assert all(("momentum" in g) is g["use_muon"] for g in optimizer.param_groups)
    assert all(("betas" in g) is not g["use_muon"] for g in optimizer.param_groups)


def test_a_plain_list_of_parameters_is_one_group() -> None:
    ours, theirs = layered(), layered()
    run(Muon(iter(ours)), ours, [0.02] * 5)
    run(Muon([{"params": theirs}]), theirs, [0.02] * 5)
    assert all(torch.equal(p, q) for p, q in zip(ours, theirs, strict=True))


# State


def test_state_is_one_copy_for_muon_and_two_and_a_count_for_adamw() -> None:
    params = layered()
    optimizer = Muon(grouped(params))
    run(optimizer, params, [0.02] * 2)
    muon, adamw = 24 + 30, 15 + 6 + 5 + 3
    assert state_bytes(optimizer) == 8 * (muon + 2 * adamw) + 4 * 4
    assert set(optimizer.state) == set(params)


def test_a_run_continued_from_a_state_dict_is_bitwise_the_same() -> None:
    rates = scheduled(0.02)
    whole = layered()
    run(Muon(grouped(whole)), whole, rates)
    first = layered()
    before = Muon(grouped(first))
    run(before, first, rates[:37])
    second = [nn.Parameter(p.detach().clone()) for p in first]
    after = Muon(grouped(second))
    after.load_state_dict(before.state_dict())
    run(after, second, rates[37:STEPS], first=38)
    assert all(torch.equal(p, q) for p, q in zip(whole, second, strict=True))


def test_a_parameter_without_gradient_stays() -> None:
    params = layered()
    before = [p.detach().clone() for p in params]
    optimizer = Muon(params)
    optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    assert not optimizer.state


BAD = [
    ({"lr": -1.0}, "optimizer.lr=-1.0: must be a number from 0"),
    ({"momentum": 1.0}, "optimizer.momentum=1.0: must be a number from 0 to below 1"),
    ({"nesterov": "yes"}, "optimizer.nesterov=yes: must be true or false"),
    ({"weight_decay": -0.1}, "optimizer.weight_decay=-0.1: must be a number from 0"),
    ({"ns_coefficients": [1.0, 2.0]}, "optimizer.ns_coefficients=[1.0, 2.0]: must be 3 numbers"),
    (
        {"ns_coefficients": [-math.inf, 0.0, 0.0]},
        "optimizer.ns_coefficients=[-inf, 0.0, 0.0]: must be 3 numbers",
    ),
    ({"ns_steps": 0}, "optimizer.ns_steps=0: must be a whole number from 1 to 99"),
    ({"ns_steps": 5.0}, "optimizer.ns_steps=5.0: must be a whole number from 1 to 99"),
    ({"eps": 0.0}, "optimizer.eps=0.0: must be a number above 0"),
    (
        {"adjust_lr_fn": "orignal"},
        "optimizer.adjust_lr_fn=orignal: valid: match_rms_adamw, original",
    ),
    ({"adamw_lr_ratio": 0.0}, "optimizer.adamw_lr_ratio=0.0: must be a number above 0"),
    (
        {"adamw_betas": [0.9, 1.0]},
        "optimizer.adamw_betas=[0.9, 1.0]: must be 2 numbers from 0 to below 1",
    ),
    ({"adamw_eps": -math.inf}, "optimizer.adamw_eps=-inf: must be a number from 0"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[m for _, m in BAD])
def test_impossible_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        Muon(layered(), **options)
    assert str(error.value) == message
