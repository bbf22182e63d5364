"""A tracker that cannot send is refused in one line, before the first file."""

import importlib.util
from pathlib import Path

import pytest
from cli_runs import QUICK, Cli

from sgdlab.checks import pip_install

REFUSED = {
    "logger=tensorbord": "no such member of logger; did you mean logger=tensorboard?",
    "logger=[tensorboard,mlfow]": "logger=mlfow: no such member of logger; did you mean",
    "logger.tensorboard.directory=x": "not chosen; add logger=tensorboard",
    "logger=tensorboard logger.tensorboard.directry=x": "did you mean logger.tensorboard.directory",
    "logger=tensorboard logger.tensorboard.every=0": "every=0: must be a whole number of steps",
    "logger=tensorboard logger.tensorboard.directory=taken/x": "taken is no folder",
    "logger=mlflow": f"needs the package mlflow; {pip_install('mlflow')}",
    "logger=mlflow logger.mlflow.uri=http://127.0.0.1:9": "nobody answers",
    "logger=mlflow logger.mlflow.uri=http://me:s3cret@127.0.0.1:9": "//***@127.0.0.1:9: nob",
    "logger=mlflow logger.mlflow.uri=mlruns": "name a SQLite file, sqlite:///mlflow.db",
    "logger=mlflow logger.mlflow.uri=ftp://x": "no URI of MLflow",
    "logger=wandb": f"needs the package wandb; {pip_install('wandb')}",
    "logger=wandb logger.wandb.mode=onlin": "valid: offline, online",
    "logger=trackio": f"needs the package trackio; {pip_install('trackio')}",
}


@pytest.fixture
def here(sgdlab: Cli) -> Cli:
    (sgdlab.folder / "taken").write_text("")
    return sgdlab


def packages(monkeypatch: pytest.MonkeyPatch, are_there: bool) -> None:
    """Have the packages of all trackers be installed, or none."""
    find = importlib.util.find_spec
    own = ("mlflow", "wandb", "trackio", "tensorboard")
    monkeypatch.setattr(
        "sgdlab.trackers.settings.importlib.util.find_spec",
        lambda name: (object() if are_there else None) if name in own else find(name),
    )


@pytest.mark.parametrize("typed", REFUSED)
@pytest.mark.parametrize("command", [("train",), ("train", "-m", "seed=0,1")], ids=["one", "many"])
def test_bad_input_is_one_line_and_leaves_no_file(
    command: tuple[str, ...], typed: str, here: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages(monkeypatch, are_there="package" not in REFUSED[typed])
    result = here(*command, *QUICK, "epochs=1", *typed.split())
    assert result.code == 2
    (said,) = [line for line in result.err.splitlines() if "note:" not in line]
    assert REFUSED[typed] in said
    assert [path.name for path in here.folder.iterdir()] == ["taken"]


def test_a_comparison_refuses_too(here: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    packages(monkeypatch, are_there=True)
    result = here("compare", *QUICK, "logger=tensorboard", "logger.tensorboard.directory=taken")
    assert (result.code, result.out) == (2, "")
    assert "taken is no folder" in result.err


def test_a_range_test_is_sent_nowhere(here: Cli) -> None:
    result = here("lr-find", *QUICK, "logger=tensorboard")
    assert (result.code, result.err) == (
        2, "sgdlab: logger: a range test is sent to no tracker; leave it out\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("tensorbord", "did you mean tensorboard?"),
        ("", "no such tracker; valid: mlflow, tensorboard, trackio, wandb"),
        ("tensorboard=taken", "taken is no folder"),
    ],
)
def test_report_refuses_too(to: str, said: str, here: Cli) -> None:
    pytest.importorskip("tensorboard")
    here.train("a", "epochs=1")
    before = sorted(here.folder.rglob("*"))
    result = here("report", "a", "--to", to)
    assert result.code == 2
    assert said in result.err
    assert sorted(here.folder.rglob("*")) == before


def test_the_shipped_settings_are_those_of_the_classes() -> None:
    import inspect

    import yaml

    from sgdlab.startup import conf_dir
    from sgdlab.trackers.settings import tracker_of

    paths: list[Path] = sorted((conf_dir() / "logger").glob("*.yaml"))
    assert [path.stem for path in paths] == ["mlflow", "tensorboard", "trackio", "wandb"]
    for path in paths:
        section = yaml.safe_load(path.read_text())
        own = inspect.signature(type(tracker_of(path.stem, section))).parameters
        assert list(section) == ["_target_", *own], path


def test_packed_runs_are_not_said_to_be_sent(here: Cli) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("tensorboard")
    assert here("train", "-m", *QUICK, "max_steps=2", "seed=0,1", "study=s").code == 0
    assert here("pack", "runs/s").code == 0
    result = here("report", "runs/s", "--to", "tensorboard")
    assert result.code == 2
    assert result.err.strip().endswith("sgdlab unpack runs/s first")
