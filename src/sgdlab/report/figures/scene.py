"""What every figure of a workload is made from."""

from collections.abc import Sequence
from dataclasses import dataclass

from sgdlab.analysis import Result, words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.report.charts.model import Axis


@dataclass(frozen=True)
class Scene:
    """A result, and how its metric is shown.

    Attributes:
        runs: Every run that was found.
        result: What the runs of the workload come to.
        prefix: What the file names of its figures begin with.
    """

    runs: Runs
    result: Result
    prefix: str

    @property
    def entries(self) -> Sequence[Entry]:
        """The optimizers, best first."""
        return self.result.entries

    @property
    def percent(self) -> bool:
        """Whether the metric is a share, shown in percent."""
        return self.result.workload.metric == "accuracy"

    @property
    def scale(self) -> float:
        """What the metric is multiplied by."""
        return 100.0 if self.percent else 1.0

    @property
    def metric(self) -> str:
        """What the verdicts are about: ``test accuracy``."""
        return self.result.metric_name

    def axis(self, label: str, low: float | None = None, high: float | None = None) -> Axis:
        """Return the axis of a metric; limits are in its own unit."""
        unit = " (%)" if self.percent else ""
        ends = [None if end is None else end * self.scale for end in (low, high)]
        return Axis(f"{label}{unit}", percent=self.percent, low=ends[0], high=ends[1])

    def value(self, number: float) -> str:
        """Return a value of the metric as text."""
        return words.metric(number, self.result.workload.metric)

    def row(self, name: str) -> str:
        """Return a name as a row of a figure has it: of several settings their values alone."""
        by = self.result.workload.by
        if len(by) < 2:
            return name
        for key in by:
            name = name.replace(f"{key}=", "")
        return name

    @property
    def rows_note(self) -> str:
        """Say what the names of rows are, where they are values alone."""
        by = self.result.workload.by
        return f" Rows: {words.listing(by)}." if len(by) > 1 else ""

    def name(self, figure: str) -> str:
        """Return the file name of a figure."""
        return f"{self.prefix}-{figure}"
