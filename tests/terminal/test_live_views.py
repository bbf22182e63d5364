"""What a real terminal shows, and that docs/live.md shows the same."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pty", reason="needs a POSIX system")

from live_views import BLOCK, COMPARE, PAGE, VIEWS, Drawn, frame_of, in_terminal, recorded

QUICK = ("train", "dataset=wine", "model=linear", "schedule=constant")
ALWAYS = re.compile("Optimizer|Not finished|Next|sgdlab compare|report:")
BRAILLE = re.compile("[\u2800-\u28ff]")


def masked(line: str) -> str:
    """Return a line without what depends on the machine: numbers, bars, dots, and what follows."""
    line = re.sub("[\u2800-\u28ff━╌]+", "~", line)
    line = re.sub(r"\d[\d.,:e+-]*( %)?", "#", line.partition(" lr #")[0].partition("  lr ")[0])
    line = re.sub(r", log scale", "", re.sub(r"  \d diverged|  # diverged", "", line))
    return " ".join(line.split())


def blocks() -> dict[str, str]:
    return {name: text for _, name, text in BLOCK.findall(PAGE.read_text(encoding="utf-8"))}


def test_the_page_has_a_recording_of_every_view() -> None:
    assert blocks().keys() == VIEWS.keys()
    assert all(re.search(VIEWS[name].shows, text) for name, text in blocks().items())
    for view in VIEWS.values():
        assert view.ctrl_c or view.command.split(" study=")[0] in PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("views")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(VIEWS))  # in this order: one reports what another stopped
def test_a_view_is_as_the_page_has_it(name: str, folder: Path) -> None:
    drawn = recorded(name, folder)
    ever = {masked(line) for frame in drawn.frames for line in frame.splitlines()}
    shown = {masked(line) for line in blocks()[name].splitlines()} - {""}
    if name == "unfinished":  # how far each search was stopped depends on the machine
        shown = {line for line in shown if ALWAYS.match(line)}
    assert shown <= ever, sorted(shown - ever)
    assert re.search(VIEWS[name].shows, frame_of(name, drawn))


def erased(drawn: Drawn) -> Iterator[str]:
    """Yield what stands in the terminal at the end: the last frame, after the live ones."""
    yield from drawn.frames[-1].splitlines()


@pytest.mark.slow
def test_a_run_draws_its_curves_in_a_terminal_and_takes_them_away(tmp_path: Path) -> None:
    drawn = in_terminal([*QUICK, "epochs=300"], tmp_path)
    assert drawn.code == 0, drawn.text
    live = [frame for frame in drawn.frames if re.search(r"^step .*/600", frame, re.M)]
    assert live
    assert any("val accuracy" in frame and BRAILLE.search(frame) for frame in live)
    assert all(len(line) < 80 for frame in live for line in frame.splitlines())
    assert not any(BRAILLE.search(line) for line in erased(drawn))
    assert any(line.startswith("status") for line in erased(drawn))


@pytest.mark.slow
def test_a_terminal_that_takes_no_codes_gets_plain_lines(tmp_path: Path) -> None:
    for variable, value in (("TERM", "dumb"), ("NO_COLOR", "1")):
        drawn = in_terminal(
            [*QUICK, "epochs=30", "resume=false"], tmp_path, environment={variable: value}
        )
        assert drawn.code == 0, drawn.text
        assert "\x1b" not in drawn.raw
        assert not BRAILLE.search(drawn.raw)
        assert "step 1/60  loss" in drawn.text


@pytest.mark.slow
def test_a_low_terminal_has_the_line_alone(tmp_path: Path) -> None:
    drawn = in_terminal([*QUICK, "epochs=300"], tmp_path, size=(9, 80))
    assert re.search(r"step .*/600", drawn.text)
    assert not BRAILLE.search(drawn.raw)


@pytest.mark.slow
def test_stacked_trials_are_shown_by_search_too(tmp_path: Path) -> None:
    command = shlex.split(COMPARE.replace("sequential", "stacked").replace("epochs=20", "epochs=5"))
    drawn = in_terminal(command[1:], tmp_path, size=(24, 100))
    assert drawn.code == 0, drawn.text
    whole = [frame for frame in drawn.frames if re.search(r"^tune .*16/16", frame, re.M)]
    rows = [line.split() for line in whole[-1].splitlines()]
    found = [row[:3] for row in rows if row[:1] in (["nesterov"], ["adamw"])]
    assert found == [[n, r, "4/4"] for n in ("nesterov", "adamw") for r in "01"]
    assert "trained in a stack" in drawn.text


@pytest.mark.slow
def test_ctrl_c_on_a_watched_report_ends_it_and_its_page_stays(tmp_path: Path) -> None:
    stopped = in_terminal(
        shlex.split(COMPARE)[1:], tmp_path, until=lambda raw: re.search(r"tune \S+ [2-9]/16", raw)
    )
    assert stopped.code == 130
    page = tmp_path / "runs/seen/report/report.html"
    loaded: list[bool] = []

    def written(raw: str) -> bool:
        if "nobody trains them now" not in raw:
            return False
        loaded.append('name="reload"' in page.read_text(encoding="utf-8"))
        return True

    before = sorted(path for path in (tmp_path / "runs/seen").iterdir())
    drawn = in_terminal(["report", "runs/seen", "--watch"], tmp_path, until=written)
    assert drawn.code == 130
    assert loaded == [True]
    assert "interrupted; runs/seen/report/report.html is as it was written last" in " ".join(
        drawn.text.split()
    )
    text = page.read_text(encoding="utf-8")
    assert 'name="reload"' not in text
    assert "Not finished" in text
    after = sorted(path for path in (tmp_path / "runs/seen").iterdir())
    assert after == sorted({*before, tmp_path / "runs/seen/report"}), "no lock is left"
