"""`sgdlab.train` and `sgdlab.sweep` are the typed commands: same ids, same bytes, same refusals."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runs import QUICK, Cli, rows, same_run, summary
from hydra.core.global_hydra import GlobalHydra

import sgdlab
from sgdlab import signals
from sgdlab.api.settings import overrides_of
from sgdlab.api.train import PARTS


@pytest.fixture(autouse=True)
def _hears_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shell makes what it runs in the background deaf to it, and so may the tests before."""
    monkeypatch.setattr(signals, "_request", signals._Request())
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


SMALL = {"dataset": "wine", "model": "linear", "schedule": "constant"}


@pytest.mark.parametrize(
    ("settings", "typed"),
    [
        ({"optimizer": "adamw", "lr": 1e-3, "max_steps": 3}, ["optimizer=adamw", "lr=1e-3"]),
        (
            {"model": "mlp", "model__hidden": (8, 4), "max_steps": 3},
            ["model=mlp", "model.hidden=[8,4]"],
        ),
        (
            {"decay": {"bias_and_norm": True}, "clip_norm": np.float64(0.5), "max_steps": 3},
            ["decay.bias_and_norm=true", "clip_norm=0.5"],
        ),
    ],
)  # fmt: skip
def test_a_run_is_that_of_the_command_byte_for_byte(
    settings: dict, typed: list[str], here: Path, sgdlab_typed: Cli
):
    run = sgdlab.train(**{**SMALL, **settings}, directory="run")
    other = sgdlab_typed.train("run", *typed, "max_steps=3")
    assert run.directory.resolve() == (here / "run").resolve()
    assert run.run_id == summary(other)["run_id"]
    assert same_run(run.directory, other)
    assert (run.directory / "config.yaml").read_text() == (other / "config.yaml").read_text()


def test_a_sweep_is_that_of_the_command(here: Path, sgdlab_typed: Cli):
    study = sgdlab.sweep(**SMALL, lr=[0.01, 0.1], seed=range(2), max_steps=2)
    assert sgdlab_typed("train", "-m", *QUICK, "lr=0.01,0.1", "seed=0,1", "max_steps=2").code == 0
    (other,) = sgdlab_typed.folder.glob("runs/*/runs.csv")
    assert study.directory.name == other.parent.name
    ids = {row["run_id"] for row in rows(other)}
    assert set(study.runs["run_id"]) == ids
    assert len(ids) == 4
    for identity in ids:
        assert same_run(study.directory / identity, other.parent / identity)
    assert set(study.runs["lr"]) == {0.01, 0.1}
    assert study.runs["seed"].dtype == np.int64
    assert len(study.steps) == 4 * 2
    again = sgdlab.sweep(**SMALL, lr=[0.01, 0.1], seed=range(2), max_steps=2)
    assert again.notices == ("sweep: 4 of 4 runs are finished; resume=false repeats them",)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (None, "null"), (3, "3"), (1e-3, "0.001"), ((64, 32), "[64,32]"),
        ({"lr": {"high": 0.5}}, None), ("a b", "'a b'"), (np.int64(4), "4"), ("null", "'null'"),
        (float("inf"), "inf"), (Path("a/b.csv"), "a/b.csv"),
    ],
)  # fmt: skip
def test_values_are_written_as_typed(value: object, text: str | None):
    expected = [f"key={text}"] if text else ["key.lr.high=0.5"]
    assert overrides_of({"key": value}) == expected


def test_a_tuple_in_a_sweep_is_one_value():
    assert overrides_of({"model__hidden": [(8,), (8, 4)], "lr": [1.0]}, swept=True) == [
        "model.hidden=[8],[8,4]",
        "lr=1.0",
    ]


@pytest.mark.parametrize(
    ("settings", "typed"),
    [
        ({"optimizer": "nestrov"}, "optimizer=nestrov"),
        ({"lr": -1}, "lr=-1"),
    ],
)
def test_what_is_refused_is_refused_in_the_same_line(
    settings: dict, typed: str, here: Path, sgdlab_typed: Cli
):
    before = sorted(here.rglob("*"))
    with pytest.raises(sgdlab.InputError) as refused:
        sgdlab.train(**settings)
    assert f"sgdlab: {refused.value}\n" == sgdlab_typed("train", typed).err
    assert [p for p in sorted(here.rglob("*")) if "__pycache__" not in p.parts] == before


def test_other_refusals_say_what_to_do(here: Path):
    with pytest.raises(sgdlab.InputError, match="a flag of the command line"):
        sgdlab.train("-m")
    with pytest.raises(sgdlab.InputError, match="type sgdlab train for lessons"):
        sgdlab.train(experiment="lessons/lr_gap")
    with pytest.raises(sgdlab.InputError, match="lr=object: no value that a config holds"):
        sgdlab.train(lr=object())
    with pytest.raises(sgdlab.InputError, match="takes one name; write optimizer=adam"):
        sgdlab.train(optimizer=["adam"])
    with pytest.raises(sgdlab.InputError, match=r"lr=\[\]: no value"):
        sgdlab.sweep(lr=[])


def test_nothing_is_printed_unless_asked(here: Path, capfd):
    run = sgdlab.train(**SMALL, max_steps=1)
    assert capfd.readouterr() == ("", "")
    assert run.directory.is_relative_to("runs/train") or run.directory.is_absolute()
    run = sgdlab.train(**SMALL, max_steps=1, verbose=True, directory="said")
    out, err = capfd.readouterr()
    assert "step 1/1" in err
    assert "val accuracy" in out
    again = sgdlab.train(**SMALL, max_steps=1, directory="said")
    assert again.summary == run.summary
    assert "is finished; resume=false runs it again" in again.notices[0]


