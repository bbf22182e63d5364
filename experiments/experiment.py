"""An experiment: its YAML, its figures, and the figures that were recorded."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from sgdlab.analysis.statistics import describe
from sgdlab.errors import InputError, suggest

HERE = Path(__file__).resolve().parent
RECORDS = HERE.parent / "docs" / "results"


@dataclass(frozen=True)
class Figure:
    """A number that the finding is about.

    Attributes:
        name: Short, unique in its experiment.
        says: What the number is, in words.
        measure: A function of ``measures.py`` and its settings.
        claim: The range in which the finding has it; None: open on that side.
        tolerance: How far the mean may be from the recorded one where the experiment is repeated
            on another machine, as a share of it; ``absolute`` where the value may be near 0.
        absolute: Whether ``tolerance`` is in the figure's own unit.
    """

    name: str
    says: str
    measure: Mapping[str, Any]
    claim: tuple[float | None, float | None]
    tolerance: float
    absolute: bool = False

    @property
    def claimed(self) -> str:
        """The range in words."""
        low, high = self.claim
        if low is None:
            return f"at most {high:g}"
        return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


@dataclass(frozen=True)
class Experiment:
    """A finding of a paper, the runs that look for it, and what is measured of them.

    Attributes:
        name: The name of its file.
        order: Its place on the page.
        title: The finding, in a sentence.
        source: Author and year.
        minutes: Of CPU, about.
        common: Overrides of all studies.
        studies: Overrides of ``sgdlab train -m`` by study.
        larger: Further overrides of the version for a GPU, by study.
        figures: What is measured.
        picture: What `pictures.draw` is told.
        remark: What else was seen, and what the runs do not cover.
        quick: Whether it takes less than a minute, so that tests run it.
    """

    name: str
    order: int
    title: str
    source: str
    minutes: float
    common: Sequence[str]
    studies: Mapping[str, Sequence[str]]
    larger: Mapping[str, Sequence[str]]
    figures: Sequence[Figure]
    picture: Mapping[str, Any]
    remark: str

    @property
    def quick(self) -> bool:
        """Whether it takes less than a minute, so that tests run it."""
        return self.minutes <= 1


def experiments() -> list[str]:
    """Return the names of all experiments."""
    return sorted(path.stem for path in HERE.glob("*.yaml"))


def read(name: str) -> Experiment:
    """Read an experiment.

    Raises:
        InputError: There is none of this name.
    """
    if name not in experiments():
        raise InputError(f"{name}: no such experiment; {suggest(name, experiments())}")
    content = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    figures = [
        Figure(**{"name": key, **figure, "claim": tuple(figure["claim"])})
        for key, figure in content.pop("figures").items()
    ]
    return Experiment(name=name, figures=figures, **content)


@dataclass(frozen=True)
class Seen:
    """A figure as it was measured: the mean over seeds, with its 95 % t interval."""

    figure: Figure
    mean: float
    low: float
    high: float
    seeds: int

    @classmethod
    def of(cls, figure: Figure, values: "pd.Series[float]") -> "Seen":
        """Return mean and interval of one value per seed.

        Raises:
            ValueError: A value is not finite.
        """
        if not np.isfinite(values).all():
            raise ValueError(f"{figure.name}: {values.to_dict()}")
        found = describe(values.tolist())
        low, high = (found.mean if math.isnan(x) else x for x in (found.ci_low, found.ci_high))
        return cls(figure, found.mean, low, high, len(values))

    @property
    def verdict(self) -> str:
        """``seen``: the whole interval is in the claimed range; ``not seen``: none of it is."""
        low, high = self.figure.claim
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        if low <= self.low and self.high <= high:
            return "seen"
        return "not seen" if self.high < low or self.low > high else "undecided"

    def differs_from(self, recorded: "Seen | None") -> bool:
        """Say whether the mean is further from the recorded one than the tolerance."""
        if recorded is None:
            return False
        unit = 1.0 if self.figure.absolute else abs(recorded.mean)
        return abs(self.mean - recorded.mean) > self.figure.tolerance * unit

    def line(self, recorded: "Seen | None") -> str:
        """Return what the terminal shows."""
        text = (
            f"  {self.figure.says}: {self.mean:.3g} [{self.low:.3g}, {self.high:.3g}], "
            f"expected {self.figure.claimed}: {self.verdict}"
        )
        if recorded is None:
            return text
        agrees = "off by more than" if self.differs_from(recorded) else "within"
        by = (
            f"{self.figure.tolerance:g}" if self.figure.absolute else f"{self.figure.tolerance:.0%}"
        )
        return f"{text}; {agrees} {by} of the recorded {recorded.mean:.3g}"


COLUMNS = ("figure", "mean", "low", "high", "seeds")


def read_records(name: str) -> dict[str, Seen]:
    """Return what was recorded of an experiment's figures; nothing where none was."""
    path = RECORDS / f"{name}.csv"
    if not path.is_file():
        return {}
    figures = {figure.name: figure for figure in read(name).figures}
    with path.open(newline="", encoding="utf-8") as file:
        return {
            row["figure"]: Seen(
                figures[row["figure"]],
                *(float(row[column]) for column in COLUMNS[1:4]),
                seeds=int(row["seeds"]),
            )
            for row in csv.DictReader(file)
            if row["figure"] in figures
        }


def write_records(name: str, found: Sequence[Seen]) -> None:
    """Record figures, to be shown in docs and to be compared with."""
    RECORDS.mkdir(exist_ok=True)
    with (RECORDS / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for s in found:
            digits = (f"{x:.6g}" for x in (s.mean, s.low, s.high))
            rows.writerow([s.figure.name, *digits, s.seeds])
