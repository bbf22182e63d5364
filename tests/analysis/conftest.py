import pandas as pd
import pytest
from simulated_study import Raw, simulate, table, write

from sgdlab.analysis import Analysis, analyse


@pytest.fixture(scope="session")
def simulated() -> list[Raw]:
    """A study of 500 runs, as numbers."""
    return simulate()


@pytest.fixture(scope="session")
def simulated_table(simulated: list[Raw]) -> pd.DataFrame:
    """The same as a table."""
    found = table(simulated)
    found["final_val_metric"] = [curve[-1] for curve in found["curve"]]
    return found


@pytest.fixture(scope="session")
def simulated_analysis(simulated: list[Raw], tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """The same as run folders, analysed."""
    assert len(simulated) == 500
    return analyse([write(tmp_path_factory.mktemp("study"), simulated)])
