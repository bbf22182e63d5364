"""All schedules in one figure: small multiples of factor and momentum against epochs."""

import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdlab.config.catalogue import conf_dir
from sgdlab.report.charts.style import COLOURS, FAINT, INK, context, save
from sgdlab.schedules.base import Schedule

EPOCHS, STEPS_PER_EPOCH = 20, 30
COLUMNS = 4
TITLE = f"Schedules with their default settings, {EPOCHS} epochs of {STEPS_PER_EPOCH} steps"
FACTOR, MOMENTUM = COLOURS[0], COLOURS[1]

LOSSES = (
    *(0.94, 0.71, 0.58, 0.53, 0.54, 0.53, 0.55, 0.54, 0.53, 0.54),
    *(0.34, 0.30, 0.31, 0.30, 0.31, 0.30, 0.31, 0.31, 0.26, 0.25),
)
"""Made up: a validation loss that levels off twice."""


def draw(file: Path) -> int:
    """Draw every schedule of ``conf/schedule`` and return how many there are.

    Args:
        file: The file to write, whose suffix, svg, png or pdf, is the format.

    Raises:
        InputError: The file cannot be written.
    """
    found = _schedules()
    with context():
        figure = _figure(found)
        save(figure, file, TITLE, option="--plot ")
    return len(found)


def _schedules() -> dict[str, Schedule]:
    """Return the schedules by name, built from their YAML without Hydra."""
    found: dict[str, Schedule] = {}
    for path in sorted((conf_dir() / "schedule").glob("*.yaml")):
        section = yaml.safe_load(path.read_text(encoding="utf-8"))
        found[path.stem] = pkgutil.resolve_name(section.pop("_target_"))(**section)
    return found


def _figure(schedules: dict[str, Schedule]) -> Figure:
    rows = -(-len(schedules) // COLUMNS)
    figure = Figure(figsize=(9.0, 0.7 + 1.75 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    panels = cast("Sequence[Axes]", grid.ravel())
    for axes, (name, schedule) in zip(panels, schedules.items(), strict=False):
        _panel(axes, name, schedule)
    for axes in panels[len(schedules) :]:
        axes.remove()
    for axes in panels[max(0, len(schedules) - COLUMNS) : len(schedules)]:
        axes.tick_params(labelbottom=True)
    figure.supylabel("factor on the learning rate", fontsize=9)
    figure.supxlabel("epoch", fontsize=9)
    figure.suptitle(TITLE, fontsize=10)
    return figure


def _panel(axes: Axes, name: str, schedule: Schedule) -> None:
    factors, momenta = curves(schedule)
    epochs = [step / STEPS_PER_EPOCH for step in range(len(factors))]
    axes.set_title(name, loc="left", fontsize=9, fontweight="bold")
    axes.set_ylim(-0.04, 1.06)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_xticks(range(0, EPOCHS + 1, 5))
    axes.grid(True, axis="y")
    axes.set_axisbelow(True)
    if schedule.observes:
        ends = range(1, EPOCHS + 1)
        axes.plot(ends, LOSSES, ".-", color=FAINT, linewidth=0.8, markersize=3)
        _note(axes, 0.66, "validation loss,\nillustrative", INK)
    axes.plot(epochs, factors, color=FACTOR, clip_on=False)
    drawn = [value for value in momenta if value is not None]
    if len(drawn) == len(epochs):
        axes.plot(epochs, drawn, color=MOMENTUM, linewidth=1.2, linestyle=(0, (4, 1.5)))
        _note(axes, 0.62, "momentum", MOMENTUM)


def _note(axes: Axes, height: float, text: str, colour: str) -> None:
    axes.text(0.98, height, text, transform=axes.transAxes, color=colour, fontsize=7.5, ha="right")


def curves(schedule: Schedule) -> tuple[list[float], list[float | None]]:
    """Return factor and momentum of every step, with `LOSSES` observed at the ends of epochs."""
    total = EPOCHS * STEPS_PER_EPOCH
    factors: list[float] = []
    momenta: list[float | None] = []
    for step in range(total):
        if schedule.observes and step and step % STEPS_PER_EPOCH == 0:
            schedule.observe(LOSSES[step // STEPS_PER_EPOCH - 1])
        factors.append(schedule(step, total, STEPS_PER_EPOCH))
        momenta.append(schedule.momentum(step, total, STEPS_PER_EPOCH))
    return factors, momenta
