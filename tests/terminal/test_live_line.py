"""The line at the foot of a terminal."""

import pytest

from sgdlab.terminal.live_line import clock, in_middle, live_line

STATE = ["loss 0.1234", "val accuracy 97.22 %", "lr 0.00312", "grad norm 0.446", "310 steps/s"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("name", ["step", "breast_cancer/wide_resnet nesterov_lookahead tune"])
def test_bar_count_and_time_left_stay_at_every_width(width: int, name: str):
    line = live_line(name, 12_000, 34_000, 3723, STATE, width)
    assert len(line) < width
    assert "━" in line
    assert " 12000/34000 1:02:03 left" in line
    assert line.endswith("steps/s") == (width == 200)
    assert not line.endswith(tuple("+-. "))


def test_of_the_state_whole_parts_are_left_out_from_the_end():
    line = live_line("step", 3, 10, 7, STATE, 80)
    assert line.endswith("left  loss 0.1234  val accuracy 97.22 %")


def test_what_is_left_is_not_said_where_it_is_not_known():
    assert "left" not in live_line("sweep", 0, 10, None, [], 80)


def test_a_bar_is_as_full_as_what_is_done():
    assert live_line("s", 0, 4, 0, [], 80).count("━") == 0
    assert live_line("s", 1, 4, 0, [], 80).count("━") == 4
    assert live_line("s", 4, 4, 0, [], 80).count("╌") == 0


def test_names_keep_their_ends():
    assert in_middle("abcdefghij", 10) == "abcdefghij"
    assert in_middle("abcdefghij", 7) == "abc…hij"
    assert [clock(s) for s in (0.4, 59.6, 3599, 3600)] == ["0:00", "1:00", "59:59", "1:00:00"]
