"""Commands that are started twice at the same instant; `scripts/pairs.py` tries them more often."""

import subprocess
import sys
from pathlib import Path

import pytest

import pairs

SCRIPT = Path(pairs.__file__)


@pytest.mark.slow
@pytest.mark.parametrize("kind", pairs.KINDS)
def test_one_of_two_is_refused_or_both_leave_what_one_leaves(kind: str):
    count = 1 if kind == "compare" else 3
    command = [sys.executable, str(SCRIPT), kind, "--pairs", str(count)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{kind}: {count} pairs: " in ended.stdout
