from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runs import Cli
from python_calls import working_in


@pytest.fixture
def sgdlab_typed(tmp_path: Path) -> Cli:
    """The command line in another folder than the calls."""
    return Cli(tmp_path / "typed")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    """The working directory of the calls."""
    with working_in(tmp_path / "called") as folder:
        yield folder
