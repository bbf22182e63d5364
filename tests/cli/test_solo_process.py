"""The process of the timing runs: warm before they come, and never in the way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_runs import QUICK, summary

from sgdlab.comparison.solo import SoloProcess
from trainer_runs import config_of


def test_it_trains_what_comes_and_says_how_it_ended(tmp_path: Path) -> None:
    config = config_of(*QUICK, "max_steps=3")
    with SoloProcess() as process:
        process.start()
        first = process._process.pid
        for name in ("a", "b"):
            assert process.train([(config, tmp_path / name)]) == [None]
            assert summary(tmp_path / name)["status"] == "completed"
        assert process._process.pid == first
        os.kill(first, signal.SIGKILL)
        process._process.join()
        with pytest.raises(OSError, match=r"exit code -9|Broken pipe"):
            process.train([(config, tmp_path / "c")])
    assert not (tmp_path / "c").exists()


def test_an_interrupt_while_it_waits_leaves_no_trace_and_it_ends_with_the_block(
    capfd: pytest.CaptureFixture[str],
) -> None:
    process = SoloProcess()

    def interrupted() -> None:
        with process:
            process.start()
            os.kill(process._process.pid, signal.SIGINT)
            time.sleep(0.5)
            assert process._process.is_alive()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not process._process.is_alive()
    assert capfd.readouterr().err == ""


def test_one_that_was_never_needed_was_never_started() -> None:
    with SoloProcess() as process:
        pass
    assert process._process is None


@pytest.mark.slow
def test_the_first_one_of_a_process_hears_no_interrupt_while_it_starts() -> None:
    """Python unblocks the signal when it starts its tracker of resources, which comes first."""
    code = (
        "import os, signal, time\n"
        "from sgdlab.comparison.solo import SoloProcess\n"
        "if __name__ == '__main__':\n"
        "    with SoloProcess() as process:\n"
        "        process.start()\n"
        "        os.kill(process._process.pid, signal.SIGINT)\n"
        "        time.sleep(1)\n"
        "        assert process._process.is_alive()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
