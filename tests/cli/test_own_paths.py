"""Relative paths of a user's own config: a run finds its files from anywhere, with the same id."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_runs import Cli, rows, same_run, summary, write

READ = """
    import numpy as np
    from torch import nn


    def read(path, also=()):
        x = np.loadtxt(path, delimiter=",")
        for each in also:
            np.loadtxt(each, delimiter=",")
        return x, (x[:, 0] > 0).astype(int)


    class Warm(nn.Linear):
        def __init__(self, input_shape, num_outputs, cfg):
            super().__init__(input_shape[0], num_outputs)
            self.weight.data += float(np.loadtxt(cfg["weights"]))
"""
RUN = ("dataset=points", "model=linear", "schedule=constant", "batch_size=16", "max_steps=3")


def points(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, np.random.default_rng(seed).standard_normal((60, 3)), delimiter=",")


@pytest.fixture
def own(parts: Path, sgdlab: Cli) -> Path:
    """Data beside a user's config, and other data of the same name in the working directory."""
    write(parts / "own_read.py", READ)
    text = "_target_: own_read.read\npath: data.csv\nalso: [sub/more.csv]\n"
    write(parts / "dataset/points.yaml", text)
    write(parts / "model/warm.yaml", "_target_: own_read.Warm\ncfg: {weights: w.txt}\n")
    write(parts / "w.txt", "0.5")
    points(parts / "data.csv", 0)
    points(parts / "sub/more.csv", 1)
    points(sgdlab.folder / "data.csv", 2)
    return parts


def trained(cli: Cli, name: str, *arguments: object) -> Path:
    result = cli("train", *arguments, f"hydra.run.dir={name}")
    assert result.code == 0, result.err
    return cli.folder / name


def test_a_run_repeats_from_elsewhere_byte_for_byte(sgdlab: Cli, own: Path, tmp_path: Path):
    run = trained(sgdlab, "run", "--config-dir", own, *RUN, "model=warm")
    text = (run / "config.yaml").read_text()
    for file in ("data.csv", "sub/more.csv", "w.txt"):
        assert f"{own / file}\n" in text
    there = Cli(tmp_path / "elsewhere/deep")
    again = trained(there, "again", "--config-dir", run, "--config-name", "config")
    assert same_run(run, again)
    assert (again / "config.yaml").read_text() == text


def test_the_config_folder_may_be_named_from_anywhere_and_lie_anywhere(
    sgdlab: Cli, own: Path, tmp_path: Path
):
    run = trained(sgdlab, "run", "--config-dir", own, *RUN)
    beside = trained(Cli(own.parent), "beside", "--config-dir", own.name, *RUN)
    moved = shutil.copytree(own, tmp_path / "moved/away")
    far = trained(sgdlab, "far", "--config-dir", moved, *RUN)
    assert str(moved / "data.csv") in (far / "config.yaml").read_text()
    assert same_run(run, beside)
    assert same_run(run, far)  # the id, too


def test_a_typed_path_counts_from_the_working_directory(sgdlab: Cli, own: Path, tmp_path: Path):
    run = trained(sgdlab, "run", "--config-dir", own, *RUN)
    typed = trained(sgdlab, "typed", "--config-dir", own, *RUN, "dataset.path=data.csv")
    assert f"path: {sgdlab.folder / 'data.csv'}\n" in (typed / "config.yaml").read_text()
    assert summary(typed)["run_id"] != summary(run)["run_id"]
    there = Cli(tmp_path / "elsewhere")
    again = trained(there, "again", "--config-dir", typed, "--config-name", "config")
    assert same_run(typed, again)


@pytest.mark.parametrize(
    "how",
    [
        "hydra/launcher=basic", "hydra/launcher=stacked", "hydra/sweeper=basic",
        pytest.param("hydra/launcher=joblib", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_every_sweep_finds_the_same_files(sgdlab: Cli, own: Path, how: str):
    single = trained(sgdlab, "single", "--config-dir", own, *RUN, "seed=1")
    result = sgdlab(
        "train",
        "-m",
        "--config-dir",
        own,
        *RUN,
        "seed=0,1",
        how,
        f"hydra.sweep.dir={sgdlab.folder}/s",
    )
    assert result.code == 0, result.err
    (found,) = [
        p.parent for p in sgdlab.folder.glob("s/*/summary.csv") if summary(p.parent)["seed"] == "1"
    ]
    assert summary(found)["run_id"] == summary(single)["run_id"]
    table = rows(found / "evals.csv")
    assert [float(r["loss"]) for r in table] == pytest.approx(
        [float(r["loss"]) for r in rows(single / "evals.csv")], rel=1e-5
    )


def test_a_file_that_is_nowhere_is_named_where_it_was_looked_for(sgdlab: Cli, own: Path):
    (own / "data.csv").unlink()
    result = sgdlab("train", "--config-dir", own, *RUN)
    assert result.code == 2
    assert f"dataset=points: FileNotFoundError: {own / 'data.csv'} not found" in result.err
