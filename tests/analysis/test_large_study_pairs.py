"""The pairs of a study of 500 run folders against SciPy and statsmodels on its raw numbers."""

import math
from itertools import combinations

import pandas as pd
import pytest
from scipy import stats
from simulated_oracles import km_median, seen, units
from simulated_study import MARGIN, QUALITY, Raw
from statsmodels.stats.multitest import multipletests

from answer_text import verdicts
from guarded import guarded, guarded_within, widening
from sgdlab.analysis import Analysis


def far(effect: float, n: float, level: float) -> float:
    """Return the power of n pairs on the near side; SciPy makes NaN of the far one, empty here."""
    critical = stats.t.isf(level / 2, n - 1) * widening(int(n))
    return float(stats.nct.sf(critical, n - 1, abs(effect) * math.sqrt(n)))


COLUMNS = {
    "test_metric": ("test", 1), "test_loss": ("test_loss", -1),
    "best_val_loss": ("best_val_loss", -1), "final_val_metric": ("final_val_metric", 1),
}  # fmt: skip


@pytest.mark.parametrize("metric", COLUMNS)
def test_pairs(simulated_analysis: Analysis, simulated_table: pd.DataFrame, metric: str) -> None:
    column, sign = COLUMNS[metric]
    pairs = simulated_analysis.pairwise
    pairs = pairs[(pairs["track"] == "tuned") & (pairs["metric"] == metric)]
    order = [entry.optimizer for entry in simulated_analysis.results[0].entries]
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == list(combinations(order, 2))
    values = {name: units(simulated_table, name, column) for name in QUALITY}
    expected: list[dict[str, float]] = []
    for first, second in combinations(order, 2):
        common = values[first].index.intersection(values[second].index)
        a, b = (values[name].loc[common].to_numpy() for name in (first, second))
        if len(common) == 0:
            expected.append({"n": 0, "p": math.nan, "wilcoxon": math.nan, "tost": math.nan})
            continue
        known = guarded(a, b)
        expected.append({
            "n": len(common), "mean": (a - b).mean(), "low": known.low, "high": known.high,
            "p": known.p, "d": (a - b).mean() / (a - b).std(ddof=1),
            "wilcoxon": stats.wilcoxon(a, b, method="exact").pvalue,
            "tost": guarded_within(a, b, MARGIN),
        })  # fmt: skip
    adjusted, wilcoxon, tost = (
        multipletests([1.0 if math.isnan(e[key]) else e[key] for e in expected], method="holm")[1]
        for key in ("p", "wilcoxon", "tost")
    )
    for place, (row, e) in enumerate(zip(pairs.to_dict("records"), expected, strict=True)):
        assert row["n_pairs"] == e["n"]
        assert (row["unit"], row["dataset"], row["model"]) == ("replicate", "digits", "mlp")
        if e["n"] == 0:
            assert row["verdict"] == "undecided"
            assert row["p_value"] is None
            assert "no replicate was completed by both" in row["note"]
            continue
        both = {
            "mean_difference": e["mean"], "ci_low": e["low"], "ci_high": e["high"],
            "p_value": e["p"], "p_adjusted": adjusted[place], "effect_size": e["d"],
            "p_wilcoxon": e["wilcoxon"], "p_wilcoxon_adjusted": wilcoxon[place],
        }  # fmt: skip
        assert {key: row[key] for key in both} == pytest.approx(both, rel=1e-6)
        same = "undecided"
        if metric in ("test_metric", "final_val_metric"):
            assert row["p_equivalence"] == pytest.approx(e["tost"], rel=1e-6)
            assert row["margin"] == MARGIN
            same = "equivalent" if tost[place] < 0.05 else "undecided"
        else:
            assert (row["p_equivalence"], row["margin"]) == (None, None)
        better = "first better" if sign * e["mean"] > 0 else "second better"
        assert row["verdict"] == (better if adjusted[place] < 0.05 else same)
        needed, level = row["seeds_needed"], 0.05 / len(expected)
        assert far(e["d"], needed, level) >= 0.8
        assert needed == 2 or far(e["d"], needed - 1, level) < 0.8


def test_every_verdict_occurs(simulated_analysis: Analysis) -> None:
    primary = simulated_analysis.results[0].primary
    judged = {(pair["first"], pair["second"]): pair["verdict"] for pair in primary}
    assert set(judged.values()) == {"first better", "equivalent", "undecided"}
    assert judged["twin", "adam"] == "equivalent"
    said = verdicts(simulated_analysis)[0]
    assert "equivalent to adam within 1 point" in said
    assert "better than" in said
    assert "This is about optimizer and tuning under this budget." in said


def test_times_are_compared_by_their_medians(
    simulated_analysis: Analysis, simulated: list[Raw]
) -> None:
    pairs = simulated_analysis.pairwise
    pairs = pairs[(pairs["track"] == "tuned") & (pairs["metric"] == "steps_to_target")]
    assert len(pairs) == 10
    for row in pairs.to_dict("records"):
        gap = km_median(*seen(simulated, row["first"])) - km_median(*seen(simulated, row["second"]))
        assert row["mean_difference"] == (None if math.isnan(gap) else pytest.approx(gap))
    known = [p for p in pairs["p_value"] if p is not None]
    adjusted = multipletests(known, method="holm")[1]
    assert [p for p in pairs["p_adjusted"] if p is not None] == pytest.approx(list(adjusted))
    judged = dict(zip(zip(pairs["first"], pairs["second"], strict=True), pairs["verdict"],
                        strict=True))  # fmt: skip
    assert judged["adam", "worse"] == "first better"
