"""Two settings that were compared, as a map: every cell, in every format, and on the page."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_rgb
from swept import make_sweep

from sgdlab.analysis import analyse
from sgdlab.commands.report import main
from sgdlab.report import Report, build
from sgdlab.report.charts.cells import luminance, mixed, on
from sgdlab.report.charts.data import data
from sgdlab.report.charts.model import Cells, Chart
from sgdlab.report.figures.heat import heat
from sgdlab.report.figures.rates import learning_rates
from sgdlab.report.figures.scene import Scene
from sgdlab.terminal.display import shown

GRID = {"batch_size": [32, 256], "lr": [0.001, 0.01, 5.0]}


def level(settings: Mapping[str, Any], seed: int) -> float | None:
    """The largest rate diverges: with batch 32 always, with 256 at one seed of three."""
    if settings["lr"] == 5.0 and (settings["batch_size"] == 32 or seed == 0):
        return None
    return 0.9 - 0.001 * settings["batch_size"] - settings["lr"] / 100 + 0.01 * seed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sweep(tmp_path_factory.mktemp("heat") / "sweep", GRID, level)


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    return build([folder], folder / "report", formats=("svg", "png", "pdf"))


def charts(folder: Path) -> list[Chart]:
    analysis = analyse([folder])
    (result,) = analysis.results
    return heat(Scene(analysis.runs, result, "x"))


def test_every_cell_is_the_mean_over_the_seeds_that_completed(folder: Path) -> None:
    (chart,) = charts(folder)
    (cells,) = chart.series
    assert isinstance(cells, Cells)
    assert (chart.y.label, chart.y.categories) == ("lr", ("0.001", "0.01", "5"))
    assert (chart.x.label, chart.x.categories) == ("batch_size", ("32", "256"))
    for row, rate in zip(cells.values, GRID["lr"], strict=True):
        for found, size in zip(row, GRID["batch_size"], strict=True):
            own = [level({"lr": rate, "batch_size": size}, seed) for seed in range(3)]
            done = [value for value in own if value is not None]
            if done:
                assert found == pytest.approx(100 * math.fsum(done) / len(done))
            else:
                assert math.isnan(found)
    assert cells.texts[2] == ["×\n3 lost", "60.90\nn = 2, 1 ×"]
    assert cells.texts[0][0] == "87.80\nn = 3"
    assert cells.hovers[2][0] == "lr=5 batch_size=32: no result, 0 seeds, 3 diverged"
    assert [cells.share(end) for end in (cells.low, cells.high)] == [0.0, 1.0]


def test_more_settings_have_a_map_for_each_of_their_values(tmp_path: Path) -> None:
    grid = {"batch_size": [32, 256], "lr": [0.001, 0.01, 0.1], "model.dropout": [0.0, 0.2]}
    make_sweep(tmp_path, grid, level, seeds=1)
    found = charts(tmp_path)
    assert [chart.name for chart in found] == ["x-heat-model-dropout-0", "x-heat-model-dropout-0-2"]
    assert all("with model.dropout=" in chart.title for chart in found)
    scales = {(s.low, s.high) for chart in found for s in chart.series if isinstance(s, Cells)}
    assert len(scales) == 1


@pytest.mark.slow
def test_the_map_is_a_file_in_every_format_and_on_the_page(report: Report) -> None:
    for ending, start in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        path = report.out / "figures" / f"digits-mlp-heat.{ending}"
        assert path.read_bytes().startswith(start)
    drawn = (report.out / "figures" / "digits-mlp-heat.svg").read_text()
    assert all(text in drawn for text in ("87.80", "n = 2, 1 ×", "3 lost", "batch_size"))
    html = report.html.read_text()
    assert 'data-chart="digits-mlp-heat"' in html
    assert (
        "![Final validation accuracy by lr and batch_size]"
        in (report.out / "report.md").read_text()
    )


def test_the_page_gets_the_cells_in_reading_order(folder: Path) -> None:
    (chart,) = charts(folder)
    (cells,) = data(chart, {})["series"]
    assert cells["x"] == [0, 1] * 3
    assert cells["y"] == [0, 0, 1, 1, 2, 2]
    assert cells["z"][4] is None
    assert max(z for z in cells["z"] if z is not None) == 1
    assert cells["lines"][5] == ["60.90", "n = 2, 1 ×"]


def test_what_stands_in_a_cell_can_be_read() -> None:
    """WCAG 2: a contrast of 3 for large text, and 4.5 at both ends."""
    for share in range(101):
        colour = mixed(share / 100)
        light, ink = luminance(colour), luminance(to_rgb(on(colour)))
        contrast = (max(light, ink) + 0.05) / (min(light, ink) + 0.05)
        assert contrast > (4.5 if share in (0, 100) else 3.9)


def test_lines_of_the_learning_rate_are_of_one_batch_size_each(folder: Path) -> None:
    analysis = analyse([folder])
    (chart,) = learning_rates(Scene(analysis.runs, analysis.results[0], "x"))
    assert set(chart.names) == {"batch_size=32", "batch_size=256"}


def test_the_page_names_the_settings_and_how_to_make_it_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    assert main([str(folder), "--by", "lr,batch_size", "--out", str(out), "--formats", "svg"]) == 0
    assert "lr, batch_size" in capsys.readouterr().out
    page = (out / "report.md").read_text()
    (line,) = (line for line in page.splitlines() if line.startswith("sgdlab report "))
    assert "--by lr,batch_size" in line
    assert f"--out {shown(out)}" in line
    with (out / "comparison.csv").open() as file:
        assert {row["by"] for row in csv.DictReader(file)} == {"lr,batch_size"}


def test_a_report_by_one_key_has_a_section_for_each_value_of_the_other(folder: Path) -> None:
    found = build([folder], folder / "other", by=["batch_size"], formats=("svg",))
    text = (found.out / "report.md").read_text()
    for rate in ("0.001", "0.01", "5"):
        assert f"## digits/mlp with lr={rate}" in text
    assert len(found.answers) == 3
