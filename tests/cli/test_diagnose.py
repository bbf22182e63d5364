"""``sgdlab diagnose`` as typed: real runs, damaged ones, and what is no run."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest
from cli_runs import Cli, summary

HOT = ("lr=50.0", "epochs=8")

ASK = """
import sys
from sgdlab.cli import main
sys.argv = ["sgdlab", "diagnose", *{arguments!r}]
code = main()
slow = {{"torch", "hydra", "omegaconf", "pandas", "polars", "matplotlib"}} & set(sys.modules)
sys.exit(f"imported {{slow}}" if slow else code)
"""


def test_a_run_that_explodes_is_told_with_a_command_that_mends_it(sgdlab: Cli):
    run = sgdlab.folder / "hot"
    typed = ("dataset=diabetes", "model=linear", "optimizer=sgd", "schedule=constant")
    sgdlab("train", *typed, *HOT, "hydra.run.dir=hot")
    assert summary(run)["status"] == "diverged"
    result = sgdlab("diagnose", "hot")
    assert (result.code, result.err) == (0, "")
    assert "problem: The loss explodes" in result.out
    (line,) = (line for line in result.out.splitlines() if " try " in line)
    command = shlex.split(line.partition("sgdlab ")[2])
    assert command[:1] == ["train"]
    assert "lr=5.0" in command
    assert sgdlab(*command, "lr=0.05", "hydra.run.dir=cool").code == 0
    assert summary(sgdlab.folder / "cool")["status"] == "completed"


def test_a_healthy_run_gets_a_clean_bill(sgdlab: Cli):
    sgdlab.train("run", "schedule=cosine", "optimizer=momentum", "epochs=30", "batch_size=16")
    result = sgdlab("diagnose", "run")
    assert result.code == 0
    assert "nothing wrong" in result.out
    assert "dead_units (not measured: diagnostics=business)" in " ".join(result.out.split())


def test_several_runs_end_in_a_table_with_a_line_each(sgdlab: Cli):
    sgdlab.train("runs/a", "epochs=3")
    sgdlab.train("runs/b", "epochs=3", "lr=0.00001")
    out = sgdlab("diagnose", "runs", "--no-plots").out
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["run", "runs/a", "runs/b"]
    assert "⠤" not in out


def test_json_holds_every_finding(sgdlab: Cli):
    sgdlab.train("run", "decay.bias_and_norm=true", "epochs=12")
    assert sgdlab("diagnose", "run", "--json", "found.json").code == 0
    (written,) = json.loads((sgdlab.folder / "found.json").read_text())
    assert written["run"] == "run"
    assert "decayed_bias" in [finding["symptom"] for finding in written["findings"]]
    assert written["healthy"] is False
    (printed,) = json.loads(sgdlab("diagnose", "run", "--json", "-").out)
    assert printed == written


def test_the_sibling_may_lie_beside_the_run(sgdlab: Cli):
    sgdlab.train("small", "batch_size=8", "epochs=8")
    sgdlab.train("large", "batch_size=full", "epochs=8")
    for arguments in (("large",), ("large", "small")):
        assert "batch_without_lr" in sgdlab("diagnose", *arguments).out


def test_an_unfinished_run_is_read_up_to_its_last_line(sgdlab: Cli):
    run = sgdlab.train("run", "epochs=5")
    (run / "summary.csv").unlink()
    steps = run / "steps.csv"
    steps.write_text(steps.read_text()[:-7])
    result = sgdlab("diagnose", "run")
    assert (result.code, result.err) == (0, "")
    assert "unfinished" in result.out


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("steps.csv", "step,epoch\n1,1\n", "line 1"),
        ("evals.csv", "", "line 1"),
        ("config.yaml", "lr: [", "not valid YAML"),
        ("config.yaml", "lr: 1.0\n", "no key optimizer"),
        ("summary.csv", "status\n", "truncated"),
    ],
)
def test_a_damaged_file_is_named_and_the_other_runs_are_read(sgdlab: Cli, file, content, said):
    run = sgdlab.train("runs/a", "epochs=2")
    shutil.copytree(run, sgdlab.folder / "runs/b")
    (run / "manifest.json").unlink()  # as in a run of an older version
    (run / file).write_text(content)
    result = sgdlab("diagnose", "runs")
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert f"runs/a/{file}" in line
    assert said in line
    assert "runs/b:" in result.out


def test_what_is_no_run_is_refused_in_a_line(sgdlab: Cli):
    run = sgdlab.train("run", "epochs=1")
    (sgdlab.folder / "empty").mkdir()
    for arguments, said in (
        (["nowhere"], "nowhere: no such folder"),
        (["empty"], "empty: holds no run"),
        ([run / "steps.csv"], "a file; give the folder of the run"),
        ([], "required: RUN"),
        (["run", "--plots"], "unrecognized arguments"),
        (["run", "--json", "run"], "--json run"),
    ):
        result = sgdlab("diagnose", *arguments)
        assert result.code == 2
        assert len(result.err.splitlines()) == 1
        assert said in result.err


def test_it_imports_nothing_slow(sgdlab: Cli):
    sgdlab.train("run", "epochs=5")
    code = ASK.format(arguments=["run"])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=sgdlab.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
