"""What thousands of runs must not cost: configs, files opened twice, curves drawn one by one."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from run_folders import make_run

from sgdlab.analysis import Analysis, analyse
from sgdlab.analysis.curves import MOST_LOST, curves, evaluations
from sgdlab.report.verdict import answers

_listeners: list[Counter[str]] = []


def _hear(event: str, arguments: tuple) -> None:
    if event == "open" and _listeners:
        _listeners[-1][Path(str(arguments[0])).name] += 1


sys.addaudithook(_hear)


@contextmanager
def opened() -> Iterator[Counter[str]]:
    """Count the files opened, by name."""
    _listeners.append(Counter())
    try:
        yield _listeners[-1]
    finally:
        _listeners.pop()


def make_sweep(root: Path, seeds: int, told: bool) -> Path:
    """Write two optimizers over learning rates, splits, clipping and seeds; some diverged."""
    for optimizer in ("adam", "sgd"):
        for trial in range(2 * seeds):
            lost = trial % 3 == 2
            make_run(
                root / f"{optimizer}-t{trial}", optimizer, lr=0.01 * (trial + 1), trial=trial,
                phase="tune", test=None, told=told, status="diverged" if lost else "completed",
                summary={"epochs": 1} if lost else None,
            )  # fmt: skip
        for seed in range(seeds):
            for split in (0, 1):
                make_run(
                    root / f"{optimizer}-{seed}-{split}", optimizer, seed=seed, told=told,
                    phase="final", test=0.9 + seed / 100, summary={"clip_norm": 1.0},
                    config={"split": {"seed": split}, "clip_norm": 1.0},
                )  # fmt: skip
    return root


def said(study: Analysis) -> list[object]:
    return [
        study.comparison.to_dict("records"),
        study.pairwise.to_dict("records"),
        study.runs.configs,
        [(r.workload, r.entries) for r in study.results],
        answers(study),
    ]


def test_summaries_that_tell_all_give_what_configs_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[list[object]] = []
    for told in (True, False):
        folder = tmp_path / str(told)
        folder.mkdir()
        monkeypatch.chdir(folder)
        found.append(said(analyse([make_sweep(Path("study"), 3, told)])))
    assert found[0] == found[1]
    assert "split.seed=1" in str(found[0])


def test_configs_are_opened_once_for_all_runs_that_share_them(tmp_path: Path) -> None:
    counts: list[Counter[str]] = []
    for seeds in (3, 9):
        root = make_sweep(tmp_path / str(seeds), seeds, told=True)
        with opened() as files:
            analyse([root])
        runs = 8 * seeds
        assert files["summary.csv"] == files["evals.csv"] == files["steps.csv"] == runs
        counts.append(files)
    # The trials, those that diverged (fewer epochs than planned), and the two splits.
    assert counts[0]["config.yaml"] == counts[1]["config.yaml"] == 4


def test_a_config_that_does_not_fit_its_summary_speaks_for_no_other(tmp_path: Path) -> None:
    make_run(tmp_path / "a", seed=0, told=True)
    make_run(tmp_path / "b", seed=1, told=True)
    config = tmp_path / "a" / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 2", "epochs: 2\ndtype: float64"))
    configs = analyse([tmp_path]).runs.configs
    assert configs[0].get("dtype") == "float64"
    assert "dtype" not in configs[1]


def test_an_unreadable_config_is_named_and_the_next_one_read(tmp_path: Path) -> None:
    for seed in range(3):
        make_run(tmp_path / str(seed), seed=seed, told=True)
    (tmp_path / "0" / "config.yaml").write_text("lr: [")
    study = analyse([tmp_path])
    assert len(study.runs.problems) == 1
    assert "config.yaml" in study.runs.problems[0]
    assert study.runs.configs[1] == study.runs.configs[2] != {}


def test_only_some_of_many_lost_runs_are_drawn(tmp_path: Path) -> None:
    for seed in range(MOST_LOST + 5):
        make_run(tmp_path / f"{seed:02}", seed=seed, status="diverged", val=(0.1, 0.5 + seed / 100))
    study = analyse([tmp_path])
    (curve,) = curves(
        study.runs,
        study.results[0].entries,
        lambda row: evaluations(study.runs, row, "accuracy", "val", "step"),
    )
    last = [y[-1] for _, (_, y) in curve.lost]
    assert len(last) == MOST_LOST
    assert (last[0], last[-1]) == (0.5, 0.5 + (MOST_LOST + 4) / 100)
