"""Planted differences: the convention that was changed is the one that is named."""

from collections.abc import Iterator

import pytest

from sgdlab.conform.cases import cases, in_float64
from sgdlab.conform.lockstep import Lockstep
from sgdlab.conform.sides import side_of
from sgdlab.conform.verdict import Verdict, conform

PLAIN = "momentum weight_decay=0"

# What is typed for A and for B, and words that the cause must have.
PLANTED: dict[str, tuple[str, str, str]] = {
    "decoupled decay": ("adam", "planted.DecoupledByHand", "(decoupled)"),
    "decay without the rate": ("adamw", "planted.DecayWithoutRate weight_decay=.01", "not mult"),
    "decay after the step": ("adamw", "planted.DecayAtTheEnd weight_decay=0.01", "after the step"),
    "eps inside the root": ("adam", "planted.EpsilonInside", "B adds eps inside the root"),
    "eps before the correction": ("adam", "planted.EpsilonHat", "before the bias correction"),
    "no bias correction": ("adam", "planted.NoCorrection", "B corrects no bias"),
    "half a bias correction": ("adam", "planted.FirstMomentOnly", "of the first moment only"),
    "a step counted twice": ("adam", "planted.CountsLate", "counts steps from 2"),
    "amsgrad": ("adam", "planted.LargestSquares", "AMSGrad"),
    "old squares": ("adam", "planted.OldSquares", "second moment of the step before"),
    "a memory that is not told": ("adam", "planted.HiddenMemory", "0.999 in A, 0.99 in B"),
    "another eps": ("adam", "adam eps=1e-7", "eps is 1e-08 in A, 1e-07 in B"),
    "clipped updates": ("adam", "planted.BoundedUpdate", "root mean square of each"),
    "Keras's momentum": (PLAIN, "planted.RateInside", "lr inside of the momentum"),
    "averaged momentum": (PLAIN, "planted.Averaged", "averages gradients"),
    "dampening of the first step": (
        "momentum dampening=0.5 weight_decay=0", "planted.DampedFromTheStart", "dampens the first",
    ),
    "Nesterov": (PLAIN, "planted.LooksAhead", "takes Nesterov's step"),
    "max-norm": (PLAIN, "planted.ShortWeights", "(max-norm) at 1.5"),
    "clipping inside": (PLAIN, "planted.ClipsItself", "clips the global norm"),
    "decay of matrices only": (PLAIN, "planted.SparesVectors", "two or more axes"),
    "a late rate": (PLAIN, "planted.YesterdaysRate", "rate of the step before"),
    "missing gradients": (PLAIN, "planted.FillsInZeros", "missing gradient as"),
    "the rate in RMSprop's buffer": ("rmsprop momentum=0.9", "planted.Squares", "lr inside of the"),
    "Lion with coupled decay": ("lion", "planted.CoupledSign", "(coupled)"),
    "Lion, clipped": ("lion", "planted.ClippedSign", "norm of each tensor's gradient at 1"),
    "eps in the trust ratio": ("lamb", "planted_layers.EpsilonInTheRatio", "B adds eps to"),
    "a trust ratio for vectors": ("lamb", "planted_layers.RatioOfAll", "B has a trust ratio for"),
    "a bound of the trust ratio": ("lamb", "planted_layers.CappedRatio", "is inf in A, 1 in B"),
    "decay outside of the ratio": ("lamb", "planted_layers.DecayOutsideOfTheRatio", "(decoupled)"),
    "a rate that is corrected": ("lamb", "planted_layers.CorrectsTheRate", "after the trust ratio"),
    "LARS with one norm": ("lars", "planted_layers.OneNormInTheRatio", "B divides by |gradient +"),
    "two eps": ("adam", "planted_layers.TwoEpsilons", "beside eps, is 0 in A, 1e-12 in B"),
    "Adafactor, not factored": ("adafactor", "planted_layers.Whole", "B keeps a second moment for"),
    "Adafactor, not relative": ("adafactor", "planted_layers.RateAsItIs", "B takes the rate as it"),
    "Adafactor's decay": (
        "adafactor", "planted_layers.DecayOfTheRelativeRate", "by the rate relative to the weights",
    ),
    "a growing rate": (PLAIN, "planted_layers.GrowingRate", "B finds a rate of its own"),
    "single precision": (PLAIN, "planted_layers.ShortMemory", "in float32 (velocity_dtype)"),
    "decay at z": (
        "schedule_free_adamw", "planted_layers.DecayAtZ", "B shrinks the weights by lr",
    ),
    "an average of equal weights": (
        "schedule_free_adamw", "planted_layers.EqualWeights", "average's weights is 2 in A, 0 in B",
    ),
    "SWATS without a turn": ("swats", "planted_layers.NeverTurns", "is 0.001 in A, 0 in B"),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _from_here(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(request.path.parent))
        yield


def verdict_of(a: str, b: str, steps: int = 12) -> Verdict:
    with in_float64():
        return conform(Lockstep(side_of(a), side_of(b), cases(steps)))


QUICK = (
    "decoupled decay", "eps inside the root", "no bias correction", "Keras's momentum",
    "missing gradients", "eps in the trust ratio", "decay at z",
)  # fmt: skip
"""One of each kind; CI plants them all."""


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PLANTED],
)
def test_the_planted_cause_is_named(name: str) -> None:
    a, b, words = PLANTED[name]
    found = verdict_of(a, b)
    assert not found.is_same
    assert found.causes, found
    assert words in found.causes[0]
