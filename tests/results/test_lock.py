"""One writer: who holds a folder, who is refused, and what is left when the holder dies."""

import contextlib
import errno
import fcntl
import os
import select
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from forked import Forked, another
from sgdlab.errors import InputError
from sgdlab.results.holders import GUARD
from sgdlab.results.lock import WAIT, HeldError, each_held, held, holders_of, in_turn

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def free(folder: Path, **how: bool) -> bool:
    try:
        with held(folder, **how):
            return True
    except HeldError:
        return False


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["sgdlab train", "lr=0.1\n\x1b[2J"])
    with another(tmp_path) as other:
        with pytest.raises(HeldError) as refused, held(tmp_path):
            pass
        who = holders_of([tmp_path])[tmp_path]
    text = str(refused.value)
    assert text.startswith(f"{tmp_path}: held by process {other.pid} on ")
    assert "(sgdlab train lr=0.1 ?[2J): lock=wait waits for it" in text
    assert (who.pid, who.alone) == (other.pid, ["."])
    assert who.since in text
    assert free(tmp_path)
    assert files(tmp_path) == []


def test_what_a_killed_process_held_is_free(tmp_path: Path):
    with contextlib.suppress(ChildProcessError, OSError), another(tmp_path) as other:
        assert not free(tmp_path)
        other.kill()
    assert free(tmp_path)
    assert files(tmp_path) == []


def test_a_child_that_outlives_a_killed_holder_holds_nothing(tmp_path: Path):
    ended, alive = os.pipe()

    def enter(stack: contextlib.ExitStack) -> None:
        stack.enter_context(held(tmp_path))
        if os.fork() == 0:
            select.select([ended], [], [], 60)
            os._exit(0)

    holder = Forked(enter)
    assert not free(tmp_path)
    holder.kill()
    assert free(tmp_path)
    os.write(alive, b"+")
    os.close(alive)
    os.close(ended)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (("s", {}), ("s", {}), False),
        (("s", {}), ("s/r1", {}), False),
        (("s/r1", {}), ("s", {}), True),  # its run is held, see below
        (("s/r1", {}), ("s/r1", {}), False),
        (("s/r1", {}), ("s/r2", {}), True),
        (("s/r1", {}), ("s/r10", {}), True),
        (("s", {"shared": True}), ("s", {"shared": True}), True),
        (("s", {"shared": True}), ("s", {}), False),
        (("s", {}), ("s", {"shared": True}), False),
        (("s", {"shared": True}), ("s/r1", {}), True),
        (("s/r1", {}), ("s", {"shared": True}), True),
        (("s", {}), ("s/report", {"apart": True}), True),
        (("s/report", {"apart": True}), ("s/report", {"apart": True}), False),
        (("s", {"shared": True}), ("s", {"apart": True}), False),
        (("s/r1", {}), ("s/r1", {"apart": True}), False),
    ],
)
def test_who_is_in_whose_way(tmp_path: Path, first, second, both: bool):
    with another(tmp_path / first[0], **first[1]):
        assert free(tmp_path / second[0], **second[1]) == both


def test_beside_a_sweep_everybody_is_seen(tmp_path: Path):
    study = tmp_path / "s"
    with another(study, shared=True), another(study / "tune" / "r1"):
        assert not free(study)
        assert not free(study, apart=True)
        assert not free(study / "tune" / "r1", apart=True)
        assert not free(study / "tune")
        assert free(study, shared=True)
        assert free(study / "tune" / "r2")
        assert free(study / "report", apart=True)


@pytest.mark.parametrize("shared", [True, False])
def test_a_run_that_was_begun_before_its_study_is_seen(tmp_path: Path, shared: bool):
    run = tmp_path / "s" / "tune" / "r1"
    with another(run), held(tmp_path / "s", shared=shared):
        assert not free(run)
        assert list(holders_of([run, tmp_path])) == [run]
        with each_held([run, run.with_name("r2")]) as others:
            assert list(others) == [run]
    with held(tmp_path / "s", shared=shared):
        assert free(run)


def test_links_lead_to_the_same_folder(tmp_path: Path):
    (tmp_path / "s").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "s")
    with another(tmp_path / "link" / "r1"):
        assert not free(tmp_path / "s" / "r1")


