"""The sentence on the first screen, made from the data: ties, gaps, margins, many, few, none."""

import math
from pathlib import Path

import numpy as np
import pytest
from run_folders import make_pair, make_replicates, make_run
from scipy import stats

from answer_text import verdicts
from sgdlab.analysis import Analysis, analyse
from sgdlab.analysis.statistics import ANYTIME, seeds_needed
from sgdlab.report.evidence_tables import pairs
from sgdlab.report.tables import comparison, cost
from sgdlab.report.verdict import answers


def sample(mean: float, sd: float, n: int = 5, seed: int = 0) -> list[list[float]]:
    """Return a value per replicate, with exactly this mean and standard deviation."""
    drawn = np.random.default_rng(seed).normal(size=n)
    drawn = (drawn - drawn.mean()) / drawn.std(ddof=1)
    return [[float(mean + sd * value)] for value in drawn]


def test_two_that_are_level_and_how_many_replicates_would_tell(tmp_path: Path) -> None:
    noise = np.array(sample(0, 0.02))[:, 0]
    base = np.array(sample(0.95, 0.01, seed=1))[:, 0]
    make_replicates(
        tmp_path,
        {"nesterov": [[v] for v in base + 0.009 + noise], "adamw": [[v] for v in base]},
        trials=16,
        val=(0.1, 0.95, 0.95),
    )
    for path in (tmp_path / "final").glob("nesterov*"):
        number = int(path.name.split("-")[1])
        make_run(
            path, "nesterov", seed=2 * number + 1, phase="final", trial=0,
            lr=0.01 * (1 + number), test=float((base + 0.009 + noise)[number]),
            val=(0.1, 0.6, 0.95),
            summary={"replicate": number, "study": "study", "optimizer_state_bytes": 9620},
        )  # fmt: skip
    study = analyse([tmp_path], target=0.9)
    half = 2.7764451 * 1.13 * 2 / np.sqrt(5)
    p = 2 * stats.t.sf(0.45 * np.sqrt(5) / 1.13, 4)
    needed = seeds_needed(0.45, 1.0, design=ANYTIME)
    assert verdicts(study)[0].splitlines() == [
        "On digits/mlp, nesterov and adamw: undecided",
        f"test accuracy: nesterov − adamw = +0.90 points (95 % CI −{half - 0.9:.2f} to "
        f"+{half + 0.9:.2f}; p = {p:.3f})",
        "Audit, not met: best learning rate inside its range. Audit, in doubt: gap above noise, "
        "no missing or failed runs, independent searches and 7 more",
        "Speed: adamw reached 90.00 % validation accuracy in half the steps of nesterov "
        "(medians, log-rank p = 0.008)",
        "Memory: optimizer state nesterov 9.62 kB, adamw 19.2 kB",
        "5 replicates, each an independent search of 16 trials and a fresh seed. This is about "
        "optimizer and tuning under this budget. Luck inside the interval: seeds and searches. "
        "Outside: the split of the data, one and the same for all (split.vary=true draws one for "
        "every replicate).",
        f"Next: about {needed:.0f} replicates would tell them apart, if the gap is as seen here",
    ]
    note = "Wilcoxon's test cannot go below p = 0.0625 with 5 replicates"
    assert any(note in text for text in answers(study)[0].notes)


def test_a_wide_interval_that_hundreds_would_narrow_is_said_as_it_is(tmp_path: Path) -> None:
    base, noise = np.array(sample(0.70, 0.02))[:, 0], np.array(sample(0, 0.2, seed=2))[:, 0]
    make_replicates(tmp_path, {"a": [[v] for v in base + 0.01 + noise], "b": [[v] for v in base]})
    said = verdicts(analyse([tmp_path]))[0]
    half = 100 * 2.7764451 * 1.13 * 0.2 / np.sqrt(5)
    needed = seeds_needed(0.05, 1.0, design=ANYTIME)
    assert said.splitlines()[-1] == (
        f"Next: the difference may be anything from −{half - 1:.2f} to +{half + 1:.2f} points; to "
        f"tell them apart would take about {needed:,.0f} replicates, if the gap is as seen here"
    )


