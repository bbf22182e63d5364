"""An optimizer against itself, through the real command: how often a winner is named.

Selecting by validation and re-running one winner over seeds names a winner between an optimizer
and itself in 10 to 48 % of comparisons; a replicate that is a search of its own is what mends it.
"""

import itertools
import shutil
from pathlib import Path

import pytest
from cli_runs import Cli, summary

from sgdlab.analysis import analyse
from sgdlab.comparison import run as compare

CONTENDERS = 7
SEEDS = (0, 100, 300, 400, 500, 600)
"""Of the studies; in that of seed 200 a final run diverges, and leaves a replicate without pair."""
COMPARISONS = len(SEEDS) * CONTENDERS * (CONTENDERS - 1) // 2
STUDY = (
    "dataset=digits", "model=mlp", "epochs=6", "trials=8", "replicates=5", "tracks=[tuned]",
    "schedule.warmup_epochs=1", "engine=stacked",
)  # fmt: skip


def clones(folder: Path) -> list[str]:
    """Write copies of one optimizer: only the seeds of their searches tell them apart."""
    conf = Path(__file__).parents[2] / "conf"
    names = [f"clone_{letter}" for letter in "abcdefghij"[:CONTENDERS]]
    for group in ("optimizer", "search"):
        (folder / group).mkdir(parents=True)
        for name in names:
            shutil.copy(conf / group / "nesterov.yaml", folder / group / f"{name}.yaml")
    return names


@pytest.mark.slow
def test_an_optimizer_against_itself_rarely_has_a_winner(
    sgdlab: Cli, parts: Path, monkeypatch: pytest.MonkeyPatch
):
    """Every pair of clones is a comparison of two: 126 of them, each judged by itself."""
    monkeypatch.setattr(compare, "_report", lambda *_: None)
    names = clones(parts)
    named: dict[str, list[str]] = {"test_metric": [], "test_loss": []}
    for seed in SEEDS:
        result = sgdlab(
            "compare", "--config-dir", parts, *STUDY, f"seed={seed}", f"study=s{seed}",
            f"optimizers=[{','.join(names)}]",
        )  # fmt: skip
        assert result.code == 0, result.err
        study = sgdlab.folder / f"runs/s{seed}"
        finals = sorted(path.parent for path in study.glob("final/*/summary.csv"))
        of = {name: [run for run in finals if summary(run)["optimizer"] == name] for name in names}
        assert {len(runs) for runs in of.values()} == {5}
        for pair in itertools.combinations(names, 2):
            (judged,) = analyse([run for name in pair for run in of[name]]).results
            for metric, found in named.items():
                (row,) = (row for row in judged.pairs if row["metric"] == metric)
                assert row["n_pairs"] == 5
                if row["verdict"] in ("first better", "second better"):
                    found.append(f"seed {seed}: {pair} {row['mean_difference']:+.4f}")
    print({metric: f"{len(found)} of {COMPARISONS}" for metric, found in named.items()})
    assert COMPARISONS >= 100
    for metric, found in named.items():
        assert len(found) <= 0.07 * COMPARISONS, (metric, found)
