from pathlib import Path

import pytest
from cli_runs import Cli


@pytest.fixture
def sgdlab(tmp_path: Path) -> Cli:
    """The command line in an empty working directory."""
    return Cli(tmp_path / "here")
