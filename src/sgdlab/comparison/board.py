"""What the searches of a comparison have found so far, for who looks on."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from omegaconf import DictConfig

from sgdlab.comparison.contenders import SearchId
from sgdlab.comparison.protocol import candidates_of
from sgdlab.config.job import Job
from sgdlab.errors import InputError
from sgdlab.results import DEFAULTS, FINAL, ONE, TUNE, Cell, has_result, read_summary
from sgdlab.search.objective import objective_value
from sgdlab.terminal.board import BoardRow, board_lines
from sgdlab.terminal.progress import boards

_Key = tuple[str, str, str]
"""Workload, contender and replicate, as a summary names them."""


@dataclass
class _Search:
    """The runs of one search that have ended, by phase, and the best trial among them."""

    id: SearchId
    planned: dict[str, int]
    ended: dict[str, set[str]] = field(default_factory=dict)
    best: Mapping[str, Cell] | None = None
    objective: float = float("inf")


class SearchBoard:
    """Takes the summaries of runs as they end; shows a line per search.

    Args:
        master: The config of the comparison.
    """

    def __init__(self, master: DictConfig) -> None:
        self._select_by = str(master.select_by)
        self._factors = len(candidates_of(master)) or 1
        tracks = list(master.tracks)
        phases = {FINAL: "tuned", DEFAULTS: DEFAULTS, ONE: ONE}
        self._again = {p: master.seeds if t in tracks else 0 for p, t in phases.items()}
        self._searches: dict[_Key, _Search] = {}

    def plan(
        self, search_ids: Iterable[SearchId], trials: Mapping[SearchId, int] | None = None
    ) -> None:
        """Take searches that are to come, and how many settings each draws, where that is known."""
        for search_id in search_ids:
            new = _Search(search_id, dict(self._again))
            search = self._searches.setdefault(_key_of(search_id), new)
            if trials is not None:
                search.planned[TUNE] = trials[search_id] * self._factors

    @contextlib.contextmanager
    def on_view(self, jobs: Iterable[Job]) -> Iterator[None]:
        """Be shown above the progress of some jobs; those that have ended before count."""
        for job in jobs:
            with contextlib.suppress(InputError):  # the sweep speaks of damage
                if (summary := read_summary(job.directory)) is not None:
                    self.add(summary)
        boards.append(self)
        try:
            yield
        finally:
            boards.remove(self)

    def add(self, summary: Mapping[str, Cell]) -> None:
        """Take the summary of a run that has ended; what is no run of a search is ignored."""
        where = f"{summary.get('dataset')}/{summary.get('model')}"
        key = (where, str(summary.get("contender")), str(summary.get("replicate")))
        if (search := self._searches.get(key)) is None:
            return
        phase = str(summary.get("phase"))
        search.ended.setdefault(phase, set()).add(str(summary.get("run_id")))
        if phase != TUNE:
            return
        is_one = has_result(summary.get("status"), summary.get("reason"))
        value = summary.get(self._select_by) if is_one else None
        objective = objective_value(value, self._select_by, summary.get("metric_direction"))
        if objective < search.objective:
            search.best, search.objective = summary, objective

    def to_come(self) -> int:
        """Return how many runs of all phases have not ended yet."""
        return sum(
            max(0, count - len(search.ended.get(phase, ())))
            for search in self._searches.values()
            for phase, count in search.planned.items()
        )

    def lines(self, width: int, height: int) -> Sequence[str]:
        """Return it as lines of a terminal; see `board_lines`."""
        return board_lines([_row(search) for search in self._searches.values()], width, height)


def _key_of(search_id: SearchId) -> _Key:
    return search_id.workload.name, search_id.contender.name, str(search_id.replicate)


def _row(search: _Search) -> BoardRow:
    row = BoardRow(search.id.name, str(search.id.replicate))
    row.trials = _counts(search, TUNE)
    again = [_counts(search, phase) for phase in (FINAL, DEFAULTS, ONE)]
    row.again = sum(ended for ended, _ in again), sum(planned for _, planned in again)
    if search.best is not None:
        loss = search.best.get("final_val_loss")
        row.losses = [float(loss)] if isinstance(loss, int | float) else []
        for dimension in search.id.space.dimensions:
            column = "base_lr" if dimension.key == "lr" else dimension.key
            if (value := search.best.get(column)) is not None:
                row.settings[dimension.key.rpartition(".")[2]] = [value]
    return row


def _counts(search: _Search, phase: str) -> tuple[int, int]:
    return len(search.ended.get(phase, ())), search.planned.get(phase, 0)
