import random
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from hand_runs import write_run

from sgdlab.diagnosis import RunRecord
from sgdlab.diagnosis.reading import folders_at, read_runs, siblings_of
from sgdlab.diagnosis.siblings import CHANGED, Siblings, rate_of
from sgdlab.results import STEP_COLUMNS


def record(number: int, batch: int, rate: float, steps: int, depth: int) -> RunRecord:
    columns = {column: np.ones(2) for column in STEP_COLUMNS}
    columns["lr"] = np.array([rate, rate / 2])
    columns["examples"] = np.array([batch, batch * steps], dtype=float)
    config = {"model": {"depth": depth}, "batch_size": batch, "optimizer": {"lr": rate}}
    return RunRecord(Path(f"r{number}"), config, columns, {}, "accuracy")


def alike(run: RunRecord, runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the siblings of a run by comparing it with every other."""
    return [
        other
        for other in runs
        if other is not run
        and other.config["model"] == run.config["model"]
        and run.steps["examples"][-1] >= other.steps["examples"][-1] / 1.5
    ]


def test_siblings_are_those_that_comparing_every_pair_finds() -> None:
    rng = random.Random(0)
    drawn = [
        (rng.choice([8, 16, 32, 64]), rng.choice([0.1, 0.2, 0.3]), rng.randint(10, 80), n % 2)
        for n in range(80)
    ]
    runs = [record(number, *one) for number, one in enumerate(drawn)]
    known = Siblings(runs)
    found: list[bool] = []
    for run in runs:
        others, batch, rate = alike(run, runs), run.effective_batch or 0, rate_of(run)
        other_rate = [
            o for o in others if o.effective_batch == batch and rate_of(o) != rate_of(run)
        ]
        assert known.have_other_rate(run) == bool(other_rate)
        smaller = [
            o for o in others
            if batch >= CHANGED * (o.effective_batch or 0) and rate_of(o) == rate
        ]  # fmt: skip
        best = max(smaller, key=lambda o: o.effective_batch or 0, default=None)
        assert known.smaller(run) is best
        found.append(best is not None)
    assert len(set(found)) == 2


def test_a_folder_of_many_runs_is_listed_once(tmp_path: Path) -> None:
    for number in range(12):
        write_run(tmp_path / f"r{number}", [1.0, 0.5, 0.25])
    runs, _ = read_runs(folders_at([tmp_path])[0])
    with mock.patch.object(Path, "iterdir", autospec=True, side_effect=Path.iterdir) as listed:
        assert len(siblings_of(runs)) == 12
    assert listed.mock_calls == [mock.call(tmp_path.resolve())]
