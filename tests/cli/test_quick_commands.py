"""What answers without torch and Hydra, and what Hydra's own flags show."""

import subprocess
import sys

import pytest
import yaml
from cli_runs import Cli

ASK = """
import sys
from sgdlab.cli import main
sys.argv = ["sgdlab", *{arguments!r}]
code = main()
slow = sorted({{"torch", "hydra", "omegaconf", "pandas", "matplotlib"}} & set(sys.modules))
sys.exit(f"imported {{slow}}" if slow else code)
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "compare"),
        (["-h"], "usage: sgdlab COMMAND"),
        (["--version"], "sgdlab "),
        (["list"], "nesterov"),
        (["list", "optimizer"], "adamw"),
        (["train", "--help"], "batch_size=64"),
        (["compare", "-sc", "install=bash"], "complete "),
    ],
)
def test_a_quick_command_imports_nothing_slow(tmp_path, arguments: list[str], expected: str):
    code = ASK.format(arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert expected in done.stdout


def test_list_shows_every_shipped_yaml_with_a_description(sgdlab: Cli):
    from sgdlab.config.catalogue import conf_dir

    lines = sgdlab("list").out.splitlines()
    described = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  ")}
    for path in conf_dir().glob("*/*.yaml"):
        if path.parent.name not in ("hydra", "search"):
            assert described[path.stem], f"{path} has no first line"


def test_list_of_one_group_shows_no_other(sgdlab: Cli):
    out = sgdlab("list", "scaling").out
    assert "sqrt" in out
    assert "nesterov" not in out


@pytest.mark.parametrize(
    ("command", "override", "expected"),
    [("train", "lr=0.25", 0.25), ("compare", "trials=5", 5)],
)
def test_cfg_shows_the_config_and_leaves_no_file(sgdlab: Cli, command, override, expected):
    result = sgdlab(command, "--cfg", "job", "--resolve", override)
    assert result.code == 0, result.err
    assert yaml.safe_load(result.out)[override.partition("=")[0]] == expected
    assert not list(sgdlab.folder.iterdir())


def test_the_help_of_a_command_names_its_groups(sgdlab: Cli):
    result = sgdlab("train", "--help")
    assert result.code == 0
    assert "optimizer" in result.out
    assert "batch_size" in result.out


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["optimizer=adam"], "write sgdlab train optimizer=adam"),
        (["-m", "lr=1,2"], "write sgdlab train -m lr=1,2"),
        (["Train"], "did you mean train?"),
        (["runs"], "write sgdlab report runs"),
    ],
)
def test_a_line_without_a_command_is_refused_with_the_whole_line(sgdlab: Cli, arguments, right):
    (sgdlab.folder / "runs").mkdir()
    result = sgdlab(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.rstrip().endswith(right)


@pytest.mark.parametrize("arguments", [["train", "--help"], ["train", "help"], ["help", "train"]])
def test_help_is_found_however_it_is_asked_for(sgdlab: Cli, arguments: list[str]):
    assert sgdlab(*arguments).out.startswith("sgdlab trains one model")
