"""The page in a browser: drawn, silent, asking for nothing, usable with hands and keys."""

import base64
import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, WHY_NONE, Browser, Tab
from run_folders import make_run
from studies import EVIL, make_study

from sgdlab.report import Report, build
from sgdlab.visible import visible

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WHY_NONE)

DRAWN = """
[...document.querySelectorAll('.plot')].filter(p => p.clientWidth)
    .every(p => p.querySelector('.plot-container'))
"""
FIRST = "document.querySelector('[data-chart$=validation-steps] .plot')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


def show(browser: Browser, path: Path, width: int = 1280, height: int = 800, **media: str) -> Tab:
    # Without smooth scrolling, what is measured stays where it is.
    tab = browser.page(path, width, height, prefers_reduced_motion="reduce", **media)
    tab.wait(DRAWN)
    return tab


def reading(tab: Tab) -> str:
    return tab.run(f"{FIRST}.closest('figure').querySelector('.reading').textContent")


def check_quiet(tab: Tab, report: Report) -> None:
    assert tab.complaints() == []
    assert tab.requests() == [report.html.resolve().as_uri()]


@pytest.mark.slow
def test_a_report_as_people_use_it(browser: Browser, evil: Report) -> None:
    """One start of the browser and one page, since both take seconds."""
    tab = show(browser, evil.html)
    check_quiet(tab, evil)
    plots = tab.run("document.querySelectorAll('.plot').length")
    drawn = tab.run("document.querySelectorAll('.plot-container .main-svg').length")
    assert plots > 12
    assert drawn >= plots - len(EVIL)  # figures of trials are folded
    marks = f"{FIRST}.querySelectorAll('.scatterlayer .js-line').length"
    assert tab.run(marks) >= len(EVIL)

    legend = f"{FIRST}.closest('figure').querySelectorAll('.legend button')"
    names = tab.run(f"[...{legend}].map(b => b.getAttribute('aria-label'))")
    assert sorted(names) == sorted(map(visible, EVIL))
    assert tab.run("document.querySelectorAll('figure b, figure script').length") == 0

    tab.run(f"{FIRST}.focus()")
    before = tab.run(f"{FIRST}._fullLayout.xaxis.range.map(Number)")
    tab.press("+")
    zoomed = tab.run(f"{FIRST}._fullLayout.xaxis.range.map(Number)")
    assert zoomed[1] - zoomed[0] < 0.75 * (before[1] - before[0])
    tab.press("ArrowRight")
    moved = tab.run(f"{FIRST}._fullLayout.xaxis.range.map(Number)")
    assert moved[0] > zoomed[0]
    tab.press("0")
    assert tab.run(f"{FIRST}._fullLayout.xaxis.range.map(Number)") == pytest.approx(before)

    tab.press("]")
    first = reading(tab)
    tab.press("]")
    second = reading(tab)
    assert names[0] in first
    assert names[0] in second
    assert "steps 0, 10 %" in first.replace("\u00a0", " ")
    assert "steps 10" in second
    tab.press("}")
    assert names[1] in reading(tab)
    hover = f"{FIRST}.querySelector('.hoverlayer').textContent"
    tab.wait(f"{hover}.includes('steps 10')")  # Plotly waits a moment with it

    tab.run(f"{legend}[0].focus()")
    tab.press("Enter")
    assert tab.run(f"{legend}[0].getAttribute('aria-pressed')") == "false"
    assert tab.run(marks) < 2 * len(EVIL)
    tab.press("ArrowRight")
    assert tab.run(f"document.activeElement === {legend}[1]")

    x, y = tab.run(
        f"(() => {{ const p = {FIRST}; p.scrollIntoView({{block: 'center', behavior: 'instant'}});"
        "const b = p.getBoundingClientRect(), l = p._fullLayout, t = p._fullData.find("
        "t => t.hoverinfo === 'text' && t.visible === true);"
        "return [b.left + l.xaxis._offset + l.xaxis.l2p(t.x[3]),"
        "b.top + l.yaxis._offset + l.yaxis.l2p(t.y[3])]; })()"
    )
    sides = itertools.cycle((x, x - 1))  # hover labels are drawn at most every 50 ms
    tab.wait(f"{hover}.includes('steps 30')", lambda: tab.move(next(sides), y))

    tab.run("document.querySelector('.copied button').focus()")
    tab.press("Enter")
    tab.wait("document.querySelector('.copied button').textContent === 'Copied'")
    assert "Copied: " in tab.run("document.getElementById('said').textContent")

    tab.call("Page.printToPDF")
    assert not tab.run("document.documentElement.classList.contains('printing')")
    check_quiet(tab, evil)
    tab.close()


