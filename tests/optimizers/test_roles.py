"""Which layer is the output layer: by the way through the model, not by shape or order."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from sgdlab.optimizers.lamb import LAMB
from sgdlab.optimizers.lars import LARS
from sgdlab.optimizers.muon import Muon
from sgdlab.optimizers.roles import roles_of
from sgdlab.training.build import build_run
from sgdlab.training.build_optimizer import optimizer_of
from trainer_runs import built, config_of


class HeadFirst(nn.Module):
    """Registered before what it follows, and scaled after it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 3)
        self.scale = nn.Parameter(torch.ones(2, 3))
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8, bias=False))
        self.register_buffer("seen", torch.zeros(()))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen += len(x)
        return self.head(self.body(x) * torch.rand(())) * self.scale


class Language(nn.Module):
    def __init__(self, head: str) -> None:
        super().__init__()
        self.embed, self.positions = nn.Embedding(7, 8), nn.Embedding(5, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 7, bias=False) if head != "none" else None
        if head == "tied":
            self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.block(self.embed(tokens) + self.positions(torch.arange(5)))
        return self.head(h) if self.head else h @ self.embed.weight.T


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean, self.spread, self.body = nn.Linear(6, 2), nn.Linear(6, 1), nn.Linear(4, 6)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = torch.relu(self.body(x))
        return {"mean": self.mean(h), "spread": self.spread(h).exp()}


class Sequence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = weight_norm(nn.Linear(6, 2))
        self.lstm = nn.LSTM(4, 6, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.lstm(x[:, None])[0][:, -1])


X, TOKENS = torch.rand(1, 4), torch.zeros(1, 5, dtype=torch.long)


def of_role(model: nn.Module, role: str, x: Tensor | None = X) -> list[str]:
    return [name for name, own in roles_of(model, x).items() if own == role]


def test_the_output_layer_is_the_last_on_the_way_through_the_model() -> None:
    assert of_role(HeadFirst(), "output") == ["scale", "head.weight"]
    assert of_role(HeadFirst(), "hidden") == ["body.0.weight", "body.2.weight"]
    assert of_role(TwoHeads(), "output") == ["mean.weight", "spread.weight"]
    assert of_role(Sequence(), "output") == ["out.parametrizations.weight.original1"]
    assert len(of_role(Sequence(), "hidden")) == 4
    convolutional = nn.Sequential(nn.Conv1d(1, 3, 2), nn.ReLU(), nn.Conv1d(3, 2, 1), nn.Flatten())
    assert of_role(convolutional, "output", X[:, None]) == ["2.weight"]


@pytest.mark.parametrize("head", ["own", "tied", "none"])
def test_embeddings_are_no_hidden_matrices_and_tied_ones_are_the_output(head: str) -> None:
    model = Language(head)
    assert of_role(model, "embedding", TOKENS) == ["embed.weight", "positions.weight"]
    assert of_role(model, "output", TOKENS) == ["head.weight"] * (head == "own")
    assert of_role(model, "hidden", TOKENS) == [
        f"block.{name}.weight" if "in_" not in name else f"block.{name}"
        for name in ("self_attn.in_proj_weight", "self_attn.out_proj", "linear1", "linear2")
    ]


def test_looking_at_a_model_leaves_it_as_it_was() -> None:
    model = HeadFirst().train()
    before, drawn = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    roles_of(model, X)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert (model.calls, model.training, model.body.training) == (0, True, True)
    assert torch.equal(torch.get_rng_state(), drawn)


def test_where_no_pass_can_be_made_the_last_weight_is_the_output_layer() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm([6]), nn.Linear(6, 2), nn.PReLU(2))
    for x in (None, torch.rand(1, 99)):
        assert of_role(model, "output", x) == ["2.weight"]


def muons(*overrides: str) -> list[str]:
    """Return the names of the parameters that Muon orthogonalises."""
    run = built("optimizer=muon", "model.batch_norm=true", *overrides)
    names = {p: name for name, p in run.model.named_parameters()}
    return [names[p] for g in run.optimizer.param_groups if g["use_muon"] for p in g["params"]]


@pytest.mark.parametrize(
    "overrides",
    [
        ["lr_multipliers={4.weight:0.999}"],
        ["lr_multipliers={7.weight:2,1.weight:0.5}"],
        ["decay.multipliers={4.*:0.5}"],
        ["decay.multipliers={1.*:0,7.*:3}", "lr_multipliers={*.bias:2}"],
        ["decay.bias_and_norm=true"],
    ],
)
def test_multipliers_move_no_layer(overrides: list[str]) -> None:
    assert sorted(muons(*overrides)) == muons() == ["1.weight", "4.weight"]


def test_freezing_moves_no_layer() -> None:
    run = built("optimizer=muon")
    run.model[5].weight.requires_grad_(False)
    optimizer = optimizer_of(run.config, run.model, run.lr, x=run.data.train.x[:1])
    chosen = {p for g in optimizer.param_groups if g["use_muon"] for p in g["params"]}
    assert chosen == {run.model[1].weight, run.model[3].weight}


def test_only_optimizers_that_ask_are_told_the_roles() -> None:
    assert "roles" not in built("optimizer=adamw").optimizer.param_groups[0]
    groups = built("optimizer=lamb", "model.batch_norm=true").optimizer.param_groups
    assert [group["roles"] for group in groups] == [
        ["hidden", "hidden", "output"], [*["bias", "norm", "norm"] * 2, "bias"],
    ]  # fmt: skip


class Asks(torch.optim.SGD):
    """An optimizer of the user's own, which reads the roles."""


def test_an_optimizer_of_the_users_gets_them_by_its_trait() -> None:
    config = config_of("optimizer=sgd")
    config.optimizer["_target_"] = f"{__name__}.Asks"
    for told in ({}, {"roles": False}, {"roles": True}):
        config.optimizer["_traits_"] = told
        groups = build_run(config).optimizer.param_groups
        assert ("roles" in groups[0]) is bool(told.get("roles"))
    assert groups[0]["roles"] == ["hidden", "hidden", "output"]


@pytest.mark.parametrize("rule", [LARS, LAMB])
def test_the_ratio_is_left_out_by_role_and_without_roles_by_shape(rule: Any) -> None:
    """A scale [2, 2] of a norm moves as with no ratio at all; a vector that is none does not."""

    def moved(p: Tensor, **group: Any) -> Tensor:
        w = nn.Parameter(p.clone())
        optimizer = rule([{"params": [w], **group}])
        w.grad = torch.ones_like(w)
        optimizer.step()
        return w.detach() - p

    matrix, vector = torch.full((2, 2), 3.0), torch.full((4,), 3.0)
    plain = moved(matrix, exclude_bias_and_norm=False)
    assert torch.equal(moved(matrix, roles=["hidden"]), plain)
    assert torch.equal(moved(matrix), plain)
    assert not torch.allclose(moved(matrix, roles=["norm"]), plain)
    assert torch.equal(moved(matrix, roles=["norm"]).flatten(), moved(vector))
    assert torch.equal(moved(vector, roles=["magnitude"]), plain.flatten())


def test_muon_without_roles_goes_by_shape_and_order_and_with_them_by_these() -> None:
    a, b = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    by_order = Muon([a, b])
    assert [g["params"] for g in by_order.param_groups if g["use_muon"]] == [[a]]
    by_role = Muon([{"params": [a, b], "roles": ["output", "hidden"]}])
    assert [g["params"] for g in by_role.param_groups if g["use_muon"]] == [[b]]
    assert all("roles" not in g for g in by_role.param_groups)
