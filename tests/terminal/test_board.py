"""What the searches of a comparison have found, as lines of a terminal."""

import pytest

from sgdlab.terminal.board import BoardRow, board_lines


def rows(replicates: int = 2) -> list[BoardRow]:
    made: list[BoardRow] = []
    for name, first in (("nesterov", 0.1), ("adamw", 0.001)):
        for replicate in range(replicates):
            lr = first * (replicate + 1)
            loss = 0.25 / (replicate + 1)
            settings = {"lr": [lr], "weight_decay": [0.5]}
            made.append(BoardRow(name, str(replicate), (3, 4), [loss], settings, (1, 2)))
    return made


def test_every_search_has_its_best_trial():
    assert board_lines(rows(), 80, 10) == [
        "          search  trials  val loss  of the best trial          again",
        "nesterov       0     3/4      0.25  lr=0.1 weight_decay=0.5      1/2",
        "nesterov       1     3/4     0.125  lr=0.2 weight_decay=0.5      1/2",
        "adamw          0     3/4      0.25  lr=0.001 weight_decay=0.5    1/2",
        "adamw          1     3/4     0.125  lr=0.002 weight_decay=0.5    1/2",
    ]


def test_where_there_is_no_room_a_contender_has_one_line_of_sums_and_ranges():
    lines = board_lines(rows(3), 80, 5)
    assert [line.split() for line in lines[1:]] == [
        ["nesterov", "9/12", "0.08333–0.25", "lr=0.1–0.3", "weight_decay=0.5", "3/6"],
        ["adamw", "9/12", "0.08333–0.25", "lr=0.001–0.003", "weight_decay=0.5", "3/6"],
    ]


def test_what_has_not_begun_is_a_dash_and_what_is_not_planned_has_no_column():
    first, second = board_lines([BoardRow("adamw", "0", (0, 4))], 80, 5)
    assert first.split() == ["search", "trials", "val", "loss", "of", "the", "best", "trial"]
    assert second.split() == ["adamw", "0", "0/4", "–", "–"]
    assert board_lines([BoardRow("adamw", "0", (2, 0))], 80, 5)[1].split()[2] == "2"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("height", [2, 3, 4, 6, 30])
def test_it_fits_at_every_size(width: int, height: int):
    many = [BoardRow(f"contender {n} schedule=cosine", "0", (n, 9)) for n in range(9)]
    lines = board_lines([*rows(3), *many], width, height)
    assert len(lines) <= height
    assert all(len(line) < width for line in lines)
    assert bool(lines) == (height > 2)


def test_what_is_left_out_is_counted():
    many = [BoardRow(f"c{n}", "0", (n, 9)) for n in range(9)]
    assert board_lines(many, 80, 6)[-1] == "… and 5 more"
    assert len(board_lines(many, 80, 6)) == 6


def test_settings_that_are_words_are_listed():
    row = BoardRow("sgd", "", losses=[1.0], settings={"mode": ["a", "b", "a"]})
    assert "mode=a,b" in board_lines([row], 80, 5)[1]
