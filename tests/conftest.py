"""Settings shared by all tests.

The default command and CI draw the same examples in every run, so that a test fails when the code
is wrong and never by luck; ``scripts/fuzz.sh`` looks for new ones with the profile ``fuzz``.
"""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

from quick_reports import leave_undrawn

# Tests measure numbers, not speed; several threads on shared cores can be ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

# Health checks of speed depend on the machine; the search for examples may take its time.
FREE_OF_THE_CLOCK = {
    "deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow],
}  # fmt: skip
settings.register_profile("default", derandomize=True, max_examples=20, **FREE_OF_THE_CLOCK)
settings.register_profile("fuzz", max_examples=300, print_blob=True, **FREE_OF_THE_CLOCK)
settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    """Hide CUDA devices, which ``device: auto`` would take, unless their tests are asked for."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_finish() -> None:
    """Keep torch and thousands of tests, which all stay, out of searches for garbage, now fewer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures of reports empty."""
    leave_undrawn(monkeypatch)
