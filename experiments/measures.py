"""Figures of an experiment, one value per seed, from the tables of its runs.

Every function takes the experiment's studies by name, and settings from YAML; it returns a value
for each seed, as a pandas Series whose index are seeds.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bound import constant_of
from sgdlab.api.study import Study

Studies = Mapping[str, Study]


def value(studies: Studies, measure: Mapping[str, Any]) -> pd.Series:
    """Return the values that ``measure`` asks for: ``of``, a function here, and its settings."""
    settings = dict(measure)
    return MEASURES[settings.pop("of")](studies, **settings)


def table(studies: Studies, study: str, where: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the runs of a study that have the settings of ``where``; a list is any of them.

    A run that diverged has infinite losses: it is a result, and never the best one. The column
    ``width`` is that of the first hidden layer, or of a token.
    """
    runs = studies[study].runs.copy()
    if "model.hidden" in runs:
        runs["width"] = runs["model.hidden"].astype(str).str.extract(r"(\d+)")[0].astype(float)
    elif "model.width" in runs:
        runs["width"] = runs["model.width"].astype(float)
    for key, wanted in (where or {}).items():
        allowed = wanted if isinstance(wanted, list) else [wanted]
        runs = runs[[_same(cell, allowed) for cell in runs[key]]]
    if runs.empty:
        raise LookupError(f"no run of {study} has {where}")
    runs = runs.copy()
    if not runs["status"].isin(["completed", "stopped", "diverged"]).all():
        raise LookupError(f"a run of {study} failed")
    lost = runs["status"] == "diverged"
    losses = [name for name in runs.columns if name.endswith("_loss")]
    runs[losses] = runs[losses].astype(float)
    runs.loc[lost, losses] = np.inf
    return runs


def _same(cell: Any, allowed: list[Any]) -> bool:
    """Say whether a cell is one of the values: 32 is 32.0."""
    return any(cell == one or str(cell) == str(one) for one in allowed)


def end(
    studies: Studies, study: str, column: str, last: float, where: Mapping[str, Any] | None = None
) -> pd.Series:
    """Return the mean of a column of ``steps.csv`` over the last share of a run, by seed."""
    runs = table(studies, study, where).set_index("run_id")
    if (runs["status"] == "diverged").any():
        raise LookupError(f"a run of {study} diverged, and has no end")
    steps = studies[study].steps
    steps = steps[steps["run_id"].isin(runs.index)].dropna(subset=[column])
    from_step = (1 - last) * steps.groupby("run_id")["step"].transform("max")
    means = steps[steps["step"] > from_step].groupby("run_id")[column].mean()
    return means.groupby(runs.loc[means.index, "seed"]).mean()


def best(
    studies: Studies, study: str, column: str = "final_train_loss",
    where: Mapping[str, Any] | None = None, over: tuple[str, ...] | list[str] = ("base_lr",),
    most: bool = False,
) -> pd.Series:  # fmt: skip
    """Return a column by seed at the setting of ``over`` that is best in the mean over seeds."""
    runs = table(studies, study, where)
    wide = runs.pivot_table(column, "seed", list(over), dropna=False, aggfunc="mean")
    means = wide.mean(axis=0, skipna=False).fillna(-np.inf if most else np.inf)
    return wide[means.idxmax() if most else means.idxmin()]


def best_setting(
    studies: Studies, study: str, setting: str, column: str = "final_train_loss",
    where: Mapping[str, Any] | None = None,
) -> pd.Series:  # fmt: skip
    """Return the best value of a setting by seed, between grid points by a parabola in its log."""
    runs = table(studies, study, where)
    wide = runs.pivot_table(column, "seed", setting, dropna=False, aggfunc="mean")
    return wide.apply(_lowest_point, axis=1)


def _lowest_point(losses: pd.Series) -> float:
    """Return where the parabola through the least of a row and its neighbours is least."""
    x, y = np.log(losses.index.to_numpy(float)), losses.fillna(np.inf).to_numpy(float)
    at = int(np.argmin(y))
    if at in (0, len(y) - 1) or not np.isfinite(y[at - 1 : at + 2]).all():
        return float(np.exp(x[at]))
    a, b, _ = np.polyfit(x[at - 1 : at + 2] - x[at], y[at - 1 : at + 2], 2)
    return float(np.exp(x[at] - b / (2 * a) if a > 0 else x[at]))


def trend_of_best(
    studies: Studies, study: str, setting: str, along: str, column: str = "final_train_loss",
    where: Mapping[str, Any] | None = None,
) -> pd.Series:  # fmt: skip
    """Return the slope of the log of a setting's best value against the log of another setting.

    0: the best value is the same throughout; -1: it falls in proportion.
    """
    runs = table(studies, study, where)
    values = sorted(runs[along].unique())
    by_value = pd.DataFrame(
        {v: best_setting(studies, study, setting, column, {**(where or {}), along: v})
         for v in values}
    )  # fmt: skip
    x = np.log(np.array(values, float))
    return by_value.apply(_slope, axis=1, x=x)


def _slope(row: pd.Series, x: np.ndarray) -> float:
    """Return the slope of the line through a row's logarithms over ``x``."""
    return float(np.polyfit(x, np.log(row.to_numpy(float)), 1)[0])


