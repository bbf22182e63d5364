"""``sgdlab judge``: verdicts on anyone's runs, with exit codes that CI can gate on."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_runs import Cli
from scipy import stats
from statsmodels.stats.multitest import multipletests

from guarded import guarded, widening
from sgdlab.analysis.audit import CHECKS

LOG = r"step:(?P<step>\d+)/\d+ val_loss:(?P<val_loss>[\d.]+)"


def table(folder: Path, gaps: dict[str, float], n: int = 8, name: str = "a.csv") -> pd.DataFrame:
    """Write runs of contenders with gaps to a common value, paired by seed, and return them."""
    rng = np.random.default_rng(1)
    common = rng.normal(1, 0.05, n)
    rows = [
        (contender, seed, common[seed] + gap + rng.normal(0, 0.01))
        for contender, gap in gaps.items()
        for seed in range(n)
    ]
    made = pd.DataFrame(rows, columns=["optimizer", "seed", "val_loss"])
    made.to_csv(folder / name, index=False)
    return made


def test_pairs_are_those_of_scipy_and_statsmodels(sgdlab: Cli) -> None:
    runs = table(sgdlab.folder, {"sgd": 0.0, "adam": -0.03, "lion": -0.004})
    done = sgdlab("judge", "a.csv", "--json")
    found = json.loads(done.out)
    by = runs.pivot_table(index="seed", columns="optimizer", values="val_loss")
    pairs = {(p["first"], p["second"]): p for p in found["pairs"]}
    known = [guarded(by[a], by[b]) for a, b in pairs]
    assert [p["p_value"] for p in pairs.values()] == pytest.approx([t.p for t in known])
    holm = multipletests([t.p for t in known], method="holm")[1]
    assert [p["p_adjusted"] for p in pairs.values()] == pytest.approx(holm)
    assert pairs["adam", "lion"]["verdict"] == "first better"
    assert found["answer"] == {0: "verdict", 3: "undecided"}[done.code]
    assert "pairs: equal seed" in found["read_as"]


@pytest.mark.parametrize(
    ("gap", "options", "code", "answer"),
    [
        (-0.03, (), 0, "verdict"),
        (0.0, (), 3, "undecided"),
        (-0.03, ("--better-than", "sgd"), 0, "verdict"),
        (0.03, ("--better-than", "sgd"), 1, "refuted"),
        (0.0, ("--better-than", "sgd"), 3, "undecided"),
        (0.0, ("--better-than", "sgd", "--margin", "0.05"), 1, "refuted"),
        (0.0, ("--margin", "0.05"), 0, "verdict"),
        (-0.03, ("--better-than", "sgd", "--tries", "1000000"), 3, "undecided"),
        (-0.03, ("--target", "1.5"), 0, "verdict"),
        (-0.03, ("--target", "0.5"), 1, "refuted"),
        (-0.03, ("--target", "0.99", "--sigma", "0.05"), 3, "undecided"),
    ],
)
def test_the_exit_code_is_the_answer(
    gap: float, options: tuple[str, ...], code: int, answer: str, sgdlab: Cli
) -> None:
    table(sgdlab.folder, {"sgd": 0.0, "new": gap})
    done = sgdlab("judge", "a.csv", *options)
    assert (done.code, done.out.splitlines()[-1]) == (code, f"answer: {answer}"), done
    assert json.loads(sgdlab("judge", "a.csv", *options, "--json").out)["answer"] == answer


def test_several_claims_must_all_hold(sgdlab: Cli) -> None:
    table(sgdlab.folder, {"base": 0.0, "good": -0.03, "luck": -0.001, "worse": 0.05})
    done = sgdlab("judge", "a.csv", "--better-than", "base")
    assert done.code == 3
    assert "good is better than base (1 of 3)" in done.out
    found = json.loads(sgdlab("judge", "a.csv", "--better-than", "base", "--json").out)
    assert {frozenset((p["first"], p["second"])) for p in found["pairs"]} == {
        frozenset(("base", other)) for other in ("good", "luck", "worse")
    }


def test_independent_runs_are_welchs(sgdlab: Cli) -> None:
    runs = table(sgdlab.folder, {"sgd": 0.0, "adam": -0.03})
    runs.drop(columns="seed").to_csv(sgdlab.folder / "b.csv", index=False)
    found = json.loads(sgdlab("judge", "b.csv", "--json").out)
    values = [own["val_loss"] for _, own in runs.groupby("optimizer")]
    (pair,) = found["pairs"]
    known = stats.ttest_ind(*values, equal_var=False)
    t = abs(known.statistic) / widening(min(map(len, values)))
    assert pair["p_value"] == pytest.approx(2 * stats.t.sf(t, known.df))
    assert pair["unit"] == "run"


def test_which_claimed_records_are_luck(sgdlab: Cli) -> None:
    """Own numbers in the form of public speed-run logs: a claim is a mean loss of at most 3.28."""
    rng = np.random.default_rng(3)
    true = {"a-holds": (3.2770, 10), "b-lucky": (3.2803, 4), "c-worse": (3.2850, 5)}
    logs: dict[str, list[float]] = {}
    for name, (mean, n) in true.items():
        (sgdlab.folder / "logs" / name).mkdir(parents=True)
        for run in range(n):
            end = round(mean + rng.normal(0, 0.0013), 4)
            end = 3.2781 if (name, run) == ("b-lucky", 0) else end  # the run that is shown around
            logs.setdefault(name, []).append(end)
            lines = [f"step:{t}/9 val_loss:{end + (9 - t):.4f}" for t in (0, 5, 9)]
            (sgdlab.folder / "logs" / name / f"{run}.txt").write_text("\n".join(lines))
    options = "--pattern", LOG, "--target", "3.28", "--sigma", "0.0013"
    done = sgdlab("judge", "logs", *options)
    assert "1 of 3 claims to reach 3.28 hold, 1 may be luck" in done.out
    assert "its best run, 3.2781, reaches" in " ".join(done.out.split())
    found = json.loads(sgdlab("judge", "logs", *options, "--json").out)["claims"]
    z = {n: (3.28 - np.mean(v)) * len(v) ** 0.5 / 0.0013 for n, v in logs.items()}
    assert {c["name"]: c["statistic"] for c in found} == pytest.approx(z)
    assert {c["name"]: c["verdict"] for c in found} == {
        "a-holds": "holds", "b-lucky": "undecided", "c-worse": "refuted",
    }  # fmt: skip


def test_what_the_file_cannot_tell_is_a_warning(sgdlab: Cli) -> None:
    table(sgdlab.folder, {"sgd": 0.0, "adam": -0.03})
    audit = json.loads(sgdlab("judge", "a.csv", "--json").out)["audit"]
    assert [check["check"] for check in audit] == list(CHECKS)
    passed = {check["check"] for check in audit if check["status"] == "pass"}
    assert passed == {
        "enough units", "gap above noise", "equal units", "seeds make a difference",
        "few diverged trials", "workload not saturated",
    }  # fmt: skip
    assert not [check for check in audit if check["status"] == "fail"]


def test_the_report_has_what_the_log_can_fill(sgdlab: Cli, undrawn: None) -> None:
    table(sgdlab.folder, {"sgd": 0.0, "adam": -0.03, "lion": 0.0})
    done = sgdlab("judge", "a.csv", "--target", "0.98", "--out", "rep")
    assert done.code in (0, 3)
    out = sgdlab.folder / "rep"
    page = (out / "report.md").read_text()
    titles = [line for line in page.splitlines() if line.startswith("## ")]
    assert "## Claims" in titles
    assert not [t for t in titles if "Tuning" in t or "Use the winner" in t or "Classical" in t]
    assert "sgdlab judge a.csv --target 0.98 --out rep" in page
    assert "sgdlab train" not in page
    assert "Validation" not in page
    claims = pd.read_csv(out / "claims.csv")
    assert sorted(claims["name"]) == ["adam", "lion", "sgd"]
    assert "adam" in (out / "tables" / "pairwise.tex").read_text()
    assert sgdlab("judge", "a.csv", "--target", "0.98", "--out", "rep").code == done.code


def test_bad_input_is_one_line_and_writes_nothing(sgdlab: Cli) -> None:
    table(sgdlab.folder, {"sgd": 0.0, "adam": -0.03})
    for options, said in (
        (("b.csv",), "b.csv: no such file or folder"),
        (("a.csv", "--metric", "x"), "--metric x: no such column"),
        (("a.csv", "--better-than", "sgdm"), "--better-than sgdm: nothing of that name"),
        (("a.csv", "--tries", "0"), "--tries 0: must be 1 or more"),
        (("a.csv", "--sigma", "1"), "give --target, too"),
        (("a.csv", "--target", "1", "--sigma", "-1"), "--sigma -1: must be a positive number"),
        (("a.csv", "--target", "nan"), "invalid"),
        (("a.csv", "--margin", "-1"), "--margin -1: must be a positive number"),
        (("a.csv", "--group", "a,,b"), "name columns such as"),
    ):
        done = sgdlab("judge", *options, "--out", "rep")
        assert (done.code, done.out) == (2, ""), done
        assert done.err.startswith("sgdlab: ")
        assert said in done.err
        assert done.err.count("\n") == 1
        assert not (sgdlab.folder / "rep").exists()


def test_neither_torch_nor_hydra_is_loaded(tmp_path: Path) -> None:
    table(tmp_path, {"sgd": 0.0, "adam": -0.03})
    code = (
        "import sys; from sgdlab.cli import main; sys.argv = ['sgdlab', 'judge', 'a.csv'];"
        "assert main() == 0;"
        "sys.exit(', '.join({'torch', 'hydra', 'scipy.stats'} & set(sys.modules)) or 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_what_the_files_tell_no_cost_of_has_no_table_of_it(sgdlab: Cli) -> None:
    """With the steps to a target there is something to tell."""
    runs = table(sgdlab.folder, {"sgd": 0.0, "adam": -0.03})
    sgdlab("judge", "a.csv", "--out", "rep")
    assert "Cost: " not in (sgdlab.folder / "rep" / "report.md").read_text()
    runs.assign(step=10).to_csv(sgdlab.folder / "b.csv", index=False)
    sgdlab("judge", "b.csv", "--target", "1.5", "--out", "other")
    assert "Steps to target" in (sgdlab.folder / "other" / "report.md").read_text()
