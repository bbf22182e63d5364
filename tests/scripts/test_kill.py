"""The campaign of kills finds nothing, and would find what differs."""

import os

import pytest

import kill

if not hasattr(os, "fork"):
    pytest.skip("needs fork", allow_module_level=True)


@pytest.mark.slow
def test_runs_that_are_killed_end_as_if_they_had_not_been():
    said: list[str] = []
    assert kill.main(["--count", "3", "--only", "train", "--seed", "1"], said.append) == 0, said
    assert said[-1].endswith(" kills, 0 wrong")


def test_a_row_that_is_lost_is_seen(tmp_path):
    run = tmp_path / "runs" / "s" / "r1"
    run.mkdir(parents=True)
    (run / "steps.csv").write_text("step,loss\n0,1.5\n1,1.25\n")
    (run / "evals.csv").write_text("step,train_seconds\n1,0.5\n")
    whole = kill.content(tmp_path)
    (run / "evals.csv").write_text("step,train_seconds\n1,0.7\n")  # time may differ
    assert kill.first_difference(whole, kill.content(tmp_path)) is None
    (run / "steps.csv").write_text("step,loss\n0,1.5\n")
    assert kill.first_difference(whole, kill.content(tmp_path)) == "s/r1/steps.csv"
    (run / "steps.csv").unlink()
    assert kill.first_difference(whole, kill.content(tmp_path)) == "s/r1/steps.csv"
