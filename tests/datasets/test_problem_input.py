"""Settings of the test problems: what they determine, and what is refused."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from problem_settings import PROBLEMS, problem

from sgdlab.datasets.split import prepare
from sgdlab.errors import InputError


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_same_settings_make_the_same_data(name: str) -> None:
    random = {"quadratic": {"rotate": True, "noise": 0.3}}
    generated = {name: {"source": "generated"} for name in ("logistic", "least_squares")}
    changes = {**random, **generated}.get(name, {})
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    first = prepare(problem(name, **changes), name=name, seed=0, val=0.2, test=0.2)
    second = prepare(problem(name, **changes), name=name, seed=3, val=0.1, test=0.3)
    assert first.fingerprint == second.fingerprint
    assert first.problem is not None
    assert second.problem is not None
    assert first.problem.optimum == second.problem.optimum
    ours, theirs = first.problem.build().state_dict(), second.problem.build().state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    if changes:
        other = problem(name, **changes, random_state=1)
        assert not torch.equal(other.x, first.train.x)
    changed = {"start": 0.5} if "quadratic" in name else {"start": [0.5, 2.0]}
    if name in ("logistic", "least_squares"):
        changed = {"l2": 0.02}
    if "start" in changed:
        moved = prepare(problem(name, **changes, **changed), name=name, seed=0, val=0.2, test=0.2)
        assert moved.fingerprint != first.fingerprint


BAD = [
    ("quadratic", {"dim": 0}, "dataset.dim=0: must be a whole number from 1"),
    ("quadratic", {"condition": 0.5}, "dataset.condition=0.5: must be a number from 1"),
    ("quadratic", {"condition": math.nan}, "dataset.condition=nan: must be a number from 1"),
    ("quadratic", {"spectrum": "lin"}, "dataset.spectrum=lin: valid: linear, log"),
    ("quadratic", {"eigenvalues": [0.0]}, "one of them positive"),
    ("quadratic", {"eigenvalues": [1.0, -1.0]}, "must be numbers from 0"),
    ("quadratic", {"eigenvalues": []}, "must be a list of at least one number"),
    ("quadratic", {"eigenvalues": "many"}, "must be a list of at least one number"),
    ("quadratic", {"noise": -1.0}, "dataset.noise=-1.0: must be a number from 0"),
    ("quadratic", {"noise": 1.0, "n_samples": 1}, "needs two examples"),
    ("quadratic", {"n_samples": 0}, "dataset.n_samples=0: must be a whole number from 1"),
    ("quadratic", {"minimum": math.inf}, "dataset.minimum=inf: must be a finite number"),
    ("quadratic", {"start": "far"}, "dataset.start=far: must be a finite number"),
    ("quadratic", {"random_state": -1}, "dataset.random_state=-1: must be a whole number from 0"),
    ("quadratic", {"projection": "sphere"}, "dataset.projection=sphere: valid: ball, box, none"),
    ("quadratic", {"radius": 0.0}, "dataset.radius=0.0: must be a number above 0"),
    ("noisy_quadratic", {"noise_shape": "hessain"}, "noise_shape=hessain: valid"),
    ("noisy_quadratic", {"repetitions": 0}, "dataset.repetitions=0: must be a whole number from 1"),
    ("rosenbrock", {"start": [1.0]}, r"dataset.start=\[1.0\]: must be 2 numbers"),
    ("rosenbrock", {"projection": "box", "radius": 0.9}, r"must hold the minimum \(1, 1\)"),
    ("beale", {"projection": "ball", "radius": 3.0}, r"must hold the minimum \(3, 0.5\)"),
    ("beale", {"noise": True}, "dataset.noise=True: must be a number from 0"),
    ("logistic", {"source": "cancer"}, "dataset.source=cancer: valid: breast_cancer, generated"),
    ("logistic", {"l2": 0.0}, "dataset.l2=0.0: must be a number above 0"),
    ("least_squares", {"l2": -0.1}, "dataset.l2=-0.1: must be a number from 0"),
    ("least_squares", {"rank": 21}, "dataset.rank=21: at most n_features=20"),
    ("least_squares", {"condition": 0.0}, "dataset.condition=0.0: must be a number from 1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "message"), BAD, ids=[f"{n}-{c}" for n, c, _ in BAD])
def test_impossible_settings_are_refused_in_one_line(
    name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        problem(name, **changes)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("dataset.")
