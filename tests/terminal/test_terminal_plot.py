"""Curves in a terminal."""

import math

import pytest

from sgdlab.terminal.plot import Mark, PlotLine, plot


def test_a_rising_curve_rises_from_left_to_right_and_ends_in_its_letter():
    text = plot(
        [PlotLine("up", [0, 1, 2], [0, 1, 2]), PlotLine("flat", [0, 1, 2], [0, 0, 0])],
        x_label="step", y_label="loss",
    )  # fmt: skip
    lines = text.splitlines()
    (top,) = [number for number, line in enumerate(lines) if "a" in line and "|" in line]
    (bottom,) = [number for number, line in enumerate(lines) if "b" in line and "|" in line]
    assert top < bottom
    assert lines[-2:] == ["a up", "b flat"]
    assert "(step)" in text


def test_points_that_cannot_be_drawn_are_left_out_and_said():
    text = plot(
        [PlotLine("nan", [1, 2], [math.nan, math.inf]), PlotLine("ok", [1, 2], [3, 4])],
        [Mark("here", 1.5, 3.5), Mark("at zero", 0, 1)],
        x_label="lr", y_label="loss", log_x=True, log_y=True,
    )  # fmt: skip
    assert "a nan (nothing to draw)" in text
    assert "d at zero (nothing to draw)" in text
    assert sum("c" in line for line in text.splitlines() if "|" in line) == 1


def test_one_curve_needs_no_legend_and_a_constant_is_drawn():
    text = plot([PlotLine("only", [1, 2, 3], [5, 5, 5])], x_label="x", y_label="y")
    assert "only" not in text
    assert any(0x2800 < ord(character) <= 0x28FF for character in text)


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no finite point"):
        plot([PlotLine("none", [math.nan], [1.0])], x_label="x", y_label="y")
