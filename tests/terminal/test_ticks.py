"""The numbers on the axes of a plot in the terminal."""

import math

import pytest

from sgdlab.terminal.plot import PlotLine, plot
from sgdlab.terminal.ticks import ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 340, ["0", "100", "200", "300"]),
        (-0.03, 1.03, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0.117, 0.123, ["0.117", "0.118", "0.119", "0.12", "0.121", "0.122", "0.123"]),
        (-3, 3, ["-3", "-2", "-1", "0", "1", "2", "3"]),
        (1.2e6, 4.9e6, ["2e+6", "3e+6", "4e+6"]),
    ],
)
def test_a_linear_axis_has_steps_of_1_2_or_5(low: float, high: float, expected: list[str]):
    found = ticks(low, high)
    assert [text for _, text in found] == expected
    assert all(float(text) == pytest.approx(value, abs=1e-9) for value, text in found)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1e-7, 10, ["1e-6", "0.0001", "0.01", "1"]),
        (0.03, 40, ["0.1", "1", "10"]),
        (0.15, 0.9, ["0.2", "0.5"]),
        (2.1, 2.6, ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"]),
    ],
)
def test_a_log_axis_has_powers_of_ten_where_there_are_two(low, high, expected):
    found = ticks(math.log10(low) - 1e-9, math.log10(high) + 1e-9, log=True)
    assert [text for _, text in found] == expected
    assert all(10**value == pytest.approx(float(text), rel=1e-6) for value, text in found)


def test_the_numbers_stand_under_their_columns_and_in_their_rows():
    curve = PlotLine("loss", [0, 50, 100], [0.0, 5.0, 10.0])
    lines = plot([curve], x_label="step", y_label="loss").splitlines()
    axis, numbers = lines[-2:]
    for text in ("0", "20", "40", "60", "80", "100"):
        start = numbers.index(f" {text}") + 1 if text != "0" else numbers.index("0")
        assert axis[start + len(text) // 2] == "|", text
    rows = [line.partition("|")[0].strip() for line in lines if " | " in line]
    assert [row for row in rows if row] == ["10", "8", "6", "4", "2", "0"]