def test_a_call_leaves_the_process_as_it_was(here: Path):
    torch.manual_seed(5)
    random.seed(5)
    before = torch.get_rng_state(), random.getstate(), torch.get_num_threads()
    argv, path, handler = sys.argv, sys.path.copy(), signal.getsignal(signal.SIGINT)
    main = sys.modules["__main__"]
    GlobalHydra.instance().hydra = own = object()
    try:
        sgdlab.train(**SMALL, max_steps=2)
        assert GlobalHydra.instance().hydra is own
    finally:
        GlobalHydra.instance().clear()
    after = torch.get_rng_state(), random.getstate(), torch.get_num_threads()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert (sys.argv, sys.path, sys.modules["__main__"]) == (argv, path, main)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_run_that_fails_raises_with_its_reason(here: Path):
    import own_parts

    with pytest.raises(sgdlab.RunFailedError, match=r"limits.seconds") as failed:
        sgdlab.train(**SMALL, epochs=100_000, limits__seconds=0.2, directory="run")
    assert failed.value.run.status == "failed"
    assert (here / "run/summary.csv").is_file()
    # One that does not work at all is refused before anything is written.
    with pytest.raises(sgdlab.InputError, match="does not work"):
        sgdlab.train(dataset="wine", model=own_parts.Broken)


def test_ctrl_c_is_keyboard_interrupt_after_the_step(here: Path):
    def interrupt() -> None:
        while not (here / "run/steps.csv").is_file():
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    teller = threading.Thread(target=interrupt)
    teller.start()
    with pytest.raises(KeyboardInterrupt):
        sgdlab.train(**SMALL, epochs=20_000, checkpoint__every=10, directory="run")
    teller.join()
    assert (here / "run/checkpoint.pt").is_file()
    assert not (here / "run/summary.csv").is_file()
    assert sgdlab.train(**SMALL, max_steps=1).status == "completed"  # it can be called again


def test_importing_sgdlab_and_reading_results_needs_no_torch(here: Path):
    run = sgdlab.train(**SMALL, max_steps=3, directory="run")
    code = (
        "import sys, sgdlab\n"
        "assert not {'torch', 'hydra', 'pandas', 'numpy'} & set(sys.modules), 'import'\n"
        "run = sgdlab.load('run')\n"
        "print(run.status, len(run.steps), run.plot_loss(), type(run).__name__)\n"
        "sgdlab.schedules.Cosine\n"
        "assert not {'torch', 'hydra', 'omegaconf'} & set(sys.modules), 'load'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{run.status} 3 <Training loss against steps> Run\n"


@pytest.mark.slow
def test_a_script_without_a_guard_is_not_run_again_by_the_processes_of_a_comparison(here: Path):
    (here / "script.py").write_text(
        "import sgdlab, own_parts\n"
        "print('begins', flush=True)\n"
        "found = sgdlab.compare(optimizers=['sgd', 'adam'], model=own_parts.Net,\n"
        "    dataset=own_parts.points(), schedule='constant', protocol='quick', epochs=2,\n"
        "    trials=2, replicates=2)\n"
        "print(found.verdict.headline)\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("begins") == 1
    assert "sgd" in done.stdout
    assert done.stderr == ""
    (parts,) = here.glob(f"runs/*/{PARTS}")
    assert len(list(parts.glob("arrays-*.npz"))) == 1
    (config,) = here.glob("runs/*/config.yaml")
    found = sgdlab.load(config.parent)
    assert isinstance(found, sgdlab.Comparison)
    assert set(found.pairs["metric"]) >= {"test_metric"} or len(found.pairs) > 0
    assert found.plot_pairs()._repr_svg_().startswith("<?xml")


@pytest.mark.slow
def test_a_comparison_is_that_of_the_command_byte_for_byte(here: Path, sgdlab_typed: Cli):
    settings = {"protocol": "quick", "replicates": 2, "trials": 2, "epochs": 2}
    found = sgdlab.compare(optimizers=["sgd", "adam"], **SMALL, **settings)
    typed = [f"{key}={value}" for key, value in settings.items()]
    assert sgdlab_typed("compare", "optimizers=[sgd,adam]", *QUICK, *typed).code == 0
    (other,) = sgdlab_typed.folder.glob("runs/*")
    assert found.directory.name == other.name
    tables = sorted(
        p.relative_to(other) for p in other.rglob("steps.csv") if "timing" not in p.parts
    )
    assert len(tables) > 8
    for table in tables:
        assert (found.directory / table).read_bytes() == (other / table).read_bytes()
    mine, theirs = (rows(folder / "report/pairwise.csv") for folder in (found.directory, other))
    assert len(found.pairs) == len(theirs)
    timed = "seconds"  # differs from one execution to the next
    assert [row for row in mine if timed not in row["metric"]] == [
        row for row in theirs if timed not in row["metric"]
    ]
    assert f'"headline": "{found.verdict.headline}"' in (other / "report/verdict.json").read_text()


def test_a_second_ctrl_c_raises_at_once_in_a_process_that_is_not_ours():
    told: list[bool] = []

    def steps() -> None:
        with signals.handled(ends_process=False), signals.at_a_step():
            signal.raise_signal(signal.SIGINT)
            told.append(signals.asked())
            time.sleep(0.25)  # sooner it is one request that arrives twice
            signal.raise_signal(signal.SIGINT)
            told.append(False)

    with pytest.raises(KeyboardInterrupt):
        steps()
    assert told == [True]
