"""The order of measuring follows from what quantities declare, not from the order in YAML."""

import dataclasses
import itertools
import random

import pytest
from torch import Tensor

from sgdlab.diagnostics.base import Moment, Quantity, Subject
from sgdlab.diagnostics.order import measuring_order
from sgdlab.errors import InputError
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import build_run
from sgdlab.training.loop import fit
from trainer_runs import Rows, config_of

FULL = (
    "diagnostics=full", "diagnostics.every=2", "diagnostics.at_end={}", "dataset=wine",
    "model.hidden=[4]", "optimizer=adamw", "batch_size=32", "max_steps=4", "epochs=2",
)  # fmt: skip


def measured(order: int | None) -> tuple[tuple[str, ...], list[dict[str, float]]]:
    """Return the columns of a run, and its rows by column, with quantities shuffled by a seed."""
    config = config_of(*FULL)
    quantities = list(config.diagnostics["quantities"].items())
    if order is not None:
        random.Random(order).shuffle(quantities)
    section = {**config.diagnostics, "quantities": dict(quantities)}
    run, rows = build_run(dataclasses.replace(config, diagnostics=section)), Rows()
    fit(run, rows, NoDisplay())
    columns = run.diagnostics.columns
    return columns, [dict(zip(columns, row[7:], strict=True)) for row in rows.step_rows]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_shuffled_quantities_have_the_same_values_and_columns_in_their_own_order(
    order: int,
) -> None:
    columns, rows = measured(None)
    others, shuffled = measured(order)
    assert shuffled == rows
    assert any(value is not None for value in rows[1].values())
    assert sorted(others) == sorted(columns)
    assert others != columns


class Part(Quantity):
    def __init__(
        self,
        provides: tuple[str, ...] = (),
        needs: tuple[str, ...] = (),
        uses: tuple[str, ...] = (),
    ) -> None:
        self.provides, self.needs, self.uses = provides, needs, uses

    def begin(self, subject: Subject) -> tuple[str, ...]:
        return ()

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        raise NotImplementedError


def test_quantities_are_measured_after_what_they_need_and_what_they_use_if_it_is_there() -> None:
    last = Part(needs=("middle",), uses=("nobody has it",))
    parts = {"last": last, "middle": Part(("middle",), uses=("first",)), "first": Part(("first",))}
    assert measuring_order(parts) == ["first", "middle", "last"]
    alone = {"b": Part(), "a": Part()}
    assert measuring_order(alone) == ["b", "a"]


def test_what_nobody_provides_is_refused_in_a_line() -> None:
    wanted = "^diagnostics.quantities.mine: needs sharpness, which no quantity provides$"
    with pytest.raises(InputError, match=wanted):
        measuring_order({"mine": Part(needs=("sharpness",))})


def test_a_circle_is_refused_in_a_line() -> None:
    circle = {
        "one": Part(("a",), needs=("b",)), "two": Part(("b",), uses=("c",)),
        "three": Part(("c",), needs=("a",)),
    }  # fmt: skip
    with pytest.raises(InputError, match=r"^diagnostics\.quantities: \w+ -> ") as refused:
        measuring_order(circle)
    path = str(refused.value).split(": ")[1].split(" -> ")
    assert path[0] == path[-1]
    assert sorted(path[1:]) == ["one", "three", "two"]
    after = {"one": "two", "two": "three", "three": "one"}
    assert all(after[name] == following for name, following in itertools.pairwise(path))
