"""What a comparison decided before its first run: the content of ``study.yaml``."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sgdlab.comparison.axes import originals, recorded_axes
from sgdlab.comparison.contenders import Contender, SearchId, Seeds
from sgdlab.comparison.workloads import Workload
from sgdlab.config.resolve import resolve
from sgdlab.config.run_id import RULES_VERSION, study_name
from sgdlab.config.schema import GROUPS
from sgdlab.scaling import checked_candidates
from sgdlab.search import Space
from sgdlab.search.halving import halving_of

# Differ between the runs of a comparison, or do not determine their results.
_NOT_SHARED = (
    "optimizer", "lr", "names", "study", "phase", "trial", "replicate", "contender", "resume",
    "evaluate_test", "checkpoint", "import_from", "save_final", "stale", "continue_from",
    "relative_paths", "lock",
)  # fmt: skip


def protocol(
    comparison: DictConfig,
    contenders: Sequence[Contender],
    workloads: Sequence[Workload],
    count: int,
) -> dict[str, Any]:
    """Return what is compared, budget, search bounds, seeds, and the config that all runs share.

    Args:
        comparison: The composed config of the comparison.
        contenders: What is compared.
        workloads: Where it is compared.
        count: The replicates.
    """
    seeds, replicates = Seeds(comparison.seed, comparison.seeds), range(count)
    plain = resolve(comparison).plain()
    own = cast("dict[str, Any]", OmegaConf.to_container(comparison, resolve=True))
    return {
        "study": study_name(comparison),
        "rules": RULES_VERSION,
        "optimizers": own["optimizers"],
        **({"ablation": _ablation(own["ablation"], contenders)} if own.get("ablation") else {}),
        "contenders": [contender.name for contender in contenders],
        "workloads": [workload.recorded() for workload in originals(workloads)],
        **recorded_axes(comparison, workloads),
        "tracks": own["tracks"],
        "replicates": count,
        "seeds": own["seeds"],
        "budget": _budget(comparison),
        "select_by": own["select_by"],
        "target": own["target"],
        "margin": own["margin"],
        "search": _search(comparison, contenders),
        "tuning_seeds": [seeds.tuning(r) for r in replicates],
        "final_seeds": [seeds.final(r) for r in replicates],
        "protocol": OmegaConf.select(comparison, "hydra.runtime.choices.protocol"),
        "groups": {k: v for k, v in plain["names"].items() if k in GROUPS and k != "optimizer"},
        "run": {key: value for key, value in plain.items() if key not in _NOT_SHARED},
    }


def _ablation(asked: Mapping[str, Any], contenders: Sequence[Contender]) -> dict[str, Any]:
    """Return what was asked of an ablation, and the keys that its variants differ in."""
    keys = {key for contender in contenders for key in contender.scientific}
    return {**asked, "keys": sorted(keys)}


def _search(comparison: DictConfig, contenders: Sequence[Contender]) -> dict[str, Any]:
    search = cast("dict[str, Any]", OmegaConf.to_container(comparison.search))
    halving = halving_of(comparison.search)
    own: dict[str, dict[str, Space]] = {}
    for contender in contenders:
        for workload, space in contender.own_spaces.items():
            own.setdefault(workload, {})[contender.name] = space
    return {
        "method": search["method"],
        "seed": comparison.seed,
        "recentre": search["recentre"],
        **({"batch": search["batch"]} if search["method"] == "tpe" else {}),
        **({"halving": dataclasses.asdict(halving)} if halving else {}),
        "scientific": search["scientific"],
        **_spaces({contender.name: contender.space for contender in contenders}),
        **(
            {"of_workloads": {name: _spaces(spaces) for name, spaces in own.items()}} if own else {}
        ),
    }


def _spaces(spaces: Mapping[str, Space]) -> dict[str, Any]:
    return {
        "spaces": {
            name: {d.key: d.entry() for d in space.dimensions} for name, space in spaces.items()
        },
        "fixed": {name: dict(space.fixed) for name, space in spaces.items()},
    }


def candidates_of(comparison: DictConfig) -> list[float]:
    """Return the factors on the scaled learning rate that every drawn trial is run with.

    Raises:
        InputError: They are no positive numbers.
    """
    candidates = OmegaConf.select(comparison, "scaling.candidates")
    return checked_candidates(candidates) if candidates else []


def _budget(comparison: DictConfig) -> dict[str, Any]:
    if comparison.seconds is not None:
        return {"unit": "seconds", "per_search": comparison.seconds}
    if not (factors := candidates_of(comparison)):
        return {"unit": "trials", "per_search": comparison.trials}
    return {
        "unit": "trials",
        "per_search": comparison.trials * len(factors),
        "drawn_per_search": comparison.trials,
        "candidates_per_draw": factors,
    }


def with_trials(written: Mapping[str, Any], trials: Mapping[SearchId, int]) -> dict[str, Any]:
    """Return the protocol with the trials that its seconds buy."""
    bought: dict[str, dict[str, int]] = {}
    for search_id, count in trials.items():
        bought.setdefault(search_id.workload.name, {})[search_id.contender.name] = count
    return {**written, "budget": {**written["budget"], "trials_of": bought}}


# Named by the user, found out by the first runs of the comparison itself, or what may grow.
_NOT_COMPARED = (
    "study", "protocol", "target", "target_from", "budget.trials_of", "replicates", "tuning_seeds",
    "final_seeds", "looks", "planned_looks",
)  # fmt: skip


def first_difference(before: Any, now: Any, key: str = "") -> str | None:
    """Say where two protocols differ first, their names aside; None where they agree."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in {**before, **now}:
            dotted = f"{key}.{name}" if key else str(name)
            if dotted in _NOT_COMPARED:
                continue
            if found := first_difference(before.get(name), now.get(name), dotted):
                return found
        return None
    return None if before == now else f"{key} is {before} there and {now} here"
