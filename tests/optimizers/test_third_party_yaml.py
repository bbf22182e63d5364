"""The shipped YAMLs of another package's optimizers, by themselves enough to train with."""

import sys
from pathlib import Path

import pytest
from test_optimizer_yaml import PATHS

from sgdlab.checks import pip_install
from sgdlab.errors import InputError
from trainer_runs import built, train

FOREIGN = [p for p in PATHS if "_target_: pytorch_optimizer." in p.read_text()]


def test_there_are_ten_or_more() -> None:
    assert len(FOREIGN) >= 10


@pytest.mark.parametrize("path", FOREIGN, ids=lambda p: p.stem)
def test_thirty_steps_lower_the_loss_of_a_network(path: Path) -> None:
    """At the defaults; by more than a step of the noise at the start."""
    pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    optimizer = f"optimizer={path.stem}"
    outcome, rows, _ = train(
        "dataset=wine", "model=mlp", optimizer, "schedule=constant", "batch_size=full",
        "max_steps=30",
    )  # fmt: skip
    losses = [row[4] for row in rows.step_rows]
    assert outcome.status == "completed"
    assert len(losses) == 30
    assert losses[-1] < losses[0]


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(InputError) as caught:
        built("dataset=wine", "model=linear", f"optimizer={FOREIGN[0].stem}")
    text = str(caught.value)
    assert f"needs the package pytorch_optimizer; {pip_install('more-optimizers')}" in text
    assert "\n" not in text
