"""Shipped optimizers against their twins elsewhere: the same, or apart in what is known of them."""

import pytest

from sgdlab.conform.cases import ConformCase, cases, in_float64
from sgdlab.conform.kinds import KINDS
from sgdlab.conform.lockstep import Lockstep
from sgdlab.conform.sides import same_settings, side_of
from sgdlab.conform.verdict import Verdict, conform
from sgdlab.optimizers.traits import shipped_as

SAME = {
    "sgd": "torch.optim.SGD", "momentum": "torch.optim.SGD", "nesterov": "torch.optim.SGD",
    "adam": "torch.optim.Adam", "adamw": "torch.optim.Adam decoupled_weight_decay=true",
    "rmsprop": "torch.optim.RMSprop", "adagrad": "torch.optim.Adagrad",
    "adadelta": "pytorch_optimizer.AdaDelta", "lion": "pytorch_optimizer.Lion",
    "schedule_free_sgd": "pytorch_optimizer.ScheduleFreeSGD",
}  # fmt: skip
"""Where implementations that others have written do the same (torch's classes: by other names)."""

APART = {
    "keras_sgd": ("momentum", "B keeps lr outside of the momentum buffer"),
    "adam": ("adamw", "(decoupled)"),
    "adamax": ("pytorch_optimizer.AdaMax", "B counts steps for all tensors together"),
    "signsgd": ("pytorch_optimizer.SignSGD", "agrees with weight_decouple=false"),
    "radam": ("pytorch_optimizer.RAdam", "B with degenerated_to_sgd=true instead of false"),
    "lamb": ("pytorch_optimizer.Lamb", "B corrects the bias by the rate, after the trust ratio"),
    "lars": ("pytorch_optimizer.LARS", "B decays tensors of two or more axes only"),
    "swats": ("pytorch_optimizer.SWATS", "is 0.001 in A, 0 in B"),
    "schedule_free_adamw": ("pytorch_optimizer.ScheduleFreeAdamW", "beside eps, is 0 in A, 1e-15"),
    "adafactor": ("pytorch_optimizer.AdaFactor", "momentum (β₁) is 0 in A, 0.9 in B"),
    "asgd": ("pytorch_optimizer.ASGD", "decay that no weight_decay turns off is 0.0001 in A, 0"),
}
"""Where they do not, and why, as their sources say."""
SLOW = ("radam", "signsgd")
"""Whose cause takes a search."""


@pytest.fixture(scope="module")
def tried() -> list[ConformCase]:
    with in_float64():
        return cases(10)


def found(tried: list[ConformCase], a: str, b: str, *only: str) -> Verdict:
    if not b.startswith("torch.") and "." in b:  # extra more-optimizers; schedulefree by hand
        pytest.importorskip(b.partition(".")[0])
    one = side_of(a)
    with in_float64():
        return conform(Lockstep(one, same_settings(one, side_of(b)), tried, only))


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        *SAME.items(),
        ("schedule_free_sgd", "schedulefree.SGDScheduleFree"),
        ("schedule_free_adamw", "schedulefree.AdamWScheduleFree"),
    ],
)
def test_twins_are_the_same(name: str, twin: str, tried: list[ConformCase]) -> None:
    verdict = found(tried, name, twin)
    assert verdict.is_same, verdict.first


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in APART]
)
def test_what_twins_differ_in_is_named(name: str, tried: list[ConformCase]) -> None:
    twin, words = APART[name]
    verdict = found(tried, name, twin)
    assert not verdict.is_same
    assert words in (*verdict.causes, verdict.partly)[0]


def test_torchs_muon_is_ours_on_matrices(tried: list[ConformCase]) -> None:
    assert found(tried, "muon", "torch.optim.Muon", KINDS["matrix"]).is_same


@pytest.mark.parametrize("name", ["adam", "sgd", "lion", "lamb", "adafactor"])
def test_another_rate_is_another_optimizer_and_named(name: str, tried: list[ConformCase]) -> None:
    lr = shipped_as(name)["lr"]
    with in_float64():
        verdict = conform(Lockstep(side_of(name), side_of(f"{name} lr={2 * lr}"), tried))
    assert not verdict.is_same
    assert verdict.causes[0].startswith("lr is ")


def test_a_tolerance_is_a_share_of_the_movement(tried: list[ConformCase]) -> None:
    """lr 1 + 1e-6 times as large moves 1e-6 times as far: no difference above, one below."""
    one, other = side_of("sgd weight_decay=0"), side_of("sgd weight_decay=0 lr=0.1000001")
    plain = tried[:1]
    with in_float64():
        shares = {
            tolerance: conform(Lockstep(one, other, plain, (), tolerance)).differences[0]
            for tolerance in (2e-6, 5e-7)
        }
    assert shares[2e-6] is None
    below = shares[5e-7]
    assert below is not None
    assert below.relative == pytest.approx(1e-6, rel=1e-3)
