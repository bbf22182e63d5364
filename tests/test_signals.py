"""Being told to stop, once and twice."""

import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

from sgdlab import signals
from sgdlab.signals import Interrupted


def tell(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0)  # the interpreter is told between two instructions


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)]
)
def test_a_process_stops_where_it_is_told(number: int, code: int):
    # Not ignored, as SIGINT is in what a shell has put into the background.
    before = signal.signal(number, signal.default_int_handler)
    try:
        with signals.handled(), pytest.raises(Interrupted) as told:
            tell(number)
    finally:
        signal.signal(number, before)
    assert told.value.code == code
    assert not signals.asked()


def test_whoever_makes_steps_ends_the_current_one():
    done: list[str] = []

    def work() -> None:
        with signals.at_a_step():
            tell()
            done.append("the step")
            assert signals.asked()
        done.append("never")

    with signals.handled(), pytest.raises(Interrupted):
        work()
    assert done == ["the step"]


def test_a_signal_that_reaches_a_process_twice_at_once_is_one():
    def work() -> None:
        with signals.at_a_step():
            tell()
            tell()

    with signals.handled(), pytest.raises(Interrupted):
        work()


def test_the_second_ends_at_once():
    code = (
        "import os, signal, time\n"
        "from sgdlab import signals\n"
        "with signals.handled(), signals.at_a_step():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(0.3)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (143, "sgdlab: ended at once\n")


def test_handlers_are_given_back_and_what_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        own = signal.getsignal(signal.SIGTERM)
        with signals.handled():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_that_nobody_sent_is_the_parts_own():
    assert signals.is_real(KeyboardInterrupt())
    with signals.handled():
        assert not signals.is_real(KeyboardInterrupt())
        assert signals.is_real(Interrupted())


def test_a_worker_can_say_which_signal_it_was():
    assert pickle.loads(pickle.dumps(Interrupted(signal.SIGTERM))).code == 143
