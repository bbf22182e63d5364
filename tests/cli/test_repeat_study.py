"""A comparison is repeated from the config in its folder, elsewhere and with its owner's parts."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, refused, summary, timeless, write

# One by one: no solo runs for times afterwards.
SMALL = ("epochs=2", "study=s", "replicates=1", "trials=2", "seeds=1", "engine=sequential")


def content(study: Path) -> dict[str, object]:
    """Return all that the runs of a study wrote, apart from time and memory."""
    found: dict[str, object] = {}
    for path in sorted(study.glob("*/*/*.csv")):
        name = str(path.relative_to(study))
        if not name.startswith(("timing/", "report/")):
            found[name] = path.read_bytes() if path.name == "steps.csv" else timeless(path)
    return found


def commands(study: Path) -> list[str]:
    """Return the commands of the report's section, in order."""
    section = (study / "report/report.md").read_text().split("## How to repeat every row")[1]
    return re.findall(r"```sh\n(.+)\n```", section)


def run(cli: Cli, line: str) -> None:
    name, *arguments = shlex.split(line)
    assert name == "sgdlab"
    result = cli(*arguments)
    assert result.code == 0, result.err


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A working directory with a small comparison of default settings."""
    cli = Cli(tmp_path_factory.mktemp("repeat") / "here")
    arguments = (*QUICK, *SMALL, "optimizers=[sgd,adam]", "search.sgd.lr.high=0.2")
    result = cli("compare", *arguments)
    assert result.code == 0, result.err
    return cli


@pytest.mark.slow
def test_the_report_begins_with_three_commands_of_the_whole(here: Cli):
    typed, whole, report = commands(here.folder / "runs/s")[:3]
    assert typed == (
        "sgdlab compare dataset=wine model=linear schedule=constant epochs=2 study=s replicates=1 "
        "trials=2 seeds=1 engine=sequential 'optimizers=[sgd,adam]' search.sgd.lr.high=0.2"
    )
    assert whole == "sgdlab compare --config-dir runs/s --config-name config"
    assert report == "sgdlab report runs/s"
    page = (here.folder / "runs/s/report/report.md").read_text()
    assert f"Typed in {here.folder}" in page.replace("\\", "")


def test_the_named_command_makes_the_same_study_from_the_config_alone_elsewhere(
    here: Cli, tmp_path: Path
):
    study, there = here.folder / "runs/s", Cli(tmp_path / "there")
    (there.folder / "runs/s").mkdir(parents=True)
    shutil.copy(study / "config.yaml", tmp_path / "config.yaml")
    line = commands(study)[1].replace("runs/s", str(tmp_path))
    run(there, line)
    again = there.folder / "runs/s"
    assert len(content(again)) == 3 * 8
    assert content(again) == content(study)
    assert (again / "config.yaml").read_bytes() == (study / "config.yaml").read_bytes()
    before = {path: path.stat().st_mtime_ns for path in again.glob("*/*/summary.csv")}
    run(there, commands(again)[1])
    assert {path: path.stat().st_mtime_ns for path in again.glob("*/*/summary.csv")} == before
    assert (again / "config.yaml").read_bytes() == (study / "config.yaml").read_bytes()


@pytest.mark.slow
def test_an_older_study_gets_its_config_when_it_goes_on(here: Cli, sgdlab: Cli):
    study = sgdlab.folder / "runs/s"
    shutil.copytree(here.folder / "runs/s", study)
    whole = (study / "config.yaml").read_bytes()
    (study / "config.yaml").unlink()
    run(sgdlab, commands(study)[0])
    assert (study / "config.yaml").read_bytes() == whole


@pytest.mark.slow
def test_a_config_that_a_person_has_put_there_is_not_replaced(here: Cli, sgdlab: Cli):
    study = sgdlab.folder / "runs/s"
    shutil.copytree(here.folder / "runs/s", study)
    write(study / "config.yaml", "lr: 0.1\n")
    line = refused(sgdlab, *shlex.split(commands(study)[0])[1:])
    assert "config.yaml: changed since sgdlab wrote it" in line


OWN = """
    import numpy as np
    import torch


    class Signed(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p -= group["lr"] * p.grad.sign()


    def read(path):
        x = np.loadtxt(path, delimiter=",")
        return x, (x[:, 0] > 0).astype(int)
"""


@pytest.mark.slow
def test_members_of_a_user_and_what_searches_choose_are_found_from_the_folder(
    sgdlab: Cli, parts: Path, tmp_path: Path
):
    write(parts / "repeat_parts.py", OWN)
    traits = "{family: adam, adaptive: true, decay: none, tensor_state: true}"
    write(
        parts / "optimizer/signed.yaml",
        f"_target_: repeat_parts.Signed\nlr: 0.001\n_traits_: {traits}\n",
    )
    write(parts / "search/signed.yaml", "lr: {low: 0.001, high: 0.1, scale: log}\n")
    write(parts / "dataset/points.yaml", "_target_: repeat_parts.read\npath: data.csv\n")
    write(parts / "suite/mine.yaml", "workloads:\n- points/linear\n- wine/linear: {epochs: 1}\n")
    rows = "".join(f"{(-1) ** n * (1 + n / 7)},{n % 5},{n % 3}\n" for n in range(60))
    write(parts / "data.csv", rows)
    arguments = (
        "--config-dir", parts, "workloads=mine", "schedule=constant", "schedule.warmup_steps=1",
        "protocol=quick", "batch_size=16", "max_steps=3", *SMALL[1:],
        # Its search fixes the schedule.
        "optimizers=[signed,schedule_free_sgd]", "tracks=[defaults]",
    )  # fmt: skip
    result = sgdlab("compare", *arguments)
    assert result.code == 0, result.err
    study, there = sgdlab.folder / "runs/s", Cli(tmp_path / "there")
    run(there, f"sgdlab compare --config-dir {study} --config-name config")
    again = there.folder / "runs/s"
    assert {summary(p.parent)["dataset"] for p in again.glob("defaults/*/summary.csv")} == {
        "points", "wine",
    }  # fmt: skip
    assert content(again) == content(study) != {}
    assert (again / "config.yaml").read_bytes() == (study / "config.yaml").read_bytes()
    parts.rename(tmp_path / "moved")
    line = refused(there, "compare", "--config-dir", str(study), "--config-name", "config")
    assert f"{parts}: no such folder of configs" in line


def test_the_command_of_a_sweep_is_named_and_repeats_it(sgdlab: Cli):
    run(sgdlab, "sgdlab train -m dataset=wine model=linear epochs=1 seed=0,1 study=w")
    run(sgdlab, "sgdlab report runs/w")
    first, report, *rest = commands(sgdlab.folder / "runs/w")
    assert first == "sgdlab train -m dataset=wine model=linear epochs=1 seed=0,1 study=w"
    assert report == "sgdlab report runs/w"
    assert all(line.startswith("sgdlab train --config-dir runs/w/") for line in rest[:2])
