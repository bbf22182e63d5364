"""What is compared with what: optimizers, or the values of settings that runs were made with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sgdlab.analysis import words
from sgdlab.analysis.audit.plan import section
from sgdlab.analysis.axis_points import at_points, axes
from sgdlab.analysis.load import Runs
from sgdlab.analysis.solo_timing import SOLO
from sgdlab.analysis.studies import Study
from sgdlab.analysis.varied import (
    in_order,
    known_keys,
    labels,
    texts_of,
    varied_keys,
)
from sgdlab.analysis.workloads import WorkloadRuns, contender, is_of, missing, workloads
from sgdlab.errors import InputError, nearest
from sgdlab.results import APART, FINAL, TUNE

MOST_HELD = 12
"""Settings that are not compared make so many workloads at most; of more, the best is shown."""

_OF_DATA = ("dataset", "split")


def questions(
    runs: Runs, studies: Mapping[str, Study], by: Sequence[str] | None = None
) -> list[WorkloadRuns]:
    """Return the workloads, and what each of them compares.

    Args:
        runs: Every run.
        studies: The content of ``study.yaml`` by name of the study.
        by: The settings whose values are compared; None: the optimizers of each data set, or
            where there is one only, what varies besides (the data and seeds aside).

    Values of all other settings that vary are never mixed: each combination is a workload, of which
    ``held`` says it. Where there are more than `MOST_HELD`, and of what belongs to a group whose
    choices are compared, the best setting of every value is shown, by mean validation loss, and
    ``pooled`` names what varies. Trials of searches are
    compared as the comparison declared it (``optimizer`` and ``search.scientific``).

    Raises:
        InputError: A setting is unknown or does not vary; names those that do.
    """
    factors = declared(studies)
    declared_axes = axes(studies)
    if by is not None:
        factors = [*factors, *declared_axes]
        keys = _checked(runs, factors, by)
        return [q for part in workloads(runs, keys) for q in _split(runs, part, keys, factors)]
    found: list[WorkloadRuns] = []
    for rows in _by_dataset(runs).values():
        keys = _default(runs, rows)
        # Data and models of other sizes are points of an axis, where there is such a one.
        parts = workloads(runs, (*keys, *declared_axes), rows)
        own = [q for part in parts for q in _split(runs, part, keys, factors)]
        found += [point for part in own for point in at_points(runs, part, studies)]
    return found


def declared(studies: Mapping[str, Study]) -> list[str]:
    """Return what comparisons declared to compare: ``optimizer``, then the scientific settings."""
    found = ["optimizer"]
    for study in studies.values():
        found += _flat(section(section(study.get("search")).get("scientific")))
    return list(dict.fromkeys(found))


def _flat(values: Mapping[str, object], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in values.items():
        inner = section(value)
        found += _flat(inner, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return found


def _by_dataset(runs: Runs) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row, run in enumerate(runs.rows):
        if not (missing(run["dataset"]) or missing(run["model"])):
            found.setdefault(str(run["dataset"]), []).append(row)
    return dict(sorted(found.items()))


def _searched(runs: Runs, rows: Iterable[int]) -> bool:
    """Whether runs are of a comparison, whose trials vary by design."""
    return any(runs.rows[row]["phase"] in (TUNE, FINAL, *APART) for row in rows)


def _default(runs: Runs, rows: Sequence[int]) -> tuple[str, ...]:
    """Return what is compared where nothing is asked; empty: optimizers."""
    rows = [row for row in rows if runs.rows[row]["phase"] not in SOLO]
    if _searched(runs, rows) or len({contender(runs, row) for row in rows}) > 1:
        return ()
    return tuple(key for key in varied_keys(runs, rows) if not is_of(key, _OF_DATA))


def _checked(runs: Runs, factors: Sequence[str], by: Sequence[str]) -> tuple[str, ...]:
    """Return the settings asked for, by the names that runs tell them under."""
    rows = [row for row, run in enumerate(runs.rows) if run["phase"] not in SOLO]
    varied, known = varied_keys(runs, rows), known_keys(runs, rows)
    searched = _searched(runs, rows)
    if searched:
        varied = [key for key in factors if len(set(texts_of(runs, rows, key).values())) > 1]
    told = f"what varies: {', '.join(varied)}" if varied else "nothing but seeds varies"
    asked = ",".join(by)
    found: list[str] = []
    for key in by:
        name = {"optimizer.lr": "lr", "base_lr": "lr", "learning_rate": "lr"}.get(key, key)
        if name == "seed":
            raise InputError(f"--by {asked}: seeds are what every mean is taken over; {told}")
        if name not in known | set(varied):
            close = nearest(name, [*varied, *(k for k in known if k not in varied)])
            meant = f"did you mean {' or '.join(close)}? " if close else ""
            raise InputError(f"--by {asked}: no setting {key!r} in these runs; {meant}{told}")
        if name not in varied:
            why = f"is {_only(runs, rows, name)} in all runs"
            if searched and len(set(texts_of(runs, rows, name).values())) > 1:
                why = "was searched, not compared, by the comparison that these runs are of"
            raise InputError(f"--by {asked}: {name} {why}; {told}")
        found.append(name)
    if len(set(found)) < len(found):
        raise InputError(f"--by {asked}: names a setting twice")
    return tuple(found)


def _only(runs: Runs, rows: Sequence[int], key: str) -> str:
    return next(iter(texts_of(runs, rows, key).values()), "not told")


def _split(
    runs: Runs, part: WorkloadRuns, by: tuple[str, ...], factors: Sequence[str]
) -> list[WorkloadRuns]:
    """Return a workload for each combination of settings that vary and are not compared."""
    searched = _searched(runs, part.rows)
    varied = list(factors) if searched else varied_keys(runs, part.rows)
    if not by:
        own = [key for key in varied if len(set(texts_of(runs, part.rows, key).values())) > 1]
        return [replace(part, factors=tuple(own) if searched and len(own) > 1 else ())]
    if searched:
        varied = [key for key in varied if len(set(texts_of(runs, part.rows, key).values())) > 1]
    whole = replace(
        part,
        by=by,
        labels={row: name or "not told" for row, name in labels(runs, part.rows, by).items()},
        factors=by if searched and len(by) > 1 else (),
    )
    others = [key for key in varied if key not in by]
    own = [key for key in others if _belongs(key, by)]
    others = [key for key in others if key not in own]
    groups: dict[str, list[int]] = {}
    for row, name in labels(runs, part.rows, others).items():
        groups.setdefault(name, []).append(row)
    if len(groups) > MOST_HELD:
        return [replace(whole, pooled=(*own, *others))]
    whole = replace(whole, pooled=tuple(own))
    texts = {key: texts_of(runs, part.rows, key) for key in others}
    order = {key: in_order(runs, own, key) for key, own in texts.items()}

    def place(name: str) -> list[int]:
        row = groups[name][0]
        return [order[k].index(own[row]) if row in own else -1 for k, own in texts.items()]

    return [replace(whole, rows=groups[name], held=name) for name in sorted(groups, key=place)]


def _belongs(key: str, by: Iterable[str]) -> bool:
    """Whether a setting belongs to a group whose choices are compared, each at its best."""
    return is_of(key, by) or (key == "lr" and "optimizer" in by)


def describe_pooled(workload: WorkloadRuns) -> str:
    """Say that several settings stand behind each value; empty where one does."""
    if not workload.pooled:
        return ""
    return (
        f"Varied besides: {words.listing(workload.pooled)}. Of each value of "
        f"{words.listing(workload.by)} the best setting is shown, by mean final validation loss."
    )
