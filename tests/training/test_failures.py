"""A run that fails keeps what it had made until then."""

from pathlib import Path

import pytest

from sgdlab.results import read_evals, read_steps, read_summary
from sgdlab.steps.plain import PlainUpdate
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.run import train_run
from trainer_runs import config_of

SMALL = ("dataset=wine", "model.hidden=[6]", "batch_size=16", "max_steps=40")


@pytest.mark.parametrize("more", [(), ("checkpoint.every=3",), ("average=ema",)], ids=" ".join)
def test_the_steps_before_a_failure_belong_to_the_files(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PlainUpdate.step
    raised: list[RuntimeError] = []

    def failing(self: PlainUpdate, step: int, *arguments):
        if step == 4:
            raised.append(RuntimeError("the fifth"))
            raise raised[0]
        return real(self, step, *arguments)

    monkeypatch.setattr(PlainUpdate, "step", failing)
    row = train_run(config_of(*SMALL, *more), tmp_path, NoDisplay())
    assert row["status"] == "failed"
    assert str(row["reason"]).startswith("RuntimeError: the fifth at ")
    assert (row["steps"], row["examples"], row["gradient_evaluations"]) == (4, 64, 4)
    assert read_summary(tmp_path) is not None
    assert read_steps(tmp_path)["step"].tolist() == [1, 2, 3, 4]
    assert set(read_evals(tmp_path)["step"]) == {0}
    assert "the fifth" in (tmp_path / "error.txt").read_text()
    assert vars(raised[0]) == {}, "an exception that carries something"
