import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runs import Cli


@pytest.fixture
def sgdlab(tmp_path: Path) -> Cli:
    """The command line in an empty working directory."""
    return Cli(tmp_path / "here")


@pytest.fixture(scope="module")
def frozen_heap() -> Iterator[None]:
    """Search what is there for no garbage: after thousands of tests that takes seconds a case."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.collect()
    gc.freeze()  # as after the collection of tests


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A user's --config-dir, outside the working directory."""
    folder = tmp_path / "parts"
    folder.mkdir()
    return folder
