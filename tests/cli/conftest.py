from pathlib import Path

import pytest
from cli_runs import Cli


@pytest.fixture
def sgdlab(tmp_path: Path) -> Cli:
    """The command line in an empty working directory."""
    return Cli(tmp_path / "here")


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A user's --config-dir, outside the working directory."""
    folder = tmp_path / "parts"
    folder.mkdir()
    return folder
