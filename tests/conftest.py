"""Settings shared by all tests."""

import os

# Tests measure numbers, not speed; several threads on shared cores can be ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
