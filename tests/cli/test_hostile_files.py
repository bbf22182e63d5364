"""Config files and folders that nobody means: each is read, or refused in one line by name."""

import random
from pathlib import Path

import pytest
from cli_runs import Cli
from hostile_input import config_file, faults, reading
from hypothesis import given
from hypothesis import strategies as st

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("frozen_heap")]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_four_hundred_config_files_are_used_or_refused(sgdlab: Cli, part: int):
    draws = (random.Random(f"file {number}") for number in range(100 * part, 100 * part + 100))
    found = [fault for draw in draws for fault in faults(sgdlab, config_file(draw))]
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_a_thousand_folders_are_read_or_refused(sgdlab: Cli, part: int):
    draws = (random.Random(f"folder {number}") for number in range(100 * part, 100 * part + 100))
    found = [fault for draw in draws for fault in faults(sgdlab, reading(draw))]
    assert not found, "\n".join(found)


@pytest.mark.slow
@given(seed=st.integers(0, 10**9))
def test_any_config_file_is_used_or_refused(tmp_path_factory: pytest.TempPathFactory, seed: int):
    cli = Cli(Path(tmp_path_factory.mktemp("any")) / "work")
    assert not faults(cli, config_file(random.Random(seed)))
