"""Workloads together: every number of a joint row is recomputed by statsmodels and SciPy."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from run_folders import make_run
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from sgdlab.analysis import analyse, analyse_runs
from sgdlab.analysis.joint import DIFFERENCE, SPEED_UP
from sgdlab.analysis.logs import LogOptions, read_logs
from sgdlab.analysis.statistics import hedges
from sgdlab.report import build
from sgdlab.report.verdict import joint

RNG = np.random.default_rng(5)
MODELS = {"mlp": 5, "cnn": 4, "vit": 5, "linear": 3}
VALUES = {
    model: {
        name: 0.8 + gap * (name == "adam") + 0.01 * RNG.normal(size=n) for name in ("adam", "sgd")
    }
    for (model, n), gap in zip(MODELS.items(), (0.02, 0.03, 0.025, 0.01), strict=True)
}


def write(root: Path) -> None:
    for model, samples in VALUES.items():
        for name, values in samples.items():
            for seed, value in enumerate(values.tolist()):
                make_run(
                    root / f"{model}-{name}-{seed}", name, seed=seed, phase="final", model=model,
                    test=value,
                )  # fmt: skip


def oracle(y: list[float], v: list[float]):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = combine_effects(np.array(y), np.array(v), method_re="iterated", use_t=True)
        return found, found.conf_int()[3]


def test_standardised_differences_are_combined(tmp_path: Path) -> None:
    write(tmp_path)
    analysis = analyse([tmp_path])
    found = next(pair for pair in analysis.together if pair.effect == DIFFERENCE)
    sign = 1.0 if found.first == "adam" else -1.0
    y, own, counts = [], [], []
    models = [effect.result.workload.model for effect in found.effects]
    assert sorted(models) == sorted(MODELS)
    for model in models:
        a, b = (VALUES[model][name] for name in ("adam", "sgd"))
        n, s = len(a), math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
        j = hedges(2 * (n - 1))
        y.append(sign * j * float((a - b).mean()) / s)
        own.append(n * (j * stats.sem(a - b) / s) ** 2)
        counts.append(n)
    drift = [hedges(m) ** 2 * m / (m - 2) - 1 for m in (2 * (n - 1) for n in counts)]
    both = zip(counts, drift, strict=True)
    v = [float(np.mean(own)) / n + float(np.mean(y)) ** 2 * more for n, more in both]
    whole, (low, high) = oracle(y, v)
    assert [effect.value for effect in found.effects] == pytest.approx(y)
    assert [effect.error**2 for effect in found.effects] == pytest.approx(v)
    assert found.whole.mean == pytest.approx(whole.mean_effect_re, abs=1e-4)
    assert (found.whole.low, found.whole.high) == pytest.approx((low, high), abs=1e-3)
    assert found.p_adjusted == found.whole.p
    assert found.verdict == ("first better" if sign > 0 else "second better")


def test_log_speed_ups_are_to_the_loss_that_both_reach(tmp_path: Path) -> None:
    steps = np.arange(0.0, 201.0, 10.0)
    curves = {
        (work, name, seed): 1 / (1 + speed * math.exp(0.2 * RNG.normal()) * steps / 20) + 0.2
        for work, more in (("a", 1.5), ("b", 0.8), ("c", 2.0))
        for name, speed in (("adam", more), ("sgd", 1.0))
        for seed in range(4)
    }
    lines = ["workload,optimizer,seed,step,val_loss"]
    for (work, name, seed), values in curves.items():
        both = zip(steps, values.tolist(), strict=True)
        lines += [f"{work},{name},{seed},{step:g},{value!r}" for step, value in both]
    (tmp_path / "logs.csv").write_text("\n".join(lines))
    read = read_logs([tmp_path / "logs.csv"], LogOptions())
    analysis = analyse_runs(read.runs, read.parts, {})
    found = next(pair for pair in analysis.together if pair.effect == SPEED_UP)
    sign = 1.0 if found.first == "adam" else -1.0
    logs: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    for work, own in logs.items():
        for seed in range(4):
            pair = [curves[work, name, seed] for name in ("adam", "sgd")]
            goal = max(values[-1] for values in pair)
            ours, theirs = (float(np.interp(goal, v[::-1], steps[::-1])) for v in pair)
            own.append(sign * math.log(theirs / ours))
    names = [effect.result.workload.name for effect in found.effects]
    y = [float(np.mean(logs[name])) for name in names]
    v = [float(np.mean([np.var(own, ddof=1) for own in logs.values()])) / 4] * 3
    whole, (low, high) = oracle(y, v)
    assert [effect.value for effect in found.effects] == pytest.approx(y)
    assert found.whole.mean == pytest.approx(whole.mean_effect_re, abs=1e-4)
    assert (found.whole.low, found.whole.high) == pytest.approx((low, high), abs=1e-3)


def test_one_that_completed_nowhere_else_is_said_to_be_left_out(tmp_path: Path) -> None:
    write(tmp_path)
    for seed in range(3):
        make_run(tmp_path / f"b{seed}", "adam", seed=seed, phase="final", model="lstm")
        make_run(
            tmp_path / f"c{seed}", "sgd", seed=seed, phase="final", model="lstm", status="diverged"
        )
    found = next(pair for pair in analyse([tmp_path]).together if pair.effect == DIFFERENCE)
    assert found.whole.k == 4
    assert found.note == "left out: digits/lstm"


def test_three_contenders_are_adjusted_by_holm(tmp_path: Path) -> None:
    write(tmp_path)
    for model, n in MODELS.items():
        for seed in range(n):
            value = 0.8 + 0.01 * float(RNG.normal())
            make_run(
                tmp_path / f"{model}-lion-{seed}", "lion", seed=seed, phase="final", model=model,
                test=value,
            )  # fmt: skip
    pairs = [pair for pair in analyse([tmp_path]).together if pair.effect == DIFFERENCE]
    assert len(pairs) == 3
    ordered = sorted(pairs, key=lambda pair: pair.whole.p)
    least = 0.0
    for place, pair in enumerate(ordered):
        least = max(least, min(1.0, (3 - place) * pair.whole.p))
        assert pair.p_adjusted == pytest.approx(least)


def test_one_workload_has_no_joint_rows(tmp_path: Path) -> None:
    for seed in range(3):
        make_run(tmp_path / f"a{seed}", "adam", seed=seed, phase="final")
        make_run(tmp_path / f"b{seed}", "sgd", seed=seed, phase="final", test=0.8)
    assert analyse([tmp_path]).together == []
    build([tmp_path], tmp_path / "report")
    assert not (tmp_path / "report" / "joint.csv").exists()


def test_values_that_never_differ_are_no_evidence(tmp_path: Path) -> None:
    for model in ("mlp", "cnn", "vit"):
        for name in ("adam", "sgd"):
            for seed in range(3):
                make_run(
                    tmp_path / f"{model}{name}{seed}", name, seed=seed, phase="final", model=model
                )
    analysis = analyse([tmp_path])
    assert analysis.together == []
    assert joint(analysis) is not None


@pytest.mark.slow
def test_the_page_says_it_first_and_files_have_it(tmp_path: Path) -> None:
    write(tmp_path / "runs")
    report = build([tmp_path / "runs"], tmp_path / "report")
    assert report.joint is not None
    assert report.joint.headline == "adam is better than sgd over 4 workloads"
    assert report.joint.number.startswith(
        "On each alone: adam is better on 3 of 4 workloads, sgd on 0"
    )
    first, following = report.joint.tests
    assert first.startswith("Over 4 workloads: adam is better than sgd, mean difference ")
    assert following.startswith("On another workload like these expect ")
    page = (tmp_path / "report" / "report.md").read_text()
    assert page.index("adam is better than sgd over 4 workloads") < page.index("## digits/")
    assert "another workload" in (tmp_path / "report" / "report.html").read_text()
    figures = {path.name for path in (tmp_path / "report" / "figures").iterdir()}
    assert "joint-difference-adam-sgd.svg" in figures
    lines = (tmp_path / "report" / "effects.csv").read_text().splitlines()
    assert len(lines) == 1 + 4
    told = json.loads((tmp_path / "report" / "verdict.json").read_text())["joint"]
    assert told["tests"] == report.joint.tests
    assert {pair["effect"] for pair in told["pairs"]} == {DIFFERENCE}
