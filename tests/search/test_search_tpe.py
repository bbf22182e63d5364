"""The tree-structured Parzen estimator, and its record in SQLite."""

import contextlib
import logging
import math
import sqlite3
from pathlib import Path

import numpy as np
import optuna
import pytest
from drawn import draw
from optuna.trial import TrialState

from sgdlab.errors import InputError
from sgdlab.search import Dimension, Space, search_of
from sgdlab.search.draw import seed_of

LR = Dimension("lr", 1e-4, 1.0, log=True)
SPACE = Space(
    [
        LR,
        Dimension("optimizer.momentum", 0.0, 0.99),
        Dimension("epochs", 1, 30, log=True, integer=True),
        Dimension("optimizer.betas", choices=([0.9, 0.99], [0.9, 0.999])),
        Dimension("optimizer.nesterov", choices=(True, False, None, "auto")),
    ],
    {"schedule": "constant", "clip_norm": None, "optimizer.x": [1, None]},
)


def objective_value(settings: dict) -> float:
    if settings["lr"] > 0.3:
        return math.inf
    return (math.log10(settings["lr"]) + 2) ** 2 + settings.get("optimizer.momentum", 0.0)


def search(storage: Path | None = None, trials: int = 12):
    """Three batches, the last of which is the estimator's."""
    return search_of("tpe", SPACE, trials, 7, "adamw x=1", storage=storage, batch=4)


def run(searching, batches: int = 99) -> list[dict]:
    found = []
    for _ in range(batches):
        if not (batch := searching.ask()):
            break
        searching.tell([objective_value(settings) for settings in batch])
        found += batch
    return found


