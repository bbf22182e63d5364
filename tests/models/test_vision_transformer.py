"""The Vision Transformer against torch's own encoder layer, with the same weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sgdlab.errors import InputError
from sgdlab.models.vision_block import VisionBlock
from sgdlab.models.vit import VisionTransformer
from trainer_runs import built

SIZES: dict[str, Any] = {"input_shape": (2, 8, 12), "num_outputs": 3, "width": 16, "depth": 2}


def vit(**settings: Any) -> VisionTransformer:
    torch.manual_seed(0)
    model = VisionTransformer(**SIZES | settings).double()
    with torch.no_grad():  # no bias is 0 and no scale is 1, so that each counts
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
    return model


def torchs(block: VisionBlock) -> nn.TransformerEncoderLayer:
    """Return torch's layer with the weights of a block, which it keeps as its own parameters."""
    width, heads = block.norm1.weight.numel(), block.attention.heads
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    attention, first, last = block.attention, block.mlp[0], block.mlp[2]
    layer.norm1, layer.norm2 = block.norm1, block.norm2
    layer.self_attn.in_proj_weight = attention.qkv.weight
    layer.self_attn.in_proj_bias = attention.qkv.bias
    layer.self_attn.out_proj.weight, layer.self_attn.out_proj.bias = attention.out.parameters()
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    layer.linear1, layer.linear2 = first, last
    return layer


@pytest.mark.parametrize("heads", [1, 4])
def test_a_block_is_torchs_encoder_layer(heads: int) -> None:
    block = vit(heads=heads).blocks[0]
    assert isinstance(block, VisionBlock)
    x = torch.randn(5, 7, 16, dtype=torch.float64)
    weights = list(block.parameters())
    outputs = [module(x) for module in (block, torchs(block))]
    torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-12)
    own, other = (torch.autograd.grad(output.sin().sum(), weights) for output in outputs)
    for p, q in zip(own, other, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("pool", ["token", "mean"])
def test_the_model_is_its_formula(pool: str) -> None:
    model = vit(pool=pool)
    x = torch.randn(5, 2, 8, 12, dtype=torch.float64)
    cut = x.reshape(5, 2, 2, 4, 3, 4).permute(0, 2, 4, 1, 3, 5).reshape(5, 6, 32)
    h: Tensor = cut @ model.patches.weight.reshape(16, 32).T + model.patches.bias
    if pool == "token":
        h = torch.cat([model.class_token.repeat(5, 1, 1), h], 1)
    h = h + model.position_embedding
    for block in model.blocks:
        assert isinstance(block, VisionBlock)
        h = torchs(block)(h)
    centred = h - h.mean(-1, keepdim=True)
    h = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    h = h * model.norm.weight + model.norm.bias
    read = h[:, 0] if pool == "token" else h.sum(1) / 6
    expected = read @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-10)


def test_without_positions_the_order_of_patches_does_not_matter() -> None:
    model = vit(pool="mean")
    x = torch.randn(3, 2, 8, 12, dtype=torch.float64)
    moved = torch.cat([x[..., 4:], x[..., :4]], -1)
    assert not torch.allclose(model(x), model(moved))
    with torch.no_grad():
        model.position_embedding.zero_()
    torch.testing.assert_close(model(x), model(moved), rtol=1e-10, atol=1e-10)


def test_number_of_parameters_is_that_of_vit_base() -> None:
    with torch.device("meta"):
        model = VisionTransformer(
            input_shape=(3, 224, 224), num_outputs=1000, patch=16, width=768, depth=12, heads=12
        )
    assert sum(p.numel() for p in model.parameters()) == 86_567_656  # torchvision's vit_b_16


def test_initial_weights_have_the_documented_spread() -> None:
    torch.manual_seed(0)
    model = VisionTransformer(input_shape=(1, 32, 32), num_outputs=2, width=128, depth=1)
    block = model.blocks[0]
    assert isinstance(block, VisionBlock)
    weight = block.attention.qkv.weight.detach()
    assert float(weight.std()) == pytest.approx((2 / (128 + 3 * 128)) ** 0.5, rel=0.02)
    assert float(weight.abs().max()) <= (6 / (128 + 3 * 128)) ** 0.5
    assert float(model.position_embedding.detach().std()) == pytest.approx(0.02, rel=0.05)
    assert not block.attention.qkv.bias.any()
    assert not model.class_token.any()


def test_dropout_acts_in_training_only() -> None:
    model = vit(dropout=0.5)
    x = torch.randn(3, 2, 8, 12, dtype=torch.float64)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"input_shape": (30,)}, "model=vit needs images"),
        ({"patch": 5}, "model.patch=5: must divide the height 8 and the width 12"),
        ({"patch": 0}, "model.patch=0"),
        ({"heads": 3}, "model.heads=3: must divide model.width=16"),
        ({"depth": 0}, "model.depth=0: must be a whole number from 1"),
        ({"pool": "max"}, "model.pool=max"),
        ({"dropout": 1.0}, "model.dropout=1.0"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        VisionTransformer(**SIZES | settings)


def test_muon_takes_the_matrices_of_blocks_and_patches() -> None:
    run = built("dataset=digits", "optimizer=muon", "model=vit", "model.width=8", "model.depth=1")
    names = {p: name for name, p in run.model.named_parameters()}
    hidden = {names[p] for g in run.optimizer.param_groups if g["use_muon"] for p in g["params"]}
    inside = ("attention.qkv", "attention.out", "mlp.0", "mlp.2")
    assert hidden == {"patches.weight", *(f"blocks.0.{name}.weight" for name in inside)}


def test_mup_is_refused_in_a_line() -> None:
    with pytest.raises(InputError, match="VisionTransformer does not say how it grows"):
        built("dataset=digits", "model=vit", "parametrization=mup")
