"""The ranking of a sweep, and what reports read, say what was swept."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, rows, write

from sgdlab.sweeps.run import swept_texts

NET = """
    from torch import nn


    class Net(nn.Sequential):
        def __init__(self, input_shape, num_outputs, cfg):
            super().__init__(nn.Linear(input_shape[0], num_outputs))
            self.cfg = cfg
"""


@pytest.fixture
def own(parts: Path) -> Path:
    """Two experiments, a model with a nested setting, and a loss."""
    head = "# @package _global_\n"
    write(parts / "experiment/hot.yaml", f"{head}lr: 0.5\n")
    write(parts / "experiment/cold.yaml", f"{head}lr: 0.001\n")
    write(parts / "own_net.py", NET)
    write(parts / "model/net.yaml", "_target_: own_net.Net\ncfg: {block: {depth: 1}}\n")
    return parts


def swept(cli: Cli, parts: Path, *arguments: str) -> tuple[str, list[str]]:
    """Return the heading of a ranking and its rows."""
    options = (*QUICK, "max_steps=2", "study=s")
    result = cli("train", "-m", "--config-dir", parts, *options, *arguments)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    return lines[0], [line for line in lines if line[:1].isdigit() and "runs.csv" not in line]


@pytest.mark.parametrize(
    ("typed", "key", "values"),
    [
        ("experiment=hot,cold", "experiment", ("hot", "cold")),
        ("loss=cross_entropy,mse", "loss", ("cross_entropy", "mse")),
        ("average=none,ema", "average", ("none", "ema")),
        ("model=net,linear", "model", ("net", "linear")),
        ("dataset=wine,breast_cancer", "dataset", ("wine", "breast_cancer")),
        ("model.cfg.block.depth=1,2", "model.cfg.block.depth", (" 1 ", " 2 ")),
        ("model.cfg={block:{depth:1}},{block:{depth:2}}", "model.cfg",
         ("{block:{depth:1}}", "{block:{depth:2}}")),
        ("optimizer=adam optimizer.betas=[0.9,0.99],[0.8,0.99]", "optimizer.betas",
         ("[0.9,0.99]", "[0.8,0.99]")),
        ("lr=0.12341,0.12342", "lr", ("0.12341", "0.12342")),
        ("split.seed=0,1", "split.seed", (" 0 ", " 1 ")),
        ("decay.multipliers=null,{*weight:2}", "decay.multipliers", ("null", "{*weight:2}")),
        ("limits.loss_factor=null,1e3", "limits.loss_factor", ("null", "1000")),
    ],
)  # fmt: skip
def test_the_ranking_names_every_value(sgdlab: Cli, own: Path, typed: str, key: str, values: tuple):
    model = () if "model=" in typed or "model." not in typed else ("model=net",)
    heading, ranked = swept(sgdlab, own, *model, *typed.split())
    assert f" {key} " in heading
    assert len(ranked) == len(values)
    for value in values:
        assert sum(f" {value.strip()} " in row for row in ranked) >= 1, (value, ranked)


def test_what_reports_read_names_the_loss_and_the_experiment(sgdlab: Cli, own: Path):
    swept(sgdlab, own, "experiment=hot,cold", "loss=cross_entropy,mse")
    table = rows(sgdlab.folder / "runs/s/runs.csv")
    found = {(row["experiment"], row["loss"]) for row in table}
    assert found == {(e, loss) for e in ("hot", "cold") for loss in ("cross_entropy", "mse")}


def test_numbers_are_rounded_only_where_they_stay_apart():
    assert swept_texts([["lr=1e-05"], ["lr=0.123456"]]) == [{"lr": "1e-05"}, {"lr": "0.1235"}]
    close = [["lr=0.123456"], ["lr=0.123457"], ["lr=1e-05"]]
    assert [own["lr"] for own in swept_texts(close)] == ["0.123456", "0.123457", "1e-05"]
    assert swept_texts([["x=null"], ["x='null'"], []]) == [
        {"x": "null"},
        {"x": "'null'"},
        {"x": "–"},
    ]
