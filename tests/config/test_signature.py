"""Arguments that sgdlab offers reach parameters of exactly their names, through any wrapping."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from sgdlab.config.instantiate import call
from sgdlab.config.signature import names_taken
from sgdlab.errors import InputError

OFFERED = {"input_shape": (8,), "num_outputs": 3}


class Recorder(nn.Module):
    """Keeps what it was called with."""

    given: dict[str, Any]

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Recorder":
        recorder = cls()
        recorder.given = given
        return recorder


def zoo_builder(*, weights: object = None, **kwargs: Any) -> Recorder:
    """As in torchvision: what is left goes to a constructor that knows other names."""
    return Recorder.of(kwargs)


def plain(num_outputs: int, width: int = 4) -> Recorder:
    return Recorder.of({"num_outputs": num_outputs, "width": width})


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def sized(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(width: int = 4) -> Any:
        return function(5, width)

    return wrapper


logged_plain = logged(plain)
twice_logged_plain = logged(logged(plain))
sized_plain = sized(plain)
narrow = functools.partial(plain, width=2)
for_seven_classes = functools.partial(plain, num_outputs=7)
by_place = functools.partial(plain, 7)


class ByInit(Recorder):
    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.given = {"num_outputs": num_outputs}


class ByNew(ByInit):
    def __new__(cls, *args: Any, **kwargs: Any) -> "ByNew":
        return super().__new__(cls)


class NewOnly:
    def __new__(cls, num_outputs: int) -> Any:
        return Recorder.of({"num_outputs": num_outputs})


class Counted(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


class ByMeta(ByInit, metaclass=Counted):
    pass


class Collecting(ByInit):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Factory:
    def __call__(self, num_outputs: int, **kwargs: Any) -> Recorder:
        return Recorder.of({"num_outputs": num_outputs, **kwargs})

    @classmethod
    def build(cls, input_shape: tuple[int, ...]) -> Recorder:
        return Recorder.of({"input_shape": input_shape})


factory = Factory()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("zoo_builder", {}),
        ("plain", {"num_outputs": 3, "width": 4}),
        ("logged_plain", {"num_outputs": 3, "width": 4}),
        ("twice_logged_plain", {"num_outputs": 3, "width": 4}),
        ("sized_plain", {"num_outputs": 5, "width": 4}),
        ("narrow", {"num_outputs": 3, "width": 2}),
        ("for_seven_classes", {"num_outputs": 7, "width": 4}),
        ("by_place", {"num_outputs": 7, "width": 4}),
        ("ByInit", {"num_outputs": 3}),
        ("ByNew", {"num_outputs": 3}),
        ("NewOnly", {"num_outputs": 3}),
        ("ByMeta", {"num_outputs": 3}),
        ("factory", {"num_outputs": 3}),
        ("Factory.build", {"input_shape": (8,)}),
    ],
)
@pytest.mark.parametrize("again", [False, True], ids=["through Hydra", "called again"])
def test_each_kind_of_target_gets_what_it_names(name: str, given: dict, again: bool) -> None:
    section = {"_target_": f"{__name__}.{name}"}
    for _ in range(1 + again):
        assert call(section, "model=own", dict(OFFERED)).given == given


def test_what_the_yaml_says_wins() -> None:
    section = {"_target_": f"{__name__}.plain", "num_outputs": 9}
    assert call(section, "model=own", dict(OFFERED)).given["num_outputs"] == 9
    section = {"_target_": f"{__name__}.plain", "_args_": [9]}
    assert call(section, "model=own", dict(OFFERED)).given["num_outputs"] == 9


def test_a_partial_in_yaml_is_completed() -> None:
    section = {"_target_": f"{__name__}.plain", "_partial_": True, "width": 6}
    assert call(section, "model=own", dict(OFFERED)).given == {"num_outputs": 3, "width": 6}


def test_who_collects_an_argument_that_it_needs_is_told_to_name_it() -> None:
    with pytest.raises(InputError) as error:
        call({"_target_": f"{__name__}.Collecting"}, "model=own", dict(OFFERED))
    said = str(error.value)
    assert "missing 1 required positional argument: 'num_outputs' at " in said  # and where
    assert said.endswith(
        "; sgdlab passes num_outputs to a parameter of that name, not into **kwargs"
    )


def test_positional_only_parameters_and_classes_in_c_take_no_names() -> None:
    def positional(num_outputs: int, /, width: int = 1) -> None:
        pass

    assert names_taken(positional) == {"width"}
    assert names_taken(dict) == frozenset()