def time_to_fit(
    studies: Studies, study: str, level: float, where: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return the step at which the loss of a class is first below ``level``: seed by class.

    Classes that are not there at the end have the last step: a lower bound.
    """
    runs = table(studies, study, where).set_index("run_id")
    steps = studies[study].steps
    steps = steps[steps["run_id"].isin(runs.index)]
    columns = [name for name in steps.columns if name.startswith("class_loss.")]
    steps = steps.dropna(subset=columns)

    def first(run: pd.DataFrame) -> pd.Series:
        ends = run["step"].iloc[-1]
        below = {c: run.loc[run[c] <= level, "step"] for c in columns}
        return pd.Series(
            {int(c.split(".")[1]): s.iloc[0] if len(s) else ends for c, s in below.items()}
        )

    times = steps.groupby("run_id").apply(first, include_groups=False)
    return times.groupby(runs.loc[times.index, "seed"]).mean()


def trend_of_time(
    studies: Studies, study: str, level: float, where: Mapping[str, Any] | None = None
) -> pd.Series:
    """Return the slope of log steps to fit class k against log k, where class k has p ∝ 1/k."""
    times = time_to_fit(studies, study, level, where)
    x = np.log(times.columns.to_numpy(float))
    return times.apply(_slope, axis=1, x=x)


def crossing(
    studies: Studies, study: str, x: str, factor: float, column: str = "final_train_loss",
    where: Mapping[str, Any] | None = None,
) -> pd.Series:  # fmt: skip
    """Return where, as ``x`` grows, a column exceeds ``factor`` times its value at the least x.

    Between grid points by a line in the logarithms; where it never does, the largest x.
    """
    runs = table(studies, study, where)
    wide = runs.pivot_table(column, "seed", x, dropna=False, aggfunc="mean").fillna(np.inf)

    def cross(row: pd.Series) -> float:
        logs = np.log(np.minimum(row.to_numpy(float), 1e6) / row.iloc[0])
        places = np.log(row.index.to_numpy(float))
        above = np.flatnonzero(logs > np.log(factor))
        if not len(above):
            return float(row.index[-1])
        i = above[0]
        return float(np.exp(np.interp(np.log(factor), logs[i - 1 : i + 1], places[i - 1 : i + 1])))

    return wide.apply(cross, axis=1)


def at_loss(
    studies: Studies, study: str, column: str, level: float,
    where: Mapping[str, Any] | None = None,
) -> pd.Series:  # fmt: skip
    """Return a column of ``steps.csv`` where the training loss first is at ``level``, by seed."""
    runs = table(studies, study, where).set_index("run_id")
    steps, evals = studies[study].steps, studies[study].evals
    evals = evals[(evals["split"] == "train") & (evals["weights"] == "raw")]
    found: dict[str, float] = {}
    for run in runs.index:
        own = evals[(evals["run_id"] == run) & (evals["loss"] <= level)]
        if own.empty:
            raise LookupError(f"a run of {study} never has a training loss of {level}")
        rows = steps[steps["run_id"] == run].dropna(subset=[column])
        nearest = (rows["step"] - own["step"].iloc[0]).abs().argmin()
        found[run] = float(rows[column].iloc[nearest])
    values = pd.Series(found)
    return values.groupby(runs.loc[values.index, "seed"]).mean()


def excess(
    studies: Studies, study: str, least: str, column: str = "final_train_loss",
    where: Mapping[str, Any] | None = None, over: tuple[str, ...] | list[str] = ("base_lr",),
) -> pd.Series:  # fmt: skip
    """Return `best` less the least value that the study ``least`` reached."""
    return best(studies, study, column, where, over) - float(table(studies, least)[column].min())


def speed_up(
    studies: Studies, study: str, over: str, horizon: int, column: str = "final_val_loss",
    where: Mapping[str, Any] | None = None,
) -> pd.Series:  # fmt: skip
    """Return the steps that ``over`` needs for what ``study`` reaches, over ``horizon``, by seed.

    Both at the rates that are best for as many steps, each run with a schedule that ends there.
    Between horizons of ``over`` steps are interpolated in their logarithm; beyond the last one they
    are as many as that: a lower bound.
    """
    at = {**(where or {}), "steps": horizon}
    reached = best(studies, study, column, at)
    horizons = sorted(table(studies, over, where)["steps"].unique())
    losses = pd.DataFrame(
        {n: best(studies, over, column, {**(where or {}), "steps": int(n)}) for n in horizons}
    )
    logs = np.log(np.array(horizons, float))
    falling = -np.minimum.accumulate(losses.to_numpy(float), axis=1)
    return pd.Series(
        {seed: float(np.exp(np.interp(-reached[seed], own, logs))) / horizon
         for seed, own in zip(losses.index, falling, strict=True)}
    )  # fmt: skip


def ratio(studies: Studies, of_what: Mapping[str, Any], to_what: Mapping[str, Any]) -> pd.Series:
    """Return one measure over another, seed by seed."""
    return value(studies, of_what) / value(studies, to_what)


def difference(studies: Studies, of_what: Mapping[str, Any], to_what: Mapping[str, Any]) -> Any:
    """Return one measure less another, seed by seed."""
    return value(studies, of_what) - value(studies, to_what)


def times_bound(
    studies: Studies, of_what: Mapping[str, Any], to_what: Mapping[str, Any],
    schedules: list[Mapping[str, Any]],
) -> pd.Series:  # fmt: skip
    """Return `ratio` over the ratio that the convex bound gives for two schedules."""
    first, second = (constant_of(**schedule) for schedule in schedules)
    return ratio(studies, of_what, to_what) / (first / second)


MEASURES: dict[str, Callable[..., pd.Series]] = {
    f.__name__: f
    for f in (
        end, best, best_setting, trend_of_best, trend_of_time, crossing, at_loss,
        excess, speed_up, ratio, difference, times_bound,
    )
}  # fmt: skip
