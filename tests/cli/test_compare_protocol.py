"""Protocols of a comparison: presets, workloads, scientific parameters, searches, seconds."""

import math
from pathlib import Path

import pytest
import yaml
from cli_runs import QUICK, Cli, rows, summary, timeless, write

from sgdlab.comparison import pilot
from sgdlab.comparison import run as compare
from sgdlab.config.catalogue import conf_dir

SMALL = (*QUICK, "study=s", "epochs=2", "seeds=1", "seed=10", "tracks=[tuned]")


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the report."""
    monkeypatch.setattr(compare, "_report", lambda *_: None)


def run(cli: Cli, *arguments: str) -> Path:
    result = cli("compare", *SMALL, *arguments)
    assert result.code == 0, result.err
    return cli.folder / "runs/s"


def of_phase(study: Path, phase: str) -> list[dict[str, str]]:
    return [summary(path.parent) for path in sorted(study.glob(f"{phase}/*/summary.csv"))]


@pytest.mark.parametrize("preset", ["quick", "standard", "thorough"])
def test_a_preset_gives_replicates_trials_and_seeds_that_can_be_overridden(
    sgdlab: Cli, preset: str
):
    given = yaml.safe_load((conf_dir() / "protocol" / f"{preset}.yaml").read_text())
    shown = sgdlab("compare", f"protocol={preset}", "trials=5", "--cfg", "job")
    assert shown.code == 0, shown.err
    found = yaml.safe_load(shown.out)
    assert found["trials"] == 5
    assert {key: found[key] for key in given} == {**given, "trials": 5}


def test_a_protocol_of_the_users(sgdlab: Cli, parts: Path, no_report: None):
    write(parts / "protocol/mine.yaml", "# @package _global_\nreplicates: 2\ntrials: 2\nseeds: 1\n")
    study = run(sgdlab, "--config-dir", str(parts), "protocol=mine", "optimizers=[sgd]")
    assert len(of_phase(study, "tune")) == 4
    assert yaml.safe_load((study / "study.yaml").read_text())["protocol"] == "mine"


@pytest.mark.slow
def test_workloads_have_searches_of_their_own_and_a_profile_over_all(sgdlab: Cli):
    arguments = [a for a in SMALL if not a.startswith(("dataset=", "model="))]
    result = sgdlab(
        "compare", *arguments, "workloads=[wine/linear,breast_cancer/linear]", "replicates=2",
        "trials=2", "optimizers=[sgd,adam]",
    )  # fmt: skip
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    trials = of_phase(study, "tune")
    drawn: dict[tuple[str, str], set[str]] = {}
    for row in trials:
        drawn.setdefault((row["dataset"], row["contender"]), set()).add(row["base_lr"])
    assert {key: len(rates) for key, rates in drawn.items()} == {
        (data, name): 4 for data in ("wine", "breast_cancer") for name in ("sgd", "adam")
    }
    assert not drawn["wine", "sgd"] & drawn["breast_cancer", "sgd"]
    table = rows(study / "report/comparison.csv")
    assert {(row["dataset"], row["optimizer"]) for row in table} == set(drawn)


def test_a_list_of_workloads_has_a_name_and_settings_of_its_own(
    sgdlab: Cli, parts: Path, no_report: None
):
    """What is typed counts for all of them."""
    own = "search: {sgd: {lr: {low: 5.0, high: 6.0}}, adam: {lr: {high: 1.0}}}"
    entries = f"workloads:\n- breast_cancer/linear: {{epochs: 2, batch_size: 32, {own}}}\n"
    entries += "- wine/linear\n"
    write(parts / "suite/two.yaml", f"# Two.\n{entries}")
    arguments = [a for a in SMALL if not a.startswith(("dataset=", "model=", "epochs="))]
    result = sgdlab(
        "compare", "--config-dir", parts, *arguments, "workloads=two", "epochs=3", "trials=1",
        "replicates=2", "optimizers=[sgd]",
    )  # fmt: skip
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    made = {(row["dataset"], row["batch_size"], row["epochs"]) for row in of_phase(study, "tune")}
    assert made == {("wine", "64", "3"), ("breast_cancer", "32", "3")}
    protocol = yaml.safe_load((study / "study.yaml").read_text())
    assert protocol["workloads"] == [{"breast_cancer/linear": {"batch_size": 32}}, "wine/linear"]
    ((name, found),) = protocol["search"]["of_workloads"].items()
    assert (name, list(found["spaces"])) == ("breast_cancer/linear", ["sgd"])
    assert found["spaces"]["sgd"]["lr"] == {"low": 5.0, "high": 6.0, "scale": "log"}
    inside = {row["dataset"]: 5 <= float(row["lr"]) <= 6 for row in of_phase(study, "tune")}
    assert inside == {"wine": False, "breast_cancer": True}


def test_a_list_of_workloads_is_listed_as_it_is_typed(sgdlab: Cli):
    assert sgdlab("list", "suite", "ladder").out.startswith("workloads=ladder\n")


@pytest.mark.slow
def test_a_scientific_parameter_makes_contenders(sgdlab: Cli):
    arguments = [a for a in SMALL if not a.startswith("schedule=")]
    result = sgdlab(
        "compare", *arguments, "optimizers=[sgd]", "replicates=2", "trials=2",
        "search.scientific={schedule: [cosine, constant]}", "schedule.warmup_epochs=0",
    )  # fmt: skip
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    names = {"sgd schedule=cosine": "cosine", "sgd schedule=constant": "constant"}
    for phase, count in (("tune", 8), ("final", 4)):
        found = of_phase(study, phase)
        assert len(found) == count
        assert {row["contender"]: row["schedule"] for row in found} == names
    rates = {
        name: {row["base_lr"] for row in of_phase(study, "tune") if row["contender"] == name}
        for name in names
    }
    assert not set.intersection(*rates.values())
    assert {row["optimizer"] for row in rows(study / "report/comparison.csv")} == set(names)


def test_schedule_and_horizon_can_be_tuned_with_the_rest(sgdlab: Cli, no_report: None):
    study = run(
        sgdlab, "optimizers=[sgd]", "replicates=1", "trials=8",
        "search.sgd.schedule.choices=[cosine,constant]",
        "search.sgd.epochs.low=1", "search.sgd.epochs.high=4", "search.sgd.epochs.integer=true",
        "schedule.warmup_epochs=0",
    )  # fmt: skip
    trials = of_phase(study, "tune")
    assert {row["schedule"] for row in trials} == {"cosine", "constant"}
    assert {row["epochs"] for row in trials} == {"1", "2", "3", "4"}


def test_a_schedule_free_method_is_not_paired_with_a_decaying_schedule(
    sgdlab: Cli, no_report: None
):
    arguments = [a for a in SMALL if not a.startswith(("schedule=", "tracks="))]
    result = sgdlab(
        "compare",
        *arguments,
        "optimizers=[schedule_free_sgd,sgd]",
        "replicates=1",
        "trials=1",
        "schedule.warmup_epochs=0",
    )
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    for phase in ("tune", "final", "defaults"):
        found = {row["optimizer"]: row["schedule"] for row in of_phase(study, phase)}
        assert found == {"schedule_free_sgd": "constant", "sgd": "cosine"}
    fixed = yaml.safe_load((study / "study.yaml").read_text())["search"]["fixed"]
    assert fixed == {"schedule_free_sgd": {"schedule": "constant"}, "sgd": {}}


@pytest.mark.slow
def test_tpe_asks_in_batches_and_keeps_its_studies_in_one_file(sgdlab: Cli, no_report: None):
    import optuna

    arguments = (
        "optimizers=[sgd,adam]", "replicates=2", "trials=5", "search.method=tpe", "search.batch=2",
    )  # fmt: skip
    study = run(sgdlab, *arguments)
    storage = f"sqlite:///{study}/optuna.db"
    names = optuna.get_all_study_names(storage)
    assert len(names) == 4
    trials = of_phase(study, "tune")
    assert len(trials) == 20
    kept = [t for name in names for t in optuna.load_study(study_name=name, storage=storage).trials]
    assert {trial.state.name for trial in kept} == {"COMPLETE"}
    ours = sorted((float(row["base_lr"]), float(row["final_val_loss"])) for row in trials)
    theirs = sorted((trial.params["lr"], trial.value) for trial in kept)
    assert ours == theirs
    before = {path: timeless(path) for path in sorted(study.glob("*/*/*.csv"))}
    # Interrupted and started again: the same trials.
    for path in sorted(study.glob("tune/*/summary.csv"))[::3]:
        path.unlink()
    run(sgdlab, *arguments)
    assert {path: timeless(path) for path in sorted(study.glob("*/*/*.csv"))} == before
    kept = [t for name in names for t in optuna.load_study(study_name=name, storage=storage).trials]
    assert [trial.state.name for trial in kept] == ["COMPLETE"] * 20


def test_a_range_whose_edge_is_best_is_shifted_for_the_other_half(sgdlab: Cli, no_report: None):
    narrow = ("search.sgd.lr.low=1e-5", "search.sgd.lr.high=1e-4")
    study = run(
        sgdlab, "optimizers=[sgd]", "replicates=1", "trials=16", "search.recentre=true", *narrow
    )
    rates = {int(row["trial"]): float(row["base_lr"]) for row in of_phase(study, "tune")}
    assert len(rates) == 16
    first = [rates[k] for k in range(8)]
    assert all(1e-5 <= rate <= 1e-4 for rate in first)
    # On wine more is better in this range, so that the largest rate is the best.
    middle = max(first)
    later = [rates[k] for k in range(8, 16)]
    assert any(rate > 1e-4 for rate in later)
    assert all(middle / math.sqrt(10.01) <= rate <= middle * math.sqrt(10.01) for rate in later)


@pytest.mark.slow
def test_seconds_buy_trials_by_what_a_run_takes_alone(
    sgdlab: Cli, no_report: None, monkeypatch: pytest.MonkeyPatch
):
    paces = {"sgd": 0.01, "adam": 0.02}
    monkeypatch.setattr(pilot, "_pace", lambda place, rows: paces[place.contender.name])
    arguments = ("optimizers=[sgd,adam]", "replicates=2", "seconds=0.2")
    study = run(sgdlab, *arguments)
    # 108 examples in batches of 64 are 2 steps an epoch: runs of .04 and .08 seconds.
    counts: dict[tuple[str, str], int] = {}
    for row in of_phase(study, "tune"):
        key = row["contender"], row["replicate"]
        counts[key] = counts.get(key, 0) + 1
    expected = {"sgd": 5, "adam": 2}
    assert counts == {(name, r): n for name, n in expected.items() for r in ("0", "1")}
    budget = yaml.safe_load((study / "study.yaml").read_text())["budget"]
    assert budget == {
        "unit": "seconds", "per_search": 0.2, "trials_of": {"wine/linear": expected},
    }  # fmt: skip
    assert len(of_phase(study, "pilot")) == 2 * 3
    again = sgdlab("compare", *SMALL, *arguments)
    assert again.code == 0, again.err
    assert "pilot: 6 of 6 runs are finished" in again.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "workloads=[{digits/mlp: {search: {adamv: {lr: 1}}}}]",
            "workloads.digits/mlp.search.adamv: no such optimizer; did you mean adam",
        ),
        ("workloads=[{digits/mlp: {search: 3}}]", "workloads.digits/mlp.search=3: write"),
        (
            "workloads=[{digits/mlp: {search: {nesterov: {lr: {hihg: 1}}}}}]",
            "workloads.digits/mlp.search.nesterov.lr.hihg: did you mean high",
        ),
        ("workloads=[digits]", "write dataset/model, such as digits/mlp"),
        ("workloads=[{digits/mlp: 3}]", "write dataset/model, such as digits/mlp"),
        ("workloads=[[digits/mlp]]", "write dataset/model, such as digits/mlp"),
        ("workloads=ladde", "no such list of workloads; valid: ladder"),
        ("workloads=3", "no list; write [digits/mlp]"),
        ("workloads=[{digits/mlp: {epochz: 3}}]", "epochz=3: no such key; did you mean epochs=3?"),
        ("workloads=[digit/mlp]", "no such dataset; did you mean digits?"),
        ("workloads=[digits/mpl]", "no such model; did you mean mlp?"),
        ("workloads=[wine/linear] dataset=wine", "leave one of the two out"),
        ("tracks=[tund]", "valid: defaults, one, tuned"),
        ("tracks=[]", "name some of tuned, defaults, one"),
        ("replicates=0", "must be a whole number from 1"),
        ("margin=-1", "must be a positive number, auto, or null"),
        ("search.method=soboll", "did you mean sobol?"),
        ("search.batch=0", "must be a whole number from 1"),
        ("search.recentre=maybe", "must be true or false"),
        ("search.method=tpe search.halving=true", "leave one of the two out"),
        ("seconds=-1", "must be positive, or null to count trials"),
        ("seconds=5 search.method=grid", "it needs a number of trials"),
        ("search.scientific={schedule:cosine}", "must list different values"),
        ("search.scientific={schedule:[cosine]} schedule=cosine", "leave one out"),
        ("search.scientific={schedul:[cosine]}", "schedul"),
        ("search.sgd.lr=0.1 trials=2", "search.sgd: not one of the optimizers"),
        ("search.nesterov.optimizer=adam", "search.nesterov.optimizer: a comparison has the same"),
        ("search.nesterov.evaluate_test=true", "search.nesterov.evaluate_test: a comparison"),
        ("search.nesterov.seed.choices=[1,2]", "search.nesterov.seed: a comparison"),
        ("search.scientific={optimizer:[sgd,adam]}", "search.scientific.optimizer: a comparison"),
        ("search.nesterov=5", "write search.nesterov.lr.low"),
        ("target=adma", "target=adma: must be a number such as 0.95, or a contender"),
        ("target=[1]", "target=[1]: must be a number"),
        ("target=95", "0.95 would be 95 %"),
        ("margin=5", "margin=5: accuracy is a fraction"),
        ("seconds=nan", "must be positive, or null to count trials"),
        ("seconds=5 search.nesterov.epochs.choices=[2,40]", "what a trial costs would depend"),
        ("search.nesterov.optimizer.momentum={low:-0.2,high:0.9}", "Invalid momentum value"),
        ("search.nesterov.schedule.choices=[wsd,wdd] search.method=tpe", "mean schedule=wsd?"),
        ("trials=100000000", "at most 100,000"),
        ("search.scientific.schedule.warmup_epochs=[0,0.0]", "are the same run"),
        ("protocol=standrd", "did you mean protocol=standard?"),
        ("replicate=1", "a comparison decides replicate by itself; use replicates=N"),
    ],
)
def test_a_bad_protocol_is_refused_in_one_line(sgdlab: Cli, typed: str, said: str):
    result = sgdlab("compare", "optimizers=[nesterov]", *typed.replace(": ", ":").split())
    assert result.code == 2
    assert result.err.count("\n") == 1, result.err
    assert said in result.err
    assert not (sgdlab.folder / "runs").exists()


def test_the_defaults_track_ignores_what_the_search_of_an_optimizer_fixes(
    sgdlab: Cli, no_report: None
):
    arguments = [a for a in SMALL if not a.startswith("tracks=")]
    result = sgdlab(
        "compare", *arguments, "optimizers=[sgd]", "replicates=1", "trials=2",
        "search.sgd.optimizer.weight_decay=0.05", "search.sgd.schedule.warmup_epochs=1",
    )  # fmt: skip
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    assert {row["optimizer.weight_decay"] for row in of_phase(study, "tune")} == {"0.05"}
    (row,) = of_phase(study, "defaults")
    own = yaml.safe_load((conf_dir() / "optimizer/sgd.yaml").read_text())
    assert float(row["optimizer.weight_decay"]) == own["weight_decay"]
    # The conditions of the comparison are the same in both tracks.
    (final,) = of_phase(study, "final")
    assert row["schedule.warmup_epochs"] == final["schedule.warmup_epochs"]
    assert float(row["schedule.warmup_epochs"]) == 1
