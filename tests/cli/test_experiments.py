"""Every file of conf/experiment: its header, that it runs as its header says, and what it shows."""

import contextlib
import io
import shlex
from pathlib import Path

import pandas as pd
import pytest
from cli_runs import Cli

from sgdlab.config.catalogue import conf_dir

EXPERIMENTS = sorted((conf_dir() / "experiment").glob("*.yaml"))


def commands(path: Path) -> list[list[str]]:
    """Return the commands in the header of an experiment, each as a list of words."""
    lines = [line.removeprefix("#").strip() for line in path.read_text().splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(("sgdlab ", "python -c "))]


def run_table(cli: Cli, name: str) -> str:
    """Return what the header's line of Python prints in the working directory of ``cli``."""
    ((_, _, code),) = [c for c in commands(conf_dir() / f"experiment/{name}.yaml") if "-c" in c]
    with contextlib.chdir(cli.folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    return printed.getvalue()


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_the_header_has_a_description_and_the_command(path: Path):
    package, description, *_ = path.read_text().splitlines()
    assert package == "# @package _global_"
    assert 20 <= len(description) <= 100
    ((*words, last), *_) = commands(path)
    assert words[0] == "sgdlab"
    assert last == f"experiment={path.stem}"


@pytest.mark.slow
def test_a_transfer_of_small_networks_is_swept_and_its_table_is_right(sgdlab: Cli):
    """The command line replaces what the file sweeps."""
    (command, _) = commands(conf_dir() / "experiment/mup_transfer.yaml")
    result = sgdlab(
        *command[1:], "model.hidden=[8,8],[32,32]", "model.mup_base_width=8", "lr=0.003,0.03",
        "max_steps=4",
    )  # fmt: skip
    assert result.code == 0, result.err
    runs = pd.read_csv(sgdlab.folder / "runs/mup_transfer/runs.csv")
    assert len(runs) == 8
    assert set(runs.optimizer) == {"adamw"}
    assert set(runs["optimizer.weight_decay"]) == {0}
    best = {}
    for row in runs.sort_values("final_train_loss", ascending=False).itertuples():
        best[row.num_parameters, row.parametrization] = row.base_lr
    printed = run_table(sgdlab, "mup_transfer").splitlines()
    assert printed[0].split()[-2:] == ["mup", "standard"]
    for line, size in zip(printed[2:], sorted(set(runs.num_parameters)), strict=True):
        words = line.split()
        assert int(words[0]) == size
        assert [float(v) for v in words[-2:]] == [best[size, "mup"], best[size, "standard"]]


@pytest.mark.slow
def test_the_best_rate_falls_with_the_width_in_standard_and_stays_under_mup(sgdlab: Cli):
    (command, _) = commands(conf_dir() / "experiment/mup_transfer.yaml")
    assert sgdlab(*command[1:], "model.hidden=[64,64],[256,256],[1024,1024]").code == 0
    rows = [line.split() for line in run_table(sgdlab, "mup_transfer").splitlines()[2:]]
    under_mup, in_standard = ([float(row[k]) for row in rows] for k in (-2, -1))
    assert under_mup[0] == in_standard[0]
    assert max(under_mup) <= 2 * min(under_mup)
    assert in_standard[0] >= 4 * in_standard[2]
    assert sorted(in_standard, reverse=True) == in_standard