def test_one_that_is_really_better_is_called_so(tmp_path: Path) -> None:
    base = sample(0.90, 0.01)
    better = [[v[0] + 0.03 + d[0]] for v, d in zip(base, sample(0, 0.005, seed=2), strict=True)]
    make_replicates(tmp_path, {"good": better, "bad": base})
    study = analyse([tmp_path])
    assert verdicts(study)[0].startswith("On digits/mlp, good is better than bad\n")
    assert "good − bad = +3.00 points (95 % CI +2.30 to +3.70" in verdicts(study)[0]
    assert "would tell" not in verdicts(study)[0]
    pair = study.results[0].primary[0]
    assert (pair["first"], pair["verdict"]) == ("good", "first better")


@pytest.mark.parametrize(("margin", "verdict"), [(0.01, "equivalent"), (0.001, "undecided")])
def test_equivalent_needs_a_margin(tmp_path: Path, margin: float, verdict: str) -> None:
    base = sample(0.90, 0.01)
    twin = [[v[0] + d[0]] for v, d in zip(base, sample(0.0005, 0.002, seed=2), strict=True)]
    make_replicates(tmp_path, {"a": twin, "b": base})
    study = analyse([tmp_path], margin=margin)
    assert study.results[0].primary[0]["verdict"] == verdict
    assert study.results[0].margin == margin
    limit = "a and b: equivalent within 1 point\ntest accuracy: a − b = +0.05 points (95 % CI −0.23"
    assert (limit in verdicts(study)[0]) == (verdict == "equivalent")


def test_two_replicates_decide_nothing_small(tmp_path: Path) -> None:
    make_replicates(tmp_path, {"a": [[0.92], [0.95]], "b": [[0.90], [0.94]]})
    verdict = verdicts(analyse([tmp_path]))[0]
    assert "a and b: undecided" in verdict
    assert "2 replicates, each" in verdict


def test_one_replicate_of_one_seed_concludes_nothing(tmp_path: Path) -> None:
    make_replicates(tmp_path, {"a": [[0.92]], "b": [[0.90]]})
    verdict = verdicts(analyse([tmp_path]))[0]
    assert "too few seeds to conclude anything\n" in verdict
    assert "they share one seed, so a difference may be chance" in verdict


def test_all_diverged(tmp_path: Path) -> None:
    for name in "ab":
        for number in range(3):
            cells = {"contender": name, "replicate": number}
            make_run(
                tmp_path / f"{name}{number}", name, seed=2 * number + 1, status="diverged",
                phase="final", summary=cells,
            )  # fmt: skip
    study = analyse([tmp_path])
    (said,) = verdicts(study)
    assert said.startswith(
        "On digits/mlp, nothing can be compared\nnone of 6 runs completed (6 diverged)\n"
    )
    assert [row["units"] for row in study.results[0].rows] == [0, 0]


def test_one_sided_missing_pairs_are_counted(tmp_path: Path) -> None:
    base = sample(0.90, 0.01, n=6)
    make_replicates(tmp_path, {"a": [*base[:4], [], []], "b": [*base[:2], [], *base[3:]]})
    study = analyse([tmp_path])
    pair = study.results[0].primary[0]
    assert pair["n_pairs"] == 3
    assert "left out" in pair["note"]
    assert {row["optimizer"]: row["units"] for row in study.results[0].rows} == {"a": 4, "b": 5}


def test_the_same_difference_everywhere_is_one(tmp_path: Path) -> None:
    make_replicates(tmp_path, {"a": [[1.0]] * 5, "b": [[2 / 3]] * 5})
    study = analyse([tmp_path])
    assert study.results[0].primary[0]["verdict"] == "first better"
    said = verdicts(study)[0]
    assert said.startswith("On digits/mlp, a is better than b\n")
    assert "a − b = +33.33 points (95 % CI +" in said
    assert "the same difference for every replicate)" in said
    assert study.comparison["test_metric_ci_low"].tolist() == [None, None]
    cells = {row[0]: row[1] for row in comparison(study.results[0]).rows}
    assert cells["a"] == "100.00 % (equal for every replicate)"


@pytest.mark.parametrize("margin", [None, 0.01])
def test_equal_everywhere_is_equivalent(tmp_path: Path, margin: float | None) -> None:
    for name in "ab":
        for seed in range(3):
            make_run(
                tmp_path / f"{name}{seed}", name, seed=seed, metric="rmse", test=0.0,
                val=(1.0, 0.0), summary={"final_val_loss": 0.0},
            )  # fmt: skip
    study = analyse([tmp_path], margin=margin)
    (pair,) = study.results[0].primary
    assert pair["verdict"] == "equivalent"
    assert not math.isfinite(pair["seeds_needed"])
    assert "a and b: equivalent" in verdicts(study)[0]
    assert "∞" not in str(pairs(study.results[0]).rows)


