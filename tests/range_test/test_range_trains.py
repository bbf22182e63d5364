"""The rate to take trains: every embedded dataset, with Nesterov and AdamW."""

import pytest
from finder_runs import EMBEDDED, curve_of, section

from sgdlab.range_test.result import result_of
from sgdlab.results import COMPLETED
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.loop import fit
from trainer_runs import built


class Nothing:
    """Takes rows and drops them."""

    def steps(self, rows):
        """Drop them."""

    def evaluation(self, row):
        """Drop it."""


def ratio(dataset: str, optimizer: str, seed: int, epochs: int) -> float:
    """Return the final over the initial training loss at the rate to take."""
    overrides = (f"dataset={dataset}", f"optimizer={optimizer}", f"seed={seed}")
    result = result_of("x", curve_of(built(*overrides)), section(), lambda lr: lr)
    assert result.take is not None, result.why_none
    outcome = fit(
        built(*overrides, f"epochs={epochs}", f"lr={result.take!r}"), Nothing(), NoDisplay()
    )
    assert outcome.status == COMPLETED, outcome.reason
    at = outcome.progress
    assert at.val_loss is not None
    return at.train_loss / at.initial_loss


@pytest.mark.parametrize(
    ("dataset", "optimizer"), [("wine", "nesterov"), ("breast_cancer", "adamw")]
)
def test_the_rate_to_take_trains(dataset, optimizer):
    assert ratio(dataset, optimizer, seed=0, epochs=8) < 0.3


# Of the initial loss; half of diabetes is noise, and so are the slopes of its curves.
LEFT = {"diabetes": 0.8}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("optimizer", ["nesterov", "adamw"])
@pytest.mark.parametrize("dataset", EMBEDDED)
def test_the_rate_to_take_trains_everywhere(dataset, optimizer, seed):
    assert ratio(dataset, optimizer, seed, epochs=20) < LEFT.get(dataset, 0.4)
