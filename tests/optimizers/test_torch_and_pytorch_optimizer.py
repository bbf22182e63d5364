"""torch's members that pytorch-optimizer has written again: 100 float64 steps, to 1e-10.

Those that it merely passes on (SGD, Adam, AdamW, NAdam, RMSprop) are left out; so is its ASGD,
another algorithm under the name (adaptive SGD by local smoothness). Those that sgdlab has written
itself (LARS, LAMB, …) are compared where they are tested.
"""

from pathlib import Path
from typing import Any

import pytest
from given_gradients import assert_same, gradients, groups, run
from test_optimizer_yaml import PATHS, section_and_class

# Their name, what is changed in our YAML, and their settings to match.
NAMES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "adamax": ("AdaMax", {"weight_decay": 0.1}, {"weight_decay": 0.1}),
    "adadelta": ("AdaDelta", {"weight_decay": 0.1}, {"weight_decay": 0.1}),
    # Theirs adds eps before the correction of the bias, torch after it.
    "radam": (
        "RAdam",
        {"eps": 0.0, "weight_decay": 0.1, "decoupled_weight_decay": True},
        {"eps": 0.0, "weight_decay": 0.1, "weight_decouple": True, "degenerated_to_sgd": True},
    ),
    # Their decay is multiplied by the size of the weights, too; torch's bound on the rate,
    # 1 / sqrt(t), is not reached in these steps.
    "adafactor": (
        "AdaFactor",
        {"weight_decay": 0.0},
        {"betas": (None, 0.999), "relative_step": False, "weight_decay": 0.0},
    ),
}
YAMLS = [p for p in PATHS if p.stem in NAMES]


def test_each_has_a_yaml() -> None:
    assert {p.stem for p in YAMLS} == set(NAMES)


@pytest.mark.parametrize("path", YAMLS, ids=lambda p: p.stem)
def test_both_make_the_same_steps(path: Path) -> None:
    package = pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    section, cls = section_and_class(path)
    name, changed, theirs = NAMES[path.stem]
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in section.items()} | changed
    theirs = {k: settings[k] for k in ("rho",) if k in settings} | theirs
    rates = lambda t: settings["lr"] / (1 + t / 30)  # noqa: E731
    given = gradients(100)
    other = getattr(package, name)
    assert other is not cls
    assert_same(run(cls, settings, given, rates), run(other, theirs, given, rates))


def test_groups_reach_all_parameters() -> None:
    """Otherwise the comparisons of this folder would compare less than they say."""
    (given,) = gradients(1)
    assert [len(g["params"]) for g in groups(given)] == [2, 1]
