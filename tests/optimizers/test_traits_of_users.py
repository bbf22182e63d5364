"""What the YAML of a user's optimizer may say of it, and what is known without."""

from typing import Any

import pytest
import torch

from sgdlab.errors import InputError
from sgdlab.optimizers.traits import KEY, Traits, shipped_as, traits_of, without_known


def told(**traits: Any) -> Traits:
    return traits_of({"_target_": "mine.Own", "flag": True, KEY: traits})


def test_what_nobody_says_is_unknown() -> None:
    assert traits_of({"_target_": "mine.Own"}) == Traits()
    assert told(adaptive=True) == Traits(adaptive=True)
    assert told(decay=None) == Traits()


def test_flags_of_the_settings_decide() -> None:
    assert told(decay={"flag": "decoupled", "else": "coupled"}).decay == "decoupled"
    assert told(decay={"other": "decoupled", "else": "coupled"}).decay is None
    section = {
        "_target_": "mine.Own",
        "flag": False,
        KEY: {"decay": {"flag": "own", "else": "none"}},
    }
    assert traits_of(section).decay == "none"


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        (
            {"adaptve": True},
            r"^optimizer\._traits_\.adaptve: no such trait; did you mean adaptive\?$",
        ),
        ({"adaptive": 1}, r"^optimizer\._traits_\.adaptive=1: valid: false, true$"),
        ({"family": "adm"}, r"^optimizer\._traits_\.family=adm: valid: adam, none, sgd$"),
        ({"decay": "couple"}, r"^optimizer\._traits_\.decay=couple: did you mean coupled"),
        ({"decay": {"flag": "bad", "else": "own"}}, r"^optimizer\._traits_\.decay=bad: valid: "),
        ({"decay": {"flag": "own"}}, r"^optimizer\._traits_\.decay: add .* else: coupled$"),
    ],
)
def test_wrong_traits_are_refused_with_what_would_be_right(
    traits: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        told(**traits)


def test_traits_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(InputError, match=r"optimizer\._traits_=adam: must map traits to values"):
        traits_of({"_target_": "mine.Own", KEY: "adam"})


def test_methods_tell_what_a_user_does_not() -> None:
    class Closed(torch.optim.SGD):
        def step(self, closure: Any) -> None: ...  # type: ignore[override]

        def eval(self) -> None: ...

    closed = Closed([torch.nn.Parameter(torch.ones(1))])
    assert Traits().seen_in(closed) == Traits(takes_closure=True, averages_itself=True)
    said = Traits(takes_closure=False, averages_itself=False)
    assert said.seen_in(closed) == said
    plain = torch.optim.SGD(closed.param_groups)
    assert Traits().seen_in(plain) == said


def test_the_class_says_what_it_is_not_the_name_under_which_it_was_chosen() -> None:
    """Traits of ours are left out of configs; those of a user's class stay."""
    sgd = shipped_as("sgd")
    assert KEY not in without_known(sgd, "sgd")
    assert KEY not in without_known(sgd, "mine")
    assert KEY not in without_known({**sgd, "_target_": "mine.Own"}, "sgd")
    own = {"_target_": "mine.Own", KEY: {"adaptive": True}}
    assert without_known(own, "mine") == own
