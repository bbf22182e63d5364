"""What of a model is refused by looking at it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sgdlab.models.cnn import CNN
from sgdlab.models.linear import Linear
from sgdlab.models.mlp import MLP
from sgdlab.stacked.structure import refusal, signature


def layers() -> list[nn.Module]:
    return [nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2)]


class Plain(nn.Sequential):
    """Has more than its base class, and changes nothing of it."""

    depth = 3
    scale: float

    def __init__(self) -> None:
        super().__init__(*layers())
        self.depth = 4
        self.notes = {"by": "me"}

    def describe(self) -> str:
        return "mine"

    def __repr__(self) -> str:
        return "Plain()"

    def extra_repr(self) -> str:
        return "nothing"


class Base(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(*layers())


class OwnTrain(Base):
    def train(self, mode: bool = True) -> "OwnTrain":
        super().train(mode)
        self[1].eval()
        return self


class OwnEval(Base):
    def eval(self) -> "OwnEval":
        return self


class OwnCall(Base):
    def __call__(self, x: Tensor) -> Tensor:
        return super().__call__(x) * 0.1


class OwnCallImplementation(Base):
    def _call_impl(self, x: Tensor) -> Tensor:
        return super()._call_impl(x) * 0.1


class OwnOrder(Base):
    def __iter__(self) -> Iterator[nn.Module]:
        return reversed(list(super().__iter__()))


class OwnAttributes(Base):
    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)


class OwnAccess(Base):
    def __getattribute__(self, name: str) -> Any:
        return super().__getattribute__(name)


class OwnState(Base):
    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return super().state_dict(*args, **kwargs)


class OwnLoading(Base):
    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)


class OwnMove(Base):
    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "OwnMove":
        return self


class OwnMode(Base):
    @property
    def training(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return True

    @training.setter
    def training(self, mode: bool) -> None:
        pass


class Switch:
    def train(self, mode: bool = True) -> Any:
        return super().train(False)  # type: ignore[misc]


class Mixed(Switch, Base):
    pass


class Inside(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 4), OwnTrain())


OVERRIDES: dict[type[nn.Module], str] = {
    OwnTrain: "OwnTrain overrides train",
    OwnEval: "OwnEval overrides eval",
    OwnCall: "OwnCall overrides __call__",
    OwnCallImplementation: "OwnCallImplementation overrides _call_impl",
    OwnOrder: "OwnOrder overrides __iter__",
    OwnAttributes: "OwnAttributes overrides __getattr__",
    OwnAccess: "OwnAccess overrides __getattribute__",
    OwnState: "OwnState overrides state_dict",
    OwnLoading: "OwnLoading overrides _load_from_state_dict",
    OwnMove: "OwnMove overrides _apply",
    OwnMode: "OwnMode overrides training",
    Mixed: "Mixed overrides train",
    Inside: "OwnTrain overrides train",
}


@pytest.mark.parametrize("kind", OVERRIDES)
def test_a_class_that_overrides_what_sequential_does_is_refused(kind: type[nn.Module]) -> None:
    assert refusal(kind()) == OVERRIDES[kind]


def test_a_class_that_adds_to_sequential_is_not() -> None:
    assert refusal(Plain()) is None


@pytest.mark.parametrize(
    "model",
    [
        Linear(input_shape=(4,), num_outputs=2),
        MLP(input_shape=(4,), num_outputs=2, batch_norm=True, dropout=0.2),
        MLP(input_shape=(4,), num_outputs=2, parametrization="mup"),
        CNN(input_shape=(1, 8, 8), num_outputs=2, batch_norm=True, dropout=0.2),
        nn.Sequential(nn.Sequential(*layers()), nn.Identity(), nn.Linear(2, 2, bias=False)),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shipped_models_show_nothing(model: nn.Module, dtype: torch.dtype) -> None:
    assert refusal(model.to(dtype)) is None


def test_the_compiler_of_torch_leaves_nothing_that_shows() -> None:
    torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
    assert refusal(Linear(input_shape=(3,), num_outputs=2)) is None


def test_a_lazy_model_shows_nothing_once_it_has_its_shapes() -> None:
    model = nn.Sequential(nn.LazyLinear(6), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2))
    model(torch.randn(3, 4))
    assert refusal(model) is None


def nothing(*_: Any) -> None:
    """Stand for a hook."""


def hang(name: str, **settings: Any) -> Callable[[nn.Sequential], Any]:
    return lambda model: getattr(model[1], name)(nothing, **settings)


HOOKS: dict[str, Callable[[nn.Sequential], Any]] = {
    "forward": hang("register_forward_hook"),
    "forward, with keywords": hang("register_forward_hook", with_kwargs=True),
    "forward, always called": hang("register_forward_hook", always_call=True),
    "before forward": hang("register_forward_pre_hook"),
    "before forward, with keywords": hang("register_forward_pre_hook", with_kwargs=True),
    "backward": hang("register_full_backward_hook"),
    "before backward": hang("register_full_backward_pre_hook"),
    "state": hang("_register_state_dict_hook"),
    "before state": hang("register_state_dict_pre_hook"),
    "before loading": hang("register_load_state_dict_pre_hook"),
    "after loading": hang("register_load_state_dict_post_hook"),
    "old weight norm": lambda model: nn.utils.weight_norm(model[0]),
    "old spectral norm": lambda model: nn.utils.spectral_norm(model[0]),
}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
def test_hooks_of_every_kind_are_refused(hook: str) -> None:
    model = nn.Sequential(*layers())
    HOOKS[hook](model)
    assert refusal(model) == "the model has hooks"


def test_hooks_on_tensors_are_refused() -> None:
    model = nn.Sequential(*layers())
    model[0].weight.register_hook(lambda g: g * 0)
    assert refusal(model) == "there are hooks on 0.weight"
    model = nn.Sequential(*layers())
    model[4].bias.register_post_accumulate_grad_hook(nothing)
    assert refusal(model.double()) == "there are hooks on 4.bias"


@pytest.mark.parametrize(
    "register",
    [
        nn.modules.module.register_module_forward_hook,
        nn.modules.module.register_module_forward_pre_hook,
        nn.modules.module.register_module_full_backward_hook,
        nn.modules.module.register_module_full_backward_pre_hook,
        nn.modules.module.register_module_parameter_registration_hook,
    ],
)
def test_hooks_on_all_modules_are_refused(register: Callable[[Any], Any]) -> None:
    model = nn.Sequential(*layers())
    handle = register(nothing)
    try:
        assert refusal(model) == "there are hooks on all modules"
    finally:
        handle.remove()
        nn.modules.module._global_is_full_backward_hook = None
    assert refusal(model) is None


def changed(change: Callable[[nn.Sequential], Any]) -> nn.Sequential:
    model = nn.Sequential(*layers())
    change(model)
    return model


def _set(place: int | None, name: str, value: Any) -> Callable[[nn.Sequential], None]:
    return lambda model: setattr(model if place is None else model[place], name, value)


def _flat(model: nn.Sequential) -> None:
    """Put all weights into one piece of memory, as data-parallel trainers do."""
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    sizes = [p.numel() for p in model.parameters()]
    for p, part in zip(model.parameters(), flat.split(sizes), strict=True):
        p.data = part.view(p.shape)


def _twice(model: nn.Sequential) -> None:
    model.append(model[1])  # its statistics would take in two batches a step
    model[1].weight = model[1].bias = None  # type: ignore[assignment]
    model[4] = nn.Linear(6, 6)


class Weight(nn.Parameter):
    pass


CHANGES: dict[str, tuple[Callable[[nn.Sequential], Any], str]] = {
    "a method of a layer": (_set(2, "forward", nothing), "forward is replaced (layer 2)"),
    "a method of the model": (_set(None, "train", nothing), "train is replaced (layer Sequential)"),
    "its mode": (_set(1, "eval", nothing), "eval is replaced (layer 1)"),
    "compiled": (
        _set(None, "_compiled_call_impl", nothing),
        "_compiled_call_impl is replaced (layer Sequential)",
    ),
    "a buffer of a layer": (
        lambda m: m[0].register_buffer("mask", torch.ones(6)), "a buffer mask (layer 0)"
    ),
    "a buffer of the model": (
        lambda m: m.register_buffer("count", torch.zeros(1)),
        "the model has buffers outside its layers",
    ),
    "statistics of two layers": (_twice, "the model shares statistics between layers"),
    "a parameter of the model": (
        lambda m: m.register_parameter("gain", nn.Parameter(torch.ones(1))),
        "the model has parameters outside its layers",
    ),
    "frozen": (lambda m: m[4].bias.requires_grad_(False), "the model has frozen parameters"),
    "a parametrization": (
        lambda m: nn.utils.parametrizations.weight_norm(m[0]), "the model has hooks"
    ),
    "a parameter of another class": (
        lambda m: setattr(m[0], "weight", Weight(m[0].weight.detach())), "0.weight is a Weight"
    ),
    "flat memory": (_flat, "0.bias shares memory"),
    "memory of another layer": (
        lambda m: setattr(m[4].bias, "data", m[0].bias.data[:2]), "4.bias shares memory"
    ),
    "a number for a row": (
        lambda m: setattr(m[0].bias, "data", torch.zeros(1).expand(6)), "0.bias shares memory"
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_done_to_an_instance_is_refused(change: str) -> None:
    act, reason = CHANGES[change]
    assert refusal(changed(act)) == reason


def test_a_signature_has_layers_settings_and_shapes_and_no_weights() -> None:
    one, other = nn.Sequential(*layers()), nn.Sequential(*layers())
    assert signature(one) == signature(other)
    for act in (
        _set(3, "p", 0.4), _set(1, "momentum", 0.2), _set(1, "eps", 0.1),
        lambda m: m.append(nn.Tanh()), lambda m: m.__setitem__(4, nn.Linear(6, 3)),
    ):  # fmt: skip
        assert signature(changed(act)) != signature(one)
