"""The description of a figure, its data for the page, and its files."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from sgdlab.report.charts.data import LINE_POINTS, data, rounded
from sgdlab.report.charts.files import FORMATS, files
from sgdlab.report.charts.model import Area, Axis, Chart, Line, Points, ReferenceLine
from sgdlab.report.charts.style import COLOURS, looks
from sgdlab.report.charts.thin import decimated, thinned

NAN = math.nan
NAMES = ["$a$", "<b>"]
LOOKS = looks(NAMES)


def chart() -> Chart:
    return Chart(
        "all-kinds", "All <kinds>", "A caption.", Axis("rate $x$", log=True),
        Axis("", categories=("$a$", "<b>")),
        [
            ReferenceLine(0.1, "x", "here"),
            Line("$a$", [0.1, 1.0], [0.0, 1.0], [0.0, 0.5], [0.5, 1.0]),
            Line("<b>", [0.1, 1.0], [0.0, 1.0], kind="thin", end="x"),
            Line("", [0.1, 1.0], [0.0, 1.0], kind="link"),
            Line("$a$", [0.1, 1.0], [0.0, 1.0], kind="steps"),
            Points("<b>", [0.2, 0.3], [0.0, 1.0], ["1", "2"], [0.1, NAN], [0.3, NAN], "diamond"),
            Points("$a$", [0.2], [], ["lost"], marker="x", edge="bottom", label="lost"),
            Points("", [0.2], [1.0], marker="ring"),
            Area("$a$", [0.1, 0.2, 0.3], [0.1, 0.2], 1.0),
        ],
    )  # fmt: skip


def test_data_are_numbers_text_and_places_of_names() -> None:
    found = data(chart(), LOOKS)
    assert found["names"] == ["$a$", "<b>"]
    assert found["looks"] == [[0, 0], [1, 0]]
    assert found["x"] == {"label": "rate $x$", "log": True}
    assert found["y"]["categories"] == ["$a$", "<b>"]
    kinds = [series["kind"] for series in found["series"]]
    assert kinds == ["rule", "line", "thin", "link", "steps", "points", "points", "points", "area"]
    line, points, edge = found["series"][1], found["series"][5], found["series"][6]
    assert (line["of"], line["low"], line["high"]) == (0, [0, 0.5], [0.5, 1])
    assert (points["low"], points["high"]) == ([0.1, None], [0.3, None])
    assert "y" not in edge
    assert edge["edge"] == "bottom"
    assert "of" not in found["series"][7]


def test_ticks_stand_where_something_was_run() -> None:
    """Along an axis of 2, 4 and 8 epochs; a logarithmic axis by itself has 2 and 5."""
    lines = [Line("$a$", [2.0, 4.0, 8.0], [0.0, 1.0, 2.0]), Line("<b>", [2.0, 8.0], [1.0, 1.0])]
    for ticks, shown in (((2.0, 4.0, 8.0), ["2", "4", "8"]), ((), ["2", "5"])):
        x = Axis("epochs", log=True, ticks=ticks)
        found = Chart("along", "Along", "", x, Axis("difference"), lines)
        assert data(found, LOOKS)["x"].get("ticks", []) == list(ticks)
        svg = files(found, LOOKS, ["svg"])["svg"].decode()
        (drawn,) = ET.fromstring(svg).findall(".//*[@id='matplotlib.axis_1']")
        marks = [mark for mark in drawn.iter() if mark.get("id", "").startswith("xtick")]
        texts = ["".join(mark.itertext()).strip() for mark in marks]
        assert [text for text in texts if text] == shown


def test_rounding_keeps_what_a_screen_can_show() -> None:
    assert rounded([1 / 3, 2.0, NAN, math.inf, 1234567.8, 1e-9]) == [
        0.333333, 2, None, None, 1234570, 1e-9,
    ]  # fmt: skip


def test_long_lines_keep_both_ends() -> None:
    x = np.linspace(0, 1, 5000).tolist()
    long = Chart("n", "t", "c", Axis("x"), Axis("y"), [Line("$a$", x, x)])
    (series,) = data(long, LOOKS)["series"]
    assert len(series["x"]) == LINE_POINTS
    assert (series["x"][0], series["x"][-1]) == (0, 1)
    assert series["x"] == sorted(series["x"])
    assert decimated(x[:3], 3) == [0, 1, 2]


def test_more_than_seven_optimizers_differ_in_colour_or_dash() -> None:
    many = looks([f"o{i:02}" for i in range(28)])
    assert len({(look.colour, str(look.dash)) for look in many.values()}) == 28
    assert len({(look.colour, look.marker) for look in many.values()}) == 28
    assert many["o00"].colour == many["o07"].colour == COLOURS[0]


def test_files_are_the_same_bytes_twice_and_well_formed() -> None:
    first, second = (files(chart(), LOOKS, FORMATS) for _ in range(2))
    assert first == second
    root = ET.fromstring(first["svg"])
    text = " ".join(root.itertext())
    assert "rate $x$" in text
    assert "<b>" in text
    assert b"<dc:date>" not in first["svg"]
    assert first["png"].startswith(b"\x89PNG")
    width = int.from_bytes(first["png"][16:20], "big")
    assert width == 940  # 4.7 inches at 200 per inch
    assert first["pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in first["pdf"]
    assert b"/Type3" not in first["pdf"]
    assert b"/Type42" not in first["pdf"]
    for some in (["svg"], ["pdf"], ["pdf", "png"]):
        assert files(chart(), LOOKS, some) == {name: first[name] for name in some}


@pytest.mark.parametrize("count", [1, 7, 8, 20])
def test_lines_carry_their_names_or_a_legend_does(count: int) -> None:
    names = [f"o{i:02}" for i in range(count)]
    lines = [Line(name, [0.0, 1.0], [0.0, float(i)]) for i, name in enumerate(names)]
    one = Chart("n", "t", "c", Axis("x"), Axis("y"), lines)
    text = " ".join(ET.fromstring(files(one, looks(names), ["svg"])["svg"]).itertext())
    for name in names:
        assert len(re.findall(name, text)) == 1


def test_few_points_stay_as_they_are() -> None:
    few = [(0.1, 0.9), (0.1, 0.9), (1.0, 0.8)]
    assert thinned(few, 3, log=False) == [0, 1, 2]
    assert thinned([], 3, log=False) == []


@pytest.mark.parametrize("log", [False, True])
def test_thinned_points_are_of_the_points_and_reach_as_far(log: bool) -> None:
    rng = np.random.default_rng(0)
    many = list(zip(*(10 ** rng.uniform(-3, 0, (2, 5000))).tolist(), strict=True))
    places = thinned(many, 400, log)
    assert 100 < len(places) <= 400
    assert places == sorted(set(places))
    kept = [many[place] for place in places]
    spans = [np.ptp(np.log(np.array(side)), axis=0) for side in (kept, many)]
    assert spans[0] == pytest.approx(spans[1], rel=0.15)


def test_thinning_ends_where_all_points_are_one() -> None:
    assert thinned([(0.1, 0.5)] * 1000, 10, log=False) == [0]
