"""Small curves of braille: known values, known characters."""

import math

import pytest

from sgdlab.terminal.curves import BinnedCurve, curve_lines, side_by_side


def dots(lines: list[str]) -> set[tuple[int, int]]:
    """Return the dots of braille lines as column and row, by Unicode's own numbering of them."""
    places = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
    return {
        (2 * column + dx, 4 * row + dy)
        for row, line in enumerate(lines)
        for column, letter in enumerate(line)
        for bit, (dx, dy) in enumerate(places)
        if letter != " " and (ord(letter) - 0x2800) >> bit & 1
    }


def picture(lines: list[str]) -> list[str]:
    return [line.partition("│")[2] for line in lines[1:]]


def test_a_falling_line_is_a_diagonal_of_dots():
    lines = curve_lines("loss", [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0], 2)
    assert lines == ["         loss", "      7 │⠑⢄  ", "      0 │  ⠑⢄"]
    assert dots(picture(lines)) == {(k, k) for k in range(8)}


def test_a_jump_is_drawn_without_gaps_and_every_value_has_its_dot():
    values = [0.0, 7.0, 7.0, 0.0]
    found = dots(picture(curve_lines("x", values, 2)))
    assert found >= {(0, 7), (1, 0), (2, 0), (3, 7)}
    assert {y for x, y in found if x == 1} == set(range(7))
    assert {y for x, y in found if x == 3} == set(range(1, 8))


def test_where_no_value_is_known_the_line_is_straight_and_ends_with_the_last_one():
    found = dots(picture(curve_lines("x", [None, 3.0, None, None, 0.0, None], 1)))
    assert found == {(1, 0), (2, 1), (3, 2), (4, 3)}


def test_the_logarithm_is_drawn_of_what_spans_a_ratio_of_ten():
    lines = curve_lines("loss", [1000.0, 100.0, 10.0, 1.0], 1)
    assert lines[0].endswith("loss, log scale")
    assert dots(picture(lines)) == {(0, 0), (1, 1), (2, 2), (3, 3)}
    assert "log" not in curve_lines("loss", [9.0, 1.0], 1)[0]
    assert "log" not in curve_lines("loss", [9.0, 0.0], 1)[0]


def test_equal_values_are_a_level_line_and_none_is_nothing():
    (row,) = picture(curve_lines("x", [5.0] * 4, 1))
    assert dots([row]) == {(x, 2) for x in range(4)}
    assert curve_lines("x", [None, None], 3) == []


def test_a_part_of_the_run_has_the_mean_of_its_values():
    curve = BinnedCurve(total=10, parts=5)
    for step in range(1, 8):
        curve.add(step, float(step))
    curve.add(8, math.nan)
    assert curve.means() == [1.5, 3.5, 5.5, 7.0, None]
    for step, part in ((1, 0), (10, 4), (11, 4), (0, 0)):
        only = BinnedCurve(total=10, parts=5)
        only.add(step, 1.0)
        assert only.means().index(1.0) == part


@pytest.mark.parametrize(("width", "count"), [(10, 0), (24, 1), (48, 2), (200, 2)])
def test_figures_that_have_no_room_are_left_out(width: int, count: int):
    figure = curve_lines("loss", [2.0, 1.0] * 10, 2)
    lines = side_by_side([figure, [], figure], width)
    assert all(len(line) < width for line in lines)
    assert [line.count("│") for line in lines[1:]] == [count] * 2 * bool(count)
