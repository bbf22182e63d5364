"""What each parameter is, by the module that it belongs to; its shape is the last resort."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm

from sgdlab.optimizers.groups import parameter_groups
from sgdlab.optimizers.kinds import BIAS_AND_NORM, KINDS, kinds_of


class RMSLike(nn.Module):
    """As many packages write it: a scale of its own over the last axes, [1, 4, 1, 1] here."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, 4, 1, 1))


class LlamaRMSNorm(RMSLike):
    pass


class FilterResponseNorm2d(RMSLike):
    pass


class LayerNorm2d(nn.LayerNorm):
    pass


class NormedLinear(nn.Module):
    """A classifier on normalised features: a weight, whatever its class is called."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 4))


class NormLinear(NormedLinear):
    pass


def kinds(module: nn.Module) -> dict[str, str]:
    found = kinds_of(module)
    assert set(found.values()) <= set(KINDS)
    return found


def test_normalisations_of_any_shape_are_no_weights() -> None:
    for norm in (
        nn.LayerNorm([4, 8, 8]), nn.LayerNorm([2, 3]), LayerNorm2d(4), nn.RMSNorm([4, 5]),
        nn.GroupNorm(2, 4), nn.BatchNorm3d(4), nn.InstanceNorm1d(4, affine=True),
        nn.SyncBatchNorm(4), LlamaRMSNorm(), FilterResponseNorm2d(),
    ):  # fmt: skip
        assert set(kinds(norm).values()) == {"norm"}, norm


def test_a_name_alone_makes_no_norm_of_a_weight() -> None:
    for module in (NormedLinear(), NormLinear(), nn.utils.spectral_norm(nn.Linear(3, 4))):
        assert "norm" not in kinds(module).values()
    assert kinds(RMSLike()) == {"gain": "magnitude"}


def test_biases_are_told_by_name_and_weights_by_module() -> None:
    found = kinds(nn.MultiheadAttention(4, 2, add_bias_kv=True))
    assert {name: kind for name, kind in found.items() if kind == "bias"}.keys() == {
        "in_proj_bias", "bias_k", "bias_v", "out_proj.bias",
    }  # fmt: skip
    assert found["in_proj_weight"] == found["out_proj.weight"] == "weight"
    found = kinds(nn.LSTM(3, 4, proj_size=2))
    assert {name[:6] for name, kind in found.items() if kind == "weight"} == {"weight"}
    assert {name[:4] for name, kind in found.items() if kind == "bias"} == {"bias"}
    assert kinds(nn.Bilinear(2, 3, 4))["weight"] == "weight"
    assert kinds(nn.Conv2d(1, 1, 1)) == {"weight": "weight", "bias": "bias"}
    assert kinds(nn.PReLU(4)) == {"weight": "vector"}


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mixing = nn.Parameter(torch.ones(3, 3))
        self.temperature = nn.Parameter(torch.ones(()))
        self.gamma = nn.Parameter(torch.ones(1, 1, 4))
        self.layer_scale = nn.Parameter(torch.ones(4, 1, 1))
        self.relative_position_bias_table = nn.Parameter(torch.ones(9, 2))
        self.pos_embed = nn.Parameter(torch.ones(1, 5, 4))
        self.biases = nn.ParameterList([torch.ones(2, 2)])
        self.experts = nn.ParameterDict({"first": torch.ones(2, 2)})


def test_what_belongs_to_a_module_of_ones_own_is_told_by_name_then_by_shape() -> None:
    assert kinds(Own()) == {
        "mixing": "weight", "temperature": "vector", "gamma": "norm", "layer_scale": "magnitude",
        "relative_position_bias_table": "bias", "pos_embed": "embedding", "biases.0": "bias",
        "experts.first": "weight",
    }  # fmt: skip


def test_what_makes_up_a_weight_is_a_weight() -> None:
    direction = "parametrizations.weight.original1"
    found = kinds(weight_norm(nn.Linear(3, 4)))
    assert found["parametrizations.weight.original0"] == "magnitude"
    assert found[direction] == "weight"
    assert kinds(weight_norm(nn.Linear(1, 4)))[direction] == "weight"
    for made in (spectral_norm(nn.Conv2d(3, 4, 3)), orthogonal(nn.Linear(3, 3))):
        assert kinds(made)["parametrizations.weight.original"] == "weight"
    assert kinds(weight_norm(nn.LayerNorm([4, 4]), dim=0))[direction] == "norm"


def test_shared_parameters_are_one_and_go_by_each_name() -> None:
    model = nn.ModuleDict({"embed": nn.Embedding(5, 4), "head": nn.Linear(4, 5, bias=False)})
    model["head"].weight = model["embed"].weight
    assert kinds(model) == {"embed.weight": "embedding"}
    for pattern in ("embed.*", "head.weight", "*.weight"):
        (group,) = parameter_groups(
            model, weight_decay=0.1, decay_multipliers={pattern: 0.5}, lr_multipliers={pattern: 3.0}
        )
        assert (group["weight_decay"], group["lr_multiplier"]) == (0.05, 3.0)
        assert [p.shape for p in group["params"]] == [(5, 4)]


def test_decay_leaves_norms_and_biases_out_whatever_their_shape() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.LayerNorm([4, 8, 8]), LlamaRMSNorm(), nn.Flatten(),
        weight_norm(nn.Linear(256, 10)), nn.Embedding(3, 2),
    )  # fmt: skip
    decayed, exempt = parameter_groups(model, weight_decay=0.1)
    assert sum(p.numel() for p in decayed["params"]) == 36 + (10 + 2560) + 6
    assert sum(p.numel() for p in exempt["params"]) == 4 + 512 + 4 + 10
    assert exempt["weight_decay"] == 0.0
    (everything,) = parameter_groups(model, weight_decay=0.1, bias_and_norm=True)
    assert len(everything["params"]) == len(list(model.parameters()))
    assert set(BIAS_AND_NORM) < set(KINDS)