def test_a_page_whose_library_does_not_start_names_the_files(
    browser: Browser, evil: Report, tmp_path: Path
) -> None:
    """The library is one whose hash the policy does not have: it must not run."""
    text = evil.html.read_text()
    start = text.index(">", text.index('id="library"')) + 1
    packed = base64.b64encode(gzip.compress(b"window.Plotly = 1; window.ran = 1;")).decode()
    page = tmp_path / "report.html"
    page.write_text(text[:start] + packed + text[text.index("</script", start) :])
    tab = browser.page(page, 800, 600)
    tab.wait("document.documentElement.classList.contains('undrawn')")
    assert tab.run("window.ran === undefined")
    assert tab.run("getComputedStyle(document.querySelector('.file')).display") != "none"
    assert tab.run("getComputedStyle(document.querySelector('.plot')).display") == "none"
    tab.close()


@pytest.mark.slow
def test_a_phone_in_the_dark(browser: Browser, evil: Report) -> None:
    tab = show(browser, evil.html, 390, 844, prefers_color_scheme="dark")
    check_quiet(tab, evil)
    assert tab.run("document.documentElement.scrollWidth") == 390
    assert tab.run("document.querySelector('.lead').getBoundingClientRect().bottom") < 844
    colour = "getComputedStyle(document.body).backgroundColor"
    line = f"{FIRST}.querySelector('.js-line').style.stroke"
    dark, stroke = tab.run(colour), tab.run(line)
    tab.media(prefers_color_scheme="light", prefers_reduced_motion="reduce")
    tab.wait(f"{colour} === 'rgb(255, 255, 255)'")
    assert dark != tab.run(colour)
    tab.wait(f"{line} !== '{stroke}'")
    check_quiet(tab, evil)
    tab.close()


@pytest.mark.slow
def test_figures_follow_the_width_of_the_page(browser: Browser, evil: Report) -> None:
    """As when a phone is turned: a figure keeps within its place, and fills it."""
    tab = show(browser, evil.html, 844, 390)
    sizes = """[...document.querySelectorAll('.plot')]
        .filter(p => !p.closest('details:not([open])'))
        .map(p => [p, p.querySelector('.main-svg').getBoundingClientRect()])
        .map(([p, box]) => [p.clientWidth - box.width, p.clientHeight - box.height])"""
    for width, height in ((390, 844), (1280, 800), (390, 844)):
        tab.resize(width, height)
        tab.wait(f"{sizes}.flat().every(apart => Math.abs(apart) <= 1)")
    shown = len(tab.run(sizes))
    tab.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    tab.wait(f"{DRAWN} && {sizes}.flat().every(apart => Math.abs(apart) <= 1)")
    assert len(tab.run(sizes)) > shown > 6
    assert tab.run("document.documentElement.scrollWidth") == 390
    check_quiet(tab, evil)
    tab.close()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(390, 844), (1280, 800)])
def test_every_kind_of_report(browser: Browser, tmp_path: Path, size: tuple[int, int]) -> None:
    twenty = make_study(tmp_path / "twenty", [f"o{i:02}" for i in range(20)], trials=4)
    several = (("digits", "mlp"), ("wine", "linear"))
    shared = make_study(tmp_path / "several", ["adam", "sgd"], workloads=several)
    one = make_study(tmp_path / "one", ["adam", "sgd"], replicates=1, defaults=False)
    zero = tmp_path / "zero"
    for seed in range(2):
        make_run(zero / f"a{seed}", "adam", seed=seed, status="diverged")
        make_run(zero / f"b{seed}", "sgd", seed=seed, status="unfinished")
    for root in (twenty, shared, one, zero):
        report = build([root], root / "report", formats=("svg",))
        tab = show(browser, report.html, *size)
        check_quiet(tab, report)
        assert tab.run("document.documentElement.scrollWidth") == size[0]
        first = tab.run("document.querySelector('.lead').getBoundingClientRect().bottom")
        assert first < size[1]
        tab.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        tab.wait(DRAWN)
        tab.wait(f"+document.documentElement.dataset.drawn === {len(report_figures(report))}")
        assert tab.run("document.documentElement.scrollWidth") == size[0]
        check_quiet(tab, report)
        tab.close()


def report_figures(report: Report) -> list[Path]:
    return sorted((report.out / "figures").glob("*.svg"))
