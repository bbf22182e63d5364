"""Command lines that nobody means: each is done, or refused in one line without a trace."""

import random
from pathlib import Path

import pytest
from cli_runs import Cli
from hostile_input import command_line, faults, keys, reading
from hypothesis import given
from hypothesis import strategies as st

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("frozen_heap")]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_six_hundred_are_done_or_refused(sgdlab: Cli, part: int):
    known = keys()
    draws = (random.Random(f"command {number}") for number in range(100 * part, 100 * part + 100))
    found = [fault for draw in draws for fault in faults(sgdlab, command_line(draw, known))]
    assert not found, "\n".join(found)


@pytest.mark.slow
@given(seed=st.integers(0, 10**9))
def test_any_is_done_or_refused(tmp_path_factory: pytest.TempPathFactory, seed: int):
    draw = random.Random(seed)
    cli = Cli(Path(tmp_path_factory.mktemp("any")) / "work")
    assert not faults(cli, command_line(draw, keys()))
    assert not faults(cli, reading(draw))
