"""The best trial of each search of a comparison, and the runs that repeat it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig

from sgdlab.comparison.contenders import SearchId, Seeds, overrides_of
from sgdlab.results import FINAL, Cell, has_result
from sgdlab.search import Value
from sgdlab.search.objective import objective_value
from sgdlab.terminal.display import stdout
from sgdlab.terminal.notices import warn
from sgdlab.terminal.numbers import metric_text, number


@dataclass(frozen=True)
class Trial:
    """One trial of a search: its number there, what was set, and the summary of its run."""

    number: int
    settings: Mapping[str, Value]
    row: Mapping[str, Cell]

    @property
    def is_complete(self) -> bool:
        """Whether its run has a result: completed, or stopped by its own rule."""
        return has_result(self.row["status"], self.row.get("reason"))

    def objective(self, select_by: str) -> float:
        """Return what its search minimises; see `objective_value`."""
        value = self.row.get(select_by) if self.is_complete else None
        return objective_value(value, select_by, self.row.get("metric_direction"))


def winners_of(tried: Mapping[SearchId, Sequence[Trial]], select_by: str) -> dict[SearchId, Trial]:
    """Return the best completed trial of each search, and say which they are.

    Of equal ones the first is the better one.

    Args:
        tried: The trials of each search.
        select_by: The column of the summary that decides.
    """
    winners: dict[SearchId, Trial] = {}
    for search_id, trials in tried.items():
        completed = [trial for trial in trials if trial.is_complete]
        if completed:
            winners[search_id] = min(
                completed, key=lambda trial: (trial.objective(select_by), trial.number)
            )
        else:
            search = f" in search {search_id.replicate}" if _searches(tried, search_id) > 1 else ""
            warn(
                f"{search_id.name}: none of {len(trials)} trials completed{search}, so it has no "
                "final runs"
            )
    found: dict[tuple[object, object], dict[SearchId, Trial]] = {}
    for search_id, winner in winners.items():
        found.setdefault(_key(search_id), {})[search_id] = winner
    for own in found.values():
        first = next(iter(own))
        stdout().print(_line(first, own, len(tried[first]), select_by), highlight=False)
    return winners


def final_jobs(
    master: DictConfig, winners: Mapping[SearchId, Trial], phase: str = FINAL
) -> list[list[str]]:
    """Return the overrides of the runs with fresh seeds, which have the settings of each winner.

    Args:
        master: The comparison.
        winners: The trial that each search has chosen.
        phase: What the runs are for.
    """
    seeds = Seeds(master.seed, master.seeds)
    return [
        overrides_of(
            search_id, trial.settings, master.study, phase, seed,
            trial=trial.number, evaluate_test=True,
        )
        for search_id, trial in winners.items()
        for seed in seeds.final(search_id.replicate)
    ]  # fmt: skip


def _key(search_id: SearchId) -> tuple[object, object]:
    return search_id.workload, search_id.contender


def _searches(tried: Mapping[SearchId, object], search_id: SearchId) -> int:
    return sum(_key(other) == _key(search_id) for other in tried)


def _line(
    search_id: SearchId, winners: Mapping[SearchId, Trial], trials: int, select_by: str
) -> str:
    rows = [trial.row for trial in winners.values()]
    metric = str(rows[0]["metric"])
    if len(winners) == 1:
        (winner,) = winners.values()
        settings = " ".join(f"{key}={value}" for key, value in winner.settings.items())
        return (
            f"{search_id.name}: trial {winner.number} of {trials} chosen by "
            f"{select_by}: {settings} "
            f"(val loss {number(winner.row['final_val_loss'])}, "
            f"val {metric} {metric_text(metric, winner.row['final_val_metric'])})"
        )
    chosen: dict[str, list[str]] = {}
    for winner in winners.values():
        for key, value in winner.settings.items():
            chosen.setdefault(key, []).append(str(value))
    settings = "; ".join(f"{key} {', '.join(values)}" for key, values in chosen.items())
    found = [metric_text(metric, row["final_val_metric"]) for row in rows]
    return (
        f"{search_id.name}: {len(winners)} searches of {trials} trials, chosen by {select_by}: "
        f"{settings} (val {metric} {', '.join(found)})"
    )