def test_three_that_are_equal_are_called_so(tmp_path: Path) -> None:
    # Sums of these differ in the last bit.
    values = {"a": [0.1, 0.2, 0.3], "b": [0.3, 0.2, 0.1], "c": [0.2, 0.1, 0.3]}
    samples = {name: [[value] for value in found] for name, found in values.items()}
    (said,) = verdicts(analyse([make_replicates(tmp_path, samples)]))
    assert said.startswith("On digits/mlp, a, b and c share the best mean\n")


def test_no_interval_of_a_proportion_leaves_0_to_100(tmp_path: Path) -> None:
    make_pair(tmp_path, [1.0, 0.5], [0.0, 0.1])
    study = analyse([tmp_path])
    for row in study.results[0].rows:
        assert 0 <= row["test_metric_ci_low"] <= row["test_metric_ci_high"] <= 1
    (pair,) = study.results[0].primary
    assert -1 <= pair["ci_low"] <= pair["ci_high"] <= 1


def test_what_a_search_cost_is_in_one_unit(tmp_path: Path) -> None:
    samples = {name: sample(0.9, 0.01, seed=k) for k, name in enumerate("ab")}
    study = analyse([make_replicates(tmp_path, samples, trials=4)])
    table = cost(study.results[0])
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["Searches"], row["Trials of one"], row["Steps of one"]) == ("5", "4", "80")


def twenty(root: Path) -> Analysis:
    for number in range(20):
        level = 0.95 if number < 3 else 0.90 - number / 100
        for seed in range(8):
            wobble = 0.002 * np.sin(7 * number + 3 * seed * (number + 1))
            make_run(
                root / f"o{number}-{seed}", f"o{number:02}", seed=seed, phase="final",
                test=float(level + wobble), val=(0.1, 0.5), train_loss=False,
            )  # fmt: skip
    return analyse([root])


def test_of_twenty_the_best_the_level_and_the_beaten(tmp_path: Path) -> None:
    study = twenty(tmp_path)
    pairs = study.results[0].primary
    assert len(pairs) == 190
    best = study.results[0].rows[0]["optimizer"]
    level = sorted({"o00", "o01", "o02"} - {best})
    said = {p["second"]: p["verdict"] for p in pairs if p["first"] == best}
    assert {said[name] for name in level} <= {"undecided", "equivalent"}
    assert sum(verdict == "first better" for verdict in said.values()) == 17
    assert f"{best} leads; better than 17 of 19 others" in verdicts(study)[0]
    assert "better than 17 others and" in verdicts(study)[0]
    assert "Paired t-tests, Holm over 190 pairs, 0.05 level. " in verdicts(study)[0]
    note = next(text for text in answers(study)[0].notes if "Wilcoxon" in text)
    assert "p = 0.00781 with 8 seeds, 1 after Holm over 190 pairs" in note


def test_without_a_margin_equivalence_is_not_tested_and_that_is_said(tmp_path: Path) -> None:
    for name, add in (("a", 0.0), ("b", 0.5)):
        for seed in range(4):
            make_run(
                tmp_path / f"{name}{seed}", name, seed=seed, metric="rmse",
                test=50 + seed + add * (seed % 2), val=(80.0, 60.0 + seed),
                summary={"final_val_loss": 1.0},
            )  # fmt: skip
    study = analyse([tmp_path])
    assert study.results[0].margin is None
    assert study.results[0].primary[0]["p_equivalence"] != 0
    assert any("Equivalence was not tested" in n for n in answers(study)[0].notes)
    study = analyse([tmp_path], margin=2)
    assert study.results[0].primary[0]["verdict"] == "equivalent"


def test_ratios_are_left_out_where_the_data_lack_them(tmp_path: Path) -> None:
    make_pair(tmp_path, [0.91, 0.93, 0.95], [0.90, 0.90, 0.93])
    verdict = verdicts(analyse([tmp_path], target=0.99))[0]
    assert "reached" not in verdict
    assert "memory" not in verdict