def test_a_process_waits_and_says_so_once(tmp_path: Path, monkeypatch):
    said: list[str] = []
    process = Forked(lambda stack: stack.enter_context(held(tmp_path)))
    steps = iter([lambda: None, process.end])
    clock = SimpleNamespace(sleep=lambda _: next(steps)())
    monkeypatch.setattr("sgdlab.results.lock.time", clock)
    with held(tmp_path, WAIT, said.append):
        assert len(said) == 1
    assert f"held by process {process.pid} on " in said[0]
    assert said[0].endswith("): waiting for it")


def test_ctrl_c_ends_the_wait(tmp_path: Path, monkeypatch):
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with another(tmp_path / "s"):
        monkeypatch.setattr("sgdlab.results.lock.time", SimpleNamespace(sleep=interrupt))
        with pytest.raises(KeyboardInterrupt), held(tmp_path / "s", WAIT):
            pass
    assert not (tmp_path / "s").exists()


def test_processes_take_turns(tmp_path: Path):
    count = tmp_path / "count"
    count.write_text("0")

    def add(stack: contextlib.ExitStack) -> None:
        for _ in range(20):
            with in_turn(tmp_path):
                number = int(count.read_text())
                time.sleep(0.0002)
                count.write_text(str(number + 1))

    processes = [Forked(add) for _ in range(4)]
    for process in processes:
        process.end()
    assert count.read_text() == "80"


def test_of_many_at_once_one_holds_the_folder(tmp_path: Path):
    start, go = os.pipe()
    got = tmp_path / "got"
    got.mkdir()

    def compete(stack: contextlib.ExitStack) -> None:
        os.read(start, 1)
        with contextlib.suppress(HeldError):
            stack.enter_context(held(tmp_path / "s" / "r1"))
            (got / str(os.getpid())).touch()

    # They tell that they are ready only when they have tried.
    os.write(go, b"." * 6)
    processes = [Forked(compete) for _ in range(6)]
    assert len(files(got)) == 1
    for process in processes:
        process.end()


def test_the_workers_of_a_holder_are_covered(tmp_path: Path):
    with held(tmp_path / "s"), another(tmp_path / "s" / "r1"), another(tmp_path / "s" / "r1"):
        assert free(tmp_path / "s" / "r1")
    with another(tmp_path / "s"):
        assert not free(tmp_path / "s" / "r1")


def test_thousands_of_runs_take_one_descriptor(tmp_path: Path):
    study = tmp_path / "s"
    study.mkdir()
    runs = [study / f"r{n}" for n in range(3000)]
    with held(study, shared=True):
        before = len(os.listdir("/proc/self/fd"))
        with each_held(runs) as others:
            assert not others
            assert len(os.listdir("/proc/self/fd")) == before
            assert len(files(study)) == 2
        for run in runs[:100]:
            with held(run):
                pass
        assert len(os.listdir("/proc/self/fd")) == before
        assert len(files(study)) == 2
    assert files(study) == []


def test_a_folder_that_goes_away_while_it_is_held_is_no_error(tmp_path: Path):
    with held(tmp_path / "s"):
        shutil.rmtree(tmp_path / "s")
    assert free(tmp_path / "s")


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path):
    (tmp_path / "foreign").write_text("mine")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / GUARD).symlink_to(tmp_path / "foreign")
    with pytest.raises(OSError, match="symbolic"), held(tmp_path / "s"):
        pass
    assert (tmp_path / "foreign").read_text() == "mine"


def test_what_sgdlab_has_not_written_names_no_holder(tmp_path: Path):
    (tmp_path / "s").mkdir()
    (tmp_path / "x.lock").touch()
    (tmp_path / "s" / GUARD).write_bytes(b"\xff\0\n/../../x\n0123456789abcdef\n")
    assert free(tmp_path / "s")
    assert (tmp_path / "x.lock").is_file()


def test_a_registry_that_stays_locked_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("sgdlab.results.holders._PATIENCE", 0.0)
    (tmp_path / GUARD).touch()
    with (tmp_path / GUARD).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="delete it"), held(tmp_path):
            pass


def test_without_locks_of_the_file_system_a_marker_counts(tmp_path: Path, monkeypatch):
    def missing(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", missing)
    said: list[str] = []
    process = Forked(lambda stack: stack.enter_context(held(tmp_path)))
    assert not free(tmp_path)
    process.kill()
    with held(tmp_path, say=said.append):
        pass
    assert len(said) == 1
    assert "has no locks" in said[0]
