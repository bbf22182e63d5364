"""Residual networks against torchvision's, and wide ones against their formula and table."""

import importlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sgdlab  # noqa: F401  (torchvision's operators)
from sgdlab.errors import InputError
from sgdlab.models.resnet import ResNet, resnet18, resnet34, resnet50
from sgdlab.models.wide_resnet import WideResNet
from trainer_runs import built

OWN = {"resnet18": resnet18, "resnet34": resnet34, "resnet50": resnet50}


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def theirs(name: str, **settings: Any) -> nn.Module:
    return getattr(importlib.import_module("torchvision.models"), name)(**settings)


@pytest.mark.parametrize("name", OWN)
def test_weights_are_as_many_and_called_as_torchvisions(name: str) -> None:
    with torch.device("meta"):
        own = OWN[name](input_shape=(3, 224, 224), num_outputs=1000)
        other = theirs(name)
    assert [(n, p.shape) for n, p in own.state_dict().items()] == [
        (n, p.shape) for n, p in other.state_dict().items()
    ]
    assert count(own) == count(other)


@pytest.mark.parametrize("name", ["resnet18", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_outputs_loss_and_gradients_are_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    other = theirs(name, num_classes=5).double()
    with torch.device("meta"):
        own = OWN[name](input_shape=(3, 32, 40), num_outputs=5, stem="imagenet").double()
    own.to_empty(device="cpu")
    own.load_state_dict(other.state_dict())
    x, y = torch.randn(4, 3, 32, 40, dtype=torch.float64), torch.arange(4)
    outputs = [model(x) for model in (own, other)]
    torch.testing.assert_close(*outputs, rtol=1e-10, atol=1e-10)
    losses = [F.cross_entropy(output, y) for output in outputs]
    torch.testing.assert_close(*losses, rtol=1e-10, atol=1e-10)
    for p, q in zip(
        torch.autograd.grad(losses[0], list(own.parameters())),
        torch.autograd.grad(losses[1], list(other.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10 * float(q.abs().max()))
    with torch.no_grad():  # with the running statistics of that batch
        torch.testing.assert_close(own.eval()(x), other.eval()(x), rtol=1e-10, atol=1e-10)


def test_weights_are_drawn_from_torchvisions_distributions() -> None:
    torch.manual_seed(0)
    own, other = resnet18(input_shape=(3, 64, 64), num_outputs=10), theirs("resnet18")
    for name, p in own.named_parameters():
        q = other.get_parameter(name)
        if p.ndim == 4:
            spread = float(p.detach().std())
            assert spread == pytest.approx(float(q.detach().std()), rel=0.05)
            assert spread == pytest.approx((2 / p[:, 0].numel()) ** 0.5, rel=0.05)
        elif name.startswith(("bn", "layer")):
            assert torch.equal(p, q)


@pytest.mark.parametrize(
    ("shape", "stem", "kernel", "pooled"),
    [
        ((1, 8, 8), "auto", 3, False),
        ((3, 63, 200), "auto", 3, False),
        ((3, 64, 64), "auto", 7, True),
        ((3, 64, 64), "cifar", 3, False),
        ((2, 32, 32), "imagenet", 7, True),
    ],
)
def test_the_stem_follows_the_size_of_the_images(
    shape: tuple[int, ...], stem: str, kernel: int, pooled: bool
) -> None:
    model = resnet18(input_shape=shape, num_outputs=2, width=2, stem=stem)
    assert model.conv1.weight.shape == (2, shape[0], kernel, kernel)
    assert isinstance(model.maxpool, nn.MaxPool2d) == pooled
    seen: list[Tensor] = []
    model.layer1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    assert model.eval()(torch.randn(1, *shape)).shape == (1, 2)
    shrunk = 4 if pooled else 1
    assert seen[0].shape[2:] == (shape[1] // shrunk, shape[2] // shrunk)


def test_cifar_form_has_the_size_that_the_stem_takes_away() -> None:
    with torch.device("meta"):
        small, large = (
            resnet18(input_shape=(3, 32, 32), num_outputs=10, stem=stem)
            for stem in ("cifar", "imagenet")
        )
    assert count(large) - count(small) == 64 * 3 * (49 - 9)
    assert count(small) == 11_173_962  # as in public CIFAR versions of ResNet-18


# Table 4 and 5 of Zagoruyko and Komodakis, in millions, one digit after the point.
TABLE = {
    (40, 1): 0.6, (40, 2): 2.2, (40, 4): 8.9, (40, 8): 35.7, (28, 10): 36.5, (28, 12): 52.5,
    (22, 8): 17.2, (22, 10): 26.8, (16, 8): 11.0, (16, 10): 17.1,
}  # fmt: skip


@pytest.mark.parametrize(("depth", "widen"), TABLE)
def test_wide_networks_have_the_size_of_the_papers_table(depth: int, widen: int) -> None:
    with torch.device("meta"):
        model = WideResNet(input_shape=(3, 32, 32), num_outputs=10, depth=depth, widen=widen)
    # 35.7 of the paper is 35.75; it rounded down.
    assert count(model) / 1e6 == pytest.approx(TABLE[depth, widen], abs=0.051)


def test_a_wide_network_is_its_formula() -> None:
    torch.manual_seed(0)
    model = WideResNet(input_shape=(2, 8, 8), num_outputs=3, depth=10, widen=2).double()
    state = {n: p.detach() for n, p in model.named_parameters()}
    x = torch.randn(5, 2, 8, 8, dtype=torch.float64)

    def active(h: Tensor, prefix: str) -> Tensor:
        mean, variance = h.mean((0, 2, 3), keepdim=True), h.var((0, 2, 3), False, keepdim=True)
        scale, bias = (state[f"{prefix}.{n}"][None, :, None, None] for n in ("weight", "bias"))
        return ((h - mean) / (variance + 1e-5).sqrt() * scale + bias).clamp(min=0)

    h = F.conv2d(x, state["conv1.weight"], padding=1)
    for index, stride in enumerate((1, 2, 2)):
        name = f"blocks.{index}"
        a = active(h, f"{name}.bn1")
        inner = F.conv2d(a, state[f"{name}.conv1.weight"], stride=stride, padding=1)
        inner = F.conv2d(active(inner, f"{name}.bn2"), state[f"{name}.conv2.weight"], padding=1)
        h = inner + F.conv2d(a, state[f"{name}.shortcut.weight"], stride=stride)
    expected = active(h, "bn").mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]
    torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-10)


def test_dropout_of_a_wide_network_acts_in_training_only() -> None:
    torch.manual_seed(0)
    model = WideResNet(input_shape=(1, 4, 4), num_outputs=2, depth=10, widen=1, dropout=0.5)
    x = torch.randn(3, 1, 4, 4)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        (resnet18, {"input_shape": (30,)}, "model=resnet18 needs images"),
        (resnet34, {"input_shape": (8, 8)}, r"model=resnet34 needs .*x\[:, None\]"),
        (resnet50, {"width": 0}, "model.width=0: must be a whole number from 1"),
        (resnet50, {"stem": "imagnet"}, "model.stem=imagnet: valid: auto, cifar, imagenet"),
        (WideResNet, {"input_shape": (30,)}, "model=wide_resnet needs images"),
        (WideResNet, {"depth": 15}, "model.depth=15: must be 4 more than 6"),
        (WideResNet, {"depth": 4}, "model.depth=4"),
        (WideResNet, {"widen": 1.5}, "model.widen=1.5"),
        (WideResNet, {"dropout": 1}, "model.dropout=1"),
    ],
)
def test_bad_settings_are_refused(kind: Any, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        kind(**{"input_shape": (1, 8, 8), "num_outputs": 3, **settings})


def test_integer_images_are_refused() -> None:
    x = torch.ones(2, 1, 4, 4, dtype=torch.int64)
    for kind in (resnet18, WideResNet):
        with pytest.raises(InputError, match="float32"):
            kind(input_shape=(1, 4, 4), num_outputs=2)(x)


@pytest.mark.parametrize("model", ["resnet18 model.width=2", "wide_resnet model.depth=10"])
def test_muon_takes_the_kernels_and_adamw_the_last_layer(model: str) -> None:
    run = built("dataset=digits", "optimizer=muon", f"model={model.split()[0]}", model.split()[1])
    names = {p: name for name, p in run.model.named_parameters()}
    hidden = {names[p] for g in run.optimizer.param_groups if g["use_muon"] for p in g["params"]}
    assert hidden == {n for n, p in run.model.named_parameters() if p.ndim == 4}


def test_mup_is_refused_in_a_line() -> None:
    with pytest.raises(InputError, match="ResNet does not say how it grows with its width"):
        built("dataset=digits", "model=resnet18", "model.width=2", "parametrization=mup")


def test_every_layer_of_the_block_lists_is_used() -> None:
    model = resnet50(input_shape=(1, 8, 8), num_outputs=2, width=2)
    assert isinstance(model, ResNet)
    model(torch.randn(3, 1, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