def survivors() -> dict[str, list[list[float]]]:
    """Return ten replicates in which b is better, and lacks a winner on the five hard ones."""
    noise = np.array(sample(0, 0.002, n=10))[:, 0]
    level = np.where(np.arange(10) < 5, 0.94, 0.80)
    worse = level - 0.03
    return {
        "a": [[v] for v in level - 0.01 + noise],
        "b": [[v] if k < 5 else [] for k, v in enumerate(level)],
        "c": [[v] for v in worse + noise[::-1]],
    }


def test_the_best_mean_of_survivors_is_not_called_better_without_a_word(tmp_path: Path) -> None:
    """B's mean is over the easy replicates only."""
    study = analyse([make_replicates(tmp_path, survivors())])
    (said,) = verdicts(study)
    assert said.startswith("On digits/mlp, b is better than both others\n")
    assert "Not completed: b 5 of 10 replicates; what is left may flatter it" in said
    checks = {check.check: check.status for check in study.results[0].audit}
    assert checks["no missing or failed runs"] != "pass"
    two = {name: found for name, found in survivors().items() if name != "c"}
    (said,) = verdicts(analyse([make_replicates(tmp_path / "two", two)]))
    assert "b is better than a where both completed\n" in said
    assert "Not completed: b 5 of 10 replicates" in said


def test_a_best_mean_that_loses_where_both_completed_is_called_worse(tmp_path: Path) -> None:
    """A is worse than b in each of the replicates that both have, and better on average."""
    noise = np.array(sample(0, 0.002, n=10))[:, 0]
    samples = {
        "a": [[v] for v in np.where(np.arange(10) < 5, 0.80, 0.99) + noise],
        "b": [[0.85 + 0.001 * k] if k < 5 else [] for k in range(10)],
        "c": [[v] for v in 0.70 + noise[::-1]],
    }
    study = analyse([make_replicates(tmp_path, samples)])
    (said,) = verdicts(study)
    assert "a leads, but loses to b where both completed" in said
    assert "Next: find out why replicates are missing before choosing" in said
    assert "better than both" not in said
    assert "a is better than c and worse than b on the replicates that both completed" in said


def test_equal_means_share_the_first_place(tmp_path: Path) -> None:
    values = sample(0.9, 0.01)
    samples = {"a": values, "b": values, "c": sample(0.8, 0.01, seed=3)}
    (said,) = verdicts(analyse([make_replicates(tmp_path, samples)]))
    assert "a and b share the best mean\n" in said


def test_a_ratio_of_steps_needs_a_decided_test(tmp_path: Path) -> None:
    samples = {name: sample(0.9, 0.01, seed=k) for k, name in enumerate(("adam", "sgd"))}
    make_replicates(tmp_path, samples, val=(0.1, 0.95, 0.95))
    for replicate in range(3):
        make_run(
            tmp_path / "final" / f"sgd-{replicate}-0", "sgd", seed=2 * replicate + 1, phase="final",
            trial=0, lr=0.01 * (1 + replicate), test=samples["sgd"][replicate][0],
            val=(0.1, 0.6, 0.95), summary={"replicate": replicate, "study": "study"},
        )  # fmt: skip
    study = analyse([tmp_path], target=0.9)
    (row,) = (pair for pair in study.results[0].pairs if pair["metric"] == "steps_to_target")
    assert row["verdict"] == "undecided"
    said = "Speed: adam took 10 steps to 90.00 % validation accuracy, sgd 20 (medians, log-rank p"
    assert said in verdicts(study)[0]
    assert "half the steps" not in verdicts(study)[0]


def test_equivalence_is_judged_by_the_p_value_that_is_shown(tmp_path: Path) -> None:
    base = np.array(sample(0.9, 0.02, n=8, seed=5))[:, 0]
    samples = {
        name: [[float(v)] for v in base + np.array(sample(0, 0.004, n=8, seed=9 + k))[:, 0]]
        for k, name in enumerate("abc")
    }
    study = analyse([make_replicates(tmp_path, samples)], margin=0.006)
    pairs = study.results[0].primary
    raw = [pair["p_equivalence"] for pair in pairs]
    shown = [pair["p_equivalence_adjusted"] for pair in pairs]
    assert all(adjusted >= p for adjusted, p in zip(shown, raw, strict=True))
    assert shown != raw
    for pair, adjusted in zip(pairs, shown, strict=True):
        assert (pair["verdict"] == "equivalent") == (adjusted < 0.05)
    assert "p_equivalence_adjusted" in study.pairwise.columns
