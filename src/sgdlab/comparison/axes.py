"""A comparison repeated along axes: more epochs, larger batches, a wider model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sgdlab.checks import require_one_of
from sgdlab.comparison.contenders import Contender
from sgdlab.comparison.workloads import Workload
from sgdlab.config.schema import GROUPS
from sgdlab.errors import InputError
from sgdlab.results.points import GRID, points_of
from sgdlab.search import Value
from sgdlab.sweeps.jobs import QuickLoader

DESIGNS = ("one_at_a_time", GRID)
"""What ``axes_design`` may be."""

MOST_POINTS = 100

_RIGHT = "write axes={epochs:[5,10,20]}, with two values of each key at least"
# What a comparison decides, or what names its runs.
_NO_AXES = ("optimizer", "lr", "seed", "split", "study", "phase", "trial", "replicate", "contender",
            "search", "evaluate_test", "seeds", "replicates", "trials")  # fmt: skip


def axes_of(master: DictConfig) -> dict[str, list[Value]]:
    """Return the axes of a comparison: the values of each key.

    Raises:
        InputError: They are no lists of two values or more, or of a key that is no axis.
    """
    given: Any = OmegaConf.to_container(master.axes)
    require_one_of("axes_design", master.axes_design, DESIGNS)
    found: dict[str, list[Value]] = {}
    for key, values in cast("dict[Any, Any]", given).items():
        if not isinstance(values, list) or len({str(v) for v in cast("list[Any]", values)}) < 2:
            raise InputError(f"axes.{key}={values}: {_RIGHT}")
        own = cast("list[Value]", values)
        if len({str(value) for value in own}) < len(own):
            raise InputError(f"axes.{key}={values}: names a value twice")
        if str(key).partition(".")[0] in _NO_AXES or str(key) == "optimizer.lr":
            raise InputError(
                f"axes.{key}: a comparison decides or searches {key}; axes are settings that all "
                "contenders share, such as epochs, batch_size or model.width"
            )
        found[str(key)] = own
    return found


def refuse_searched(axes: Mapping[str, Sequence[Value]], contenders: Sequence[Contender]) -> None:
    """Refuse an axis that a search tunes, or that is compared: it would be set twice.

    Raises:
        InputError: Names the axis, and the contender.
    """
    for contender in contenders:
        spaces = [contender.space, *contender.own_spaces.values()]
        searched = {d.key for space in spaces for d in space.dimensions}
        searched |= {key for space in spaces for key in space.fixed} | {*contender.scientific}
        if both := [key for key in axes if key in searched]:
            raise InputError(
                f"axes.{both[0]}: {contender.name} has it in its search space or compares it; "
                "leave one of the two out"
            )


def at_points(
    master: DictConfig, loader: QuickLoader, workloads: Sequence[Workload]
) -> list[Workload]:
    """Return the workloads at every point of the axes; without axes as they are.

    ``one_at_a_time`` moves one key at a time from the base point, which is what the config says
    otherwise; ``grid`` combines all values. The base point is among them where its values are.

    Raises:
        InputError: The axes cannot be used, or have more than `MOST_POINTS` points.
    """
    axes = axes_of(master)
    if not axes:
        return list(workloads)
    if master.seconds is not None:
        raise InputError("axes with seconds: what a trial costs changes along them; set trials")
    found: list[Workload] = []
    for workload in workloads:
        base = base_point(master, loader, workload, axes)
        points = points_of(axes, base, master.axes_design)
        # The base point first: it is what the others are compared with.
        for point in sorted(points, key=lambda point: point != base):
            moved = {key: value for key, value in point.items() if value != base[key]}
            overrides = {**workload.overrides, **moved}
            found.append(
                replace(workload, overrides=overrides, moved=moved, base=base, of=workload)
            )
    if len(found) > MOST_POINTS:
        raise InputError(f"axes: {len(found)} points; at most {MOST_POINTS}")
    return found


def base_point(
    master: DictConfig,
    loader: QuickLoader,
    workload: Workload,
    axes: Mapping[str, Sequence[Value]],
) -> dict[str, Value]:
    """Return the values that the axes have where nothing is moved.

    A value that is equal to one of its axis is that one (``10`` and ``10.0`` are).
    """
    given = [f"{key}={value}" for key, value in workload.overrides.items()]
    config = loader.job(master, given).config
    plain, names = config.plain(), config.names
    found: dict[str, Value] = {}
    for key, values in axes.items():
        own: Any = names.get(key) if key in GROUPS else plain
        for part in () if key in GROUPS else key.split("."):
            own = own.get(part) if isinstance(own, Mapping) else None
        found[key] = next((value for value in values if _same(value, own)), own)
    return found


def _same(one: Any, other: Any) -> bool:
    return (type(one) is not bool and one == other) or str(one) == str(other)


def recorded_axes(master: DictConfig, workloads: Sequence[Workload]) -> dict[str, Any]:
    """Return what ``study.yaml`` says of the axes; nothing where there are none."""
    axes = axes_of(master)
    if not axes:
        return {}
    return {
        "axes": {
            "design": str(master.axes_design),
            "values": axes,
            "base": {workload.name: dict(workload.base) for workload in workloads},
        }
    }


def originals(workloads: Sequence[Workload]) -> list[Workload]:
    """Return the workloads that the points of axes are of, once each."""
    return list(dict.fromkeys(workload.of or workload for workload in workloads))
