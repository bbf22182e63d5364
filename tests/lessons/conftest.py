import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_runs import Cli


@pytest.fixture
def sgdlab(tmp_path: Path) -> Cli:
    """The command line in an empty working directory."""
    return Cli(tmp_path / "here")
