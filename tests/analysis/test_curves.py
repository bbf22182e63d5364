from pathlib import Path

import numpy as np
import pytest
from run_folders import make_run

from sgdlab.analysis import analyse
from sgdlab.analysis.curves import band, binned_steps, by_clock, curves, evaluations


def line(x: list[float], y: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(x, dtype=float), np.array(y, dtype=float)


def test_band_on_the_same_steps_needs_no_grid() -> None:
    found = band([line([0, 1], [1, 2]), line([0, 1], [3, 6]), line([0, 1], [5, 4])], False)
    assert found is not None
    assert list(found.median) == [3, 4]
    assert list(found.low) == [1, 2]
    assert list(found.high) == [5, 6]


def test_band_covers_only_what_all_have() -> None:
    found = band([line([0, 10], [0, 10]), line([2, 8], [2, 8])], False)
    assert found is not None
    assert (found.x[0], found.x[-1]) == (2, 8)
    assert found.median == pytest.approx(found.x)
    assert band([line([0, 1], [0, 0]), line([2, 3], [0, 0])], False) is None
    assert band([], False) is None


def test_percentiles() -> None:
    found = band([line([0], [float(v)]) for v in range(11)], True)
    assert found is not None
    assert (found.low[0], found.median[0], found.high[0]) == (1, 5, 9)


def test_lines_of_a_run(tmp_path: Path) -> None:
    make_run(tmp_path / "a", seed=0)
    make_run(tmp_path / "b", seed=1, status="diverged")
    study = analyse([tmp_path])
    values = evaluations(study.runs, 0, "accuracy", "val", "train_seconds")
    assert values is not None
    assert list(values[0]) == [0, 0.25, 0.5]
    assert list(values[1]) == [0.1, 0.6, 0.9]
    binned = binned_steps(study.runs, [0, 1], ["loss"], 15)["loss"][0]
    steps = np.arange(1, 21)
    assert list(binned[0]) == [8, 18]
    assert binned[1] == pytest.approx([np.mean(2 / steps[:15]), np.mean(2 / steps[15:])])
    timed = by_clock(study.runs, 0, binned, "train_seconds")
    assert timed is not None
    assert timed[0] == pytest.approx([0.2, 0.45])
    found = curves(
        study.runs,
        study.results[0].entries,
        lambda row: evaluations(study.runs, row, "accuracy", "val", "step"),
    )
    assert found[0].band is not None
    assert found[0].band.n == 1
    assert [status for status, _ in found[0].lost] == ["diverged"]
