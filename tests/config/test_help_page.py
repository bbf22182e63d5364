"""``--help``: what people set has a line each, read from the YAML, and everything is there."""

import pytest
from omegaconf import OmegaConf

from sgdlab.config.catalogue import conf_dir, groups, members
from sgdlab.config.help_page import help_page
from sgdlab.config.key_docs import key_docs

COMMANDS = ["train", "compare", "lr-find", "verify"]


@pytest.mark.parametrize("width", [72, 80, 100])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_is_wider_than_the_terminal(command: str, width: int):
    assert max(map(len, help_page(command, width=width).splitlines())) <= width


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_begins_with_what_the_command_does(command: str):
    begins = "sgdlab trains" if command == "train" else f"sgdlab {command} "
    assert help_page(command, width=100).startswith(begins)


@pytest.mark.parametrize("command", COMMANDS[:3])
def test_twenty_keys_have_a_line_with_default_and_meaning(command: str):
    page = help_page(command, width=100)
    used = page.partition("The keys that people use")[2].partition("More keys")[0]
    keys = [line for line in used.splitlines() if line.startswith("  ") and line[2] != " "]
    assert len(keys) == 20
    without = [line for line in keys if len(line.split()) < 2]
    assert without in ([], ["  range.stop=null"])  # which its neighbour explains


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_of_the_config_is_on_the_page(command: str):
    page = help_page(command)
    config = OmegaConf.load(conf_dir() / f"{command.replace('-', '_')}.yaml")
    for key in set(map(str, config)) - {"defaults", "hydra", "names", "relative_paths"}:
        if key in key_docs(command.replace("-", "_")) and key not in (
            "phase", "trial", "replicate", "contender", "lesson",
        ):  # fmt: skip
            assert key in page, key


def test_defaults_are_those_of_the_yaml():
    config = OmegaConf.load(conf_dir() / "train.yaml")
    for key, doc in key_docs("train").items():
        value = OmegaConf.select(config, key) if not doc.default.startswith("$") else None
        if doc.default and key.partition(".")[0] not in groups() and value is not None:
            assert str(value).lower() == str(OmegaConf.create({"v": doc.default}).v).lower(), key
    assert key_docs("train")["optimizer.momentum"].default == "0.9"
    assert key_docs("compare")["trials"].default == "16"


def test_members_of_a_user_are_on_the_page(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("_target_: a.B\n")
    assert " mine " in " ".join(help_page("train", tmp_path).split())
    page = " ".join(help_page("train").split())
    assert all(f" {name} " in page for name in members("optimizer"))