def stored(path: Path, name: str = "adamw x=1") -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        return optuna.load_study(study_name=name, storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()


def test_the_record_holds_what_was_run(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "tpe?{x}%20.db"
    searching = search(path)
    assert not path.parent.exists()
    asked = run(searching)
    shown = path.rename(tmp_path / "tpe.db")
    trials = stored(shown)
    assert [t.number for t in trials] == list(range(12))
    diverged = 0
    for settings, trial in zip(asked, trials, strict=True):
        for key in ("lr", "optimizer.momentum", "epochs", "optimizer.nesterov"):
            assert trial.params[key] == settings[key]
            assert type(trial.params[key]) is type(settings[key])
        assert trial.params["optimizer.betas"] == str(settings["optimizer.betas"])
        assert {key: settings[key] for key in SPACE.fixed} == SPACE.fixed
        if settings["lr"] > 0.3:
            diverged += 1
            assert (trial.state, trial.value) == (TrialState.PRUNED, None)
        else:
            assert (trial.state, trial.value) == (TrialState.COMPLETE, objective_value(settings))
        assert trial.datetime_start <= trial.datetime_complete
    assert diverged > 0
    storage = optuna.storages.RDBStorage(f"sqlite:///{shown}")
    study = optuna.load_study(study_name="adamw x=1", storage=storage)
    assert study.user_attrs == SPACE.fixed
    assert study.best_value == min(objective_value(settings) for settings in asked)
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert trials[0].distributions == {
        "lr": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
        "optimizer.momentum": optuna.distributions.FloatDistribution(0.0, 0.99),
        "epochs": optuna.distributions.IntDistribution(1, 30, log=True),
        "optimizer.betas": optuna.distributions.CategoricalDistribution(
            ["[0.9, 0.99]", "[0.9, 0.999]"]
        ),
        "optimizer.nesterov": optuna.distributions.CategoricalDistribution(
            [True, False, None, "auto"]
        ),
    }
    storage.remove_session()
    storage.engine.dispose()


def test_values_are_those_of_dimensions() -> None:
    asked = run(search(trials=40))
    assert asked[:8] == [SPACE.fixed | s for s in draw(SPACE.dimensions, 8, 7, "adamw x=1")]
    for settings in asked:
        for dimension in SPACE.dimensions:
            value = settings[dimension.key]
            if dimension.choices:
                assert value in dimension.choices
            else:
                assert dimension.low <= value <= dimension.high
                assert dimension.rounded(value) == value
                assert isinstance(value, int) == dimension.integer


def test_nothing_depends_on_storage_or_interruption(tmp_path: Path) -> None:
    whole = run(search())
    path = tmp_path / "tpe.db"
    assert run(search(path), batches=1) == whole[:4]
    killed = search(path)
    run(killed, batches=1)
    killed.ask()  # and never told
    before = stored(path)
    assert [t.state.is_finished() for t in before] == [True] * 4
    resumed = search(path)
    assert run(resumed, batches=1) == whole[:4]
    assert stored(path) == before  # times included: what was recorded stays
    assert run(resumed) == whole[4:]
    after = stored(path)
    assert after[:4] == before
    assert [t.state.is_finished() for t in after] == [True] * 12
    assert run(search(path)) == whole
    assert stored(path) == after


@pytest.mark.slow
def test_a_record_of_other_trials_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "tpe.db"
    run(search(path))
    run(search_of("tpe", SPACE, 4, 0, "other", storage=path))
    other = stored(path, "other")
    worse = search(path)
    batch = worse.ask()
    worse.tell([objective_value(settings) + 1 for settings in batch])
    assert len(stored(path)) == 4
    run(search(path))
    assert len(stored(path)) == 12
    fewer = search(path, trials=8)  # a shorter search has the trials of the longer one
    assert run(fewer) == run(search())[:8]
    assert len(stored(path)) == 8
    assert stored(path, "other") == other


def test_seeds_and_names_have_searches_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "tpe.db"
    space = Space([LR, SPACE.dimensions[1]])
    estimated = []
    for seed, name in ((0, "sgd"), (1, "sgd"), (0, "adam")):
        study = f"{name}, seed {seed}"
        found = run(search_of("tpe", space, 12, seed, name, storage=path, study=study))
        estimated.append(found[8:])
    assert estimated[0] != estimated[1] != estimated[2] != estimated[0]
    assert [len(stored(path, name)) for name in ("sgd, seed 0", "adam, seed 0")] == [12, 12]


def test_every_batch_is_seeded_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    sampler = optuna.samplers.TPESampler

    def recorded(**options):
        if options:  # none: the one that Optuna makes for a new study
            made.append(options)
        return sampler(**options)

    monkeypatch.setattr(optuna.samplers, "TPESampler", recorded)
    run(search())
    seeds = [seed_of(f"tpe/7/adamw x=1/{batch}", 4) for batch in range(3)]
    assert [options["seed"] for options in made[:3]] == seeds
    assert all(options["multivariate"] and options["constant_liar"] for options in made)


def test_a_region_that_diverges_is_left_and_all_diverging_is_survived() -> None:
    space = Space([LR])
    counts = []
    for seed in range(5):
        searching = search_of("tpe", space, 40, seed, "x")
        found = []
        while batch := searching.ask():
            searching.tell([math.inf if s["lr"] > 0.01 else 1.0 for s in batch])
            found += batch
        counts.append(sum(s["lr"] > 0.01 for s in found[8:]))
    # Half of the range diverges: 16 of 32 trials, were they drawn at random.
    assert np.mean(counts) < 8
    searching = search_of("tpe", space, 20, 0, "x")
    while batch := searching.ask():
        searching.tell([math.nan] * len(batch))


def regret(method: str, seed: int, trials: int = 32) -> float:
    shift = np.random.default_rng(seed).uniform(-1, 1, 2)
    space = Space([LR, Dimension("wd", 1e-6, 1e-2, log=True)])

    def loss(settings: dict) -> float:
        x, y = math.log10(settings["lr"]) + 2 - shift[0], math.log10(settings["wd"]) + 4 - shift[1]
        return math.inf if x > 0.7 else 4 * (x + y) ** 2 + (x - y) ** 2

    searching = search_of(method, space, trials, seed, "x")
    best = math.inf
    while batch := searching.ask():
        losses = [loss(settings) for settings in batch]
        best = min(best, *losses)
        searching.tell(losses)
    return best


@pytest.mark.slow
def test_it_beats_random_search_with_32_trials() -> None:
    seeds = range(24)
    tpe, random = ([regret(method, seed) for seed in seeds] for method in ("tpe", "random"))
    assert np.mean(tpe) < 0.6 * np.mean(random)
    assert np.median(tpe) < 0.6 * np.median(random)


@pytest.mark.parametrize("content", [b"no database at all, but text", b"folder", b"schema"])
def test_a_file_that_is_no_storage_is_refused_before_anything_runs(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "tpe.db"
    if content == b"folder":
        path.mkdir()
    elif content == b"schema":
        run(search(path), batches=1)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
            connection.execute("UPDATE version_info SET schema_version = 99")
    else:
        path.write_bytes(content * 50)
    searching = search(path)
    with pytest.raises(InputError) as error:
        searching.ask()
    assert str(error.value).startswith(f"{path}: cannot hold the trials of search.method=tpe: ")
    assert "\n" not in str(error.value)
    assert "SQL:" not in str(error.value)


def test_a_record_removed_meanwhile_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "tpe.db"
    searching = search_of("tpe", Space([LR]), 2, 0, "adamw x=1", storage=path, batch=1)
    run(searching, batches=1)
    path.unlink()
    run(searching)
    assert len(stored(path)) == 2


def test_nothing_is_logged(tmp_path: Path, caplog, capfd) -> None:
    caplog.set_level(logging.INFO)
    run(search(tmp_path / "tpe.db"), batches=1)
    run(search(tmp_path / "tpe.db"))
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
