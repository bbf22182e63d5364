"""A report that is written anew while its runs are trained, with a clock of the test's own."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from studies import make_study

from quick_reports import leave_undrawn
from sgdlab.commands import report as command
from sgdlab.errors import InputError
from sgdlab.report import build
from sgdlab.report.page import unwatched
from sgdlab.report.watch import EVERY, SHARE, Watch, state_of
from sgdlab.results.lock import held


class Clock:
    """Seconds that pass only where somebody sleeps, and what happens meanwhile."""

    def __init__(self, *happens: Any) -> None:
        self.now, self.slept, self.happens = 0.0, list[float](), list(happens)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        assert self.happens, "watches on although nothing more is to come"
        self.happens.pop(0)()


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    leave_undrawn(monkeypatch)
    return make_study(tmp_path / "s", ["sgd", "adam"], replicates=2, trials=2, defaults=False)


def watched(study: Path, clock: Clock) -> tuple[Any, list[float], list[str]]:
    """Watch to the end; return the report, with what reloading it was made, and what was said."""
    out, made, said = study / "report", list[float](), list[str]()

    def make(reload: float) -> Any:
        made.append(reload)
        return build([study], out, reload=reload)

    report = Watch([study], out, make, said.append, clock, clock.sleep).carry_out()
    return report, made, said


def nothing() -> None:
    """Let time pass, and nothing happen."""


def test_one_that_is_finished_is_written_and_stays_as_it_is(study: Path) -> None:
    report, made, _ = watched(study, Clock())
    assert made[-1] == 0.0
    assert 'name="reload"' not in report.html.read_text()


def test_it_is_written_anew_when_files_change_and_ends_when_all_have_ended(study: Path) -> None:
    late = study / "digi-1-1"
    later = late.rename(study.parent / "later")
    page = study / "report/report.html"
    seen: list[str] = []

    def look() -> None:
        seen.append(page.read_text())

    def comes() -> None:
        look()
        later.rename(late)

    clock = Clock(look, look, comes)
    report, made, said = watched(study, clock)
    assert made == [EVERY, EVERY, 0.0], "not while nothing changed"
    assert clock.slept == [EVERY] * 3
    assert all(f'<meta name="reload" content="{EVERY:g}">' in each for each in seen)
    assert "Not finished" in seen[0]
    final = report.html.read_text()
    assert 'name="reload"' not in final
    assert 'http-equiv="refresh"' not in final
    assert said[0] == "9 of 12 planned runs have ended"
    assert "nobody trains them now" in said[1]
    # The last page is that of a report without --watch, to the byte.
    assert final == build([study], study / "report").html.read_text()


def test_before_the_first_run_it_waits_and_says_so(study: Path) -> None:
    folders = sorted(study.glob("digi-*"))
    away = study.parent / "away"
    away.mkdir()
    for folder in folders:
        folder.rename(away / folder.name)

    def come() -> None:
        for folder in folders:
            (away / folder.name).rename(folder)

    clock = Clock(nothing, come)
    _, _, said = watched(study, clock)
    assert said[0] == "no run has begun there yet: waiting for the first one"
    assert sum("no run has begun" in line for line in said) == 1


def test_it_does_not_end_while_a_process_holds_the_study(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holders = [{study: "process 1"}, {study: "process 1"}, {}]
    monkeypatch.setattr("sgdlab.report.watch.holders_of", lambda _: holders.pop(0))
    clock = Clock(nothing, nothing)
    _, made, _ = watched(study, clock)
    assert made == [EVERY, 0.0]
    assert len(clock.slept) == 2


def test_looking_holds_nothing_and_sees_who_holds_a_study(study: Path) -> None:
    watch = Watch([study.parent], study / "report", lambda _: None, print)  # type: ignore[arg-type]
    with held(study):  # this process's own is no other's
        before = sorted(study.iterdir())
        assert not watch._is_held()
        assert sorted(study.iterdir()) == before


def test_a_report_takes_a_tenth_of_the_time_at_most(study: Path) -> None:
    (study / "digi-1-1").rename(study.parent / "later")

    def comes() -> None:
        (study.parent / "later").rename(study / "digi-1-1")

    clock = Clock(comes)

    def make(reload: float) -> Any:
        clock.now += 7.0
        return build([study], study / "report", reload=reload)

    Watch([study], study / "report", make, print, clock, clock.sleep).carry_out()
    (slept,) = clock.slept
    assert 7.0 / (7.0 + slept) == pytest.approx(SHARE)


def test_its_own_files_are_no_change(study: Path) -> None:
    out = study / "report"
    before = state_of([study], out)
    build([study], out)
    (out / "evals.csv").write_text("")
    assert state_of([study], out) == before
    (study / "digi-0-0/tune0/evals.csv").write_text("other")
    assert state_of([study], out) != before


def test_left_early_the_page_no_longer_loads_itself(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(study / "digi-1-1")

    def told(_: float) -> None:
        assert 'name="reload"' in page.read_text()
        raise KeyboardInterrupt

    monkeypatch.setattr("sgdlab.report.watch.time", SimpleNamespace(monotonic=float, sleep=told))
    monkeypatch.setattr(Watch.__init__, "__defaults__", (float, told))
    page = study / "report/report.html"
    with pytest.raises(KeyboardInterrupt):
        command.main([str(study), "--watch"])
    assert page.read_text() == build([study], study / "report").html.read_text()


def test_only_the_own_mark_is_taken_away() -> None:
    page = '<p>&lt;meta name="reload" content="5"&gt;</p>'
    assert unwatched(page) == page


@pytest.mark.parametrize("name", ["none", "s.zip"])
def test_what_cannot_be_watched_is_refused(study: Path, name: str) -> None:
    place = study.parent / name
    if name == "s.zip":
        place.write_bytes(b"PK")
    with pytest.raises(InputError, match=r"no such folder|does not change"):
        command.main([str(place), "--watch"])
