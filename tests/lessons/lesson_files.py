"""Reads the files of a lesson's runs without the product's reader."""

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True)
class RunFiles:
    """The run directory of one run of a lesson."""

    folder: Path

    def steps(self, column: str) -> list[float]:
        """The cells of a column of steps.csv, the empty ones left out."""
        return [float(row[column]) for row in rows(self.folder / "steps.csv") if row[column]]

    def evals(self, split: str, column: str) -> list[float]:
        found = [r for r in rows(self.folder / "evals.csv") if r["split"] == split]
        return [float(row[column]) for row in found if row["weights"] == "raw"]

    def cell(self, column: str) -> float:
        (row,) = rows(self.folder / "summary.csv")
        return float(row[column])

    def end(self, column: str = "loss", split: str = "train") -> float:
        return self.evals(split, column)[-1]


_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?%?")


def numbers_in(text: str) -> list[str]:
    return [match.rstrip(",") for match in _NUMBER.findall(text)]


def shows(text: str, value: float) -> bool:
    """Say whether ``text`` is ``value`` rounded to the digits that it has."""
    percent = text.endswith("%")
    number = text.rstrip("%").replace(",", "")
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - digits) * (0.01 if percent else 1.0)
    read = float(number) * (0.01 if percent else 1.0)
    return math.isclose(read, value, rel_tol=1e-12, abs_tol=0.5000001 * unit)
