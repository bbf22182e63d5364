"""Pairs of a comparison are adjusted within the question that they answer, and only there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from run_folders import make_run
from swept import told

from answer_text import verdicts
from guarded import guarded
from sgdlab.analysis import analyse
from sgdlab.report.verdict import joint

SCIENTIFIC = {"schedule": ["cosine", "constant"]}
OPTIMIZERS = ("adamw", "sgd", "nesterov")
SEEDS = 6


def values() -> dict[tuple[str, str], list[float]]:
    """Return the test metric by seed of every contender."""
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(6, SEEDS))
    shift = {"adamw": 0.0, "sgd": 0.004, "nesterov": -0.01}
    return {
        (name, schedule): list(0.9 + shift[name] + 0.012 * (schedule == "cosine") + 0.006 * own)
        for own, (name, schedule) in zip(
            noise, ((n, s) for n in OPTIMIZERS for s in SCIENTIFIC["schedule"]), strict=True
        )
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scientific")
    for (name, schedule), own in values().items():
        config, summary = told({"schedule": schedule})
        cells = {**summary, "study": "s", "contender": f"{name} schedule={schedule}"}
        for trial, lr in enumerate((0.1, 0.2)):
            make_run(
                root / f"{name}-{schedule}-t{trial}", name, lr=lr, trial=trial, phase="tune",
                test=None, config=config, summary=cells,
            )  # fmt: skip
        for seed, value in enumerate(own):
            make_run(
                root / f"{name}-{schedule}-{seed}", name, seed=1 + seed, trial=0, phase="final",
                test=float(value), config=config, summary=cells,
            )  # fmt: skip
    content = {"study": "s", "search": {"scientific": SCIENTIFIC}, "select_by": "final_val_loss"}
    (root / "study.yaml").write_text(yaml.safe_dump(content))
    return root


def by_hand(p: list[float]) -> list[float]:
    """Return Holm's p-values: the smallest times m, the next times m − 1, never decreasing."""
    found, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        found[place] = highest
    return found


def test_p_values_are_adjusted_in_each_declared_question_alone(study: Path) -> None:
    table = analyse([study]).pairwise
    table = table[table["metric"] == "test_metric"]
    of, known = dict(table.groupby("family", dropna=False).size()), values()
    across = {f"optimizer with schedule={s}": 3 for s in SCIENTIFIC["schedule"]}
    within = {f"schedule with optimizer={name}": 1 for name in OPTIMIZERS}
    assert of == across | within | {"": 6}
    for family, rows in table.groupby("family"):
        raw = []
        for _, pair in rows.iterrows():
            first, second = (
                known[tuple(str(pair[side]).split(" schedule="))]  # type: ignore[index]
                for side in ("first", "second")
            )
            raw.append(guarded(first, second).p)
        assert list(rows["p_value"]) == pytest.approx(raw)
        if family:
            assert list(rows["p_adjusted"]) == pytest.approx(by_hand(raw))
        else:
            assert list(rows["p_adjusted"]) == [None] * 6
            assert set(rows["verdict"]) == {"undecided"}
            assert all("no declared question" in note for note in rows["note"])


def test_the_verdict_answers_each_question(study: Path) -> None:
    (said,) = verdicts(analyse([study]))
    for family in ("schedule with optimizer=sgd: ", "optimizer with schedule=cosine: "):
        assert family in said
    assert "Holm within each question" in said


def test_a_comparison_is_split_by_what_it_declared(study: Path) -> None:
    analysis = analyse([study], by=["schedule"])
    assert sorted(result.workload.held for result in analysis.results) == [
        f"optimizer={name}" for name in sorted(OPTIMIZERS)
    ]
    for result in analysis.results:
        (pair,) = result.primary
        assert pair["family"] == "all pairs"
        assert pair["p_adjusted"] == pair["p_value"]


def test_one_thing_to_compare_is_one_family(study: Path) -> None:
    (study / "study.yaml").rename(study / "kept")
    try:
        (result,) = analyse([study]).results
        assert list(result.families) == ["all pairs"]
        p = [pair["p_value"] for pair in result.primary]
        assert [pair["p_adjusted"] for pair in result.primary] == pytest.approx(by_hand(p))
    finally:
        (study / "kept").rename(study / "study.yaml")


def test_workloads_that_declare_questions_have_a_joint_answer(study: Path) -> None:
    """The best contender and another may differ in several things, about which nothing is asked."""
    analysis = analyse([study])
    (result,) = analysis.results
    other = replace(result, workload=replace(result.workload, model="cnn"))
    found = joint(replace(analysis, results=[result, other]))
    assert found is not None
    best = result.alive[0]["optimizer"]
    schedule = best.partition(" ")[2]
    for name, cells in zip(found.contenders, found.cells, strict=True):
        if name != best and not name.endswith(schedule) and name.split()[0] != best.split()[0]:
            assert {cell.split()[-1] for cell in cells} == {"undecided"}
