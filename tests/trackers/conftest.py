from pathlib import Path

import pytest
from cli_runs import Cli

HERE = Path(__file__).parent


@pytest.fixture
def sgdlab(tmp_path: Path) -> Cli:
    """The command line in an empty working directory."""
    return Cli(tmp_path / "here")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A --config-dir with the trackers of `own_trackers`, which keep what they get in ``kept``."""
    folder = tmp_path / "own"
    (folder / "logger").mkdir(parents=True)
    (folder / "own_trackers.py").write_text((HERE / "own_trackers.py").read_text())
    for name in ("Keeping", "Hanging", "Failing", "Killed"):
        (folder / "logger" / f"{name.lower()}.yaml").write_text(
            f"# @package logger.{name.lower()}\n_target_: own_trackers.{name}\n"
            f"directory: {tmp_path / 'kept'}\n"
        )
    return folder
