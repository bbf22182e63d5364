"""What a comparison compares, and how often: contenders, searches, and their runs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from omegaconf import DictConfig

from sgdlab.comparison.ablation import variants_of
from sgdlab.comparison.spaces import scientific_of, space_of_optimizer
from sgdlab.comparison.workloads import Workload
from sgdlab.config.catalogue import suggest_member
from sgdlab.errors import InputError, suggest
from sgdlab.results import DEFAULTS
from sgdlab.search import Space, Value
from sgdlab.search.halving import SETTINGS as HALVING
from sgdlab.sweeps.jobs import QuickLoader

SEARCH_SETTINGS = (*HALVING, "method", "batch", "recentre", "scientific")
"""Keys of ``search`` that are no optimizers."""


@dataclass(frozen=True, eq=False)
class Contender:
    """What is compared: an optimizer, with one value of each scientific parameter.

    Attributes:
        name: The optimizer, followed by the scientific parameters: ``adamw schedule=cosine``.
        optimizer: The name of the optimizer.
        scientific: The value of each scientific parameter.
        space: The nuisance parameters, which every search tunes, and those that are fixed.
        own_spaces: Those of the workloads that have bounds of their own, by their names.
    """

    name: str
    optimizer: str
    scientific: Mapping[str, Value]
    space: Space
    own_spaces: Mapping[str, Space]


@dataclass(frozen=True)
class SearchId:
    """Which search of a comparison a run belongs to, as a trial or as a final run.

    Attributes:
        workload: Where it is.
        contender: What it tunes.
        replicate: Its number.
        split_seed: The seed of the split of its replicate, the same for all contenders; None: of
            all replicates.
    """

    workload: Workload
    contender: Contender
    replicate: int
    split_seed: int | None = None

    @property
    def space(self) -> Space:
        """What it tunes, and what is fixed."""
        return self.contender.own_spaces.get(self.workload.name, self.contender.space)

    @property
    def name(self) -> str:
        """The contender, as lines for a person call it."""
        prefix = f"{self.workload.title}: " if self.workload.overrides else ""
        return f"{prefix}{self.contender.name}"


@dataclass(frozen=True)
class Seeds:
    """Seeds of the runs: those of tuning and of final runs never meet, whatever the replicate.

    ``tuning(r) = first + r (S + 1)`` and ``final(r, k) = tuning(r) + 1 + k`` with ``S`` final seeds
    per replicate. They depend on no optimizer, so that the runs of all are paired.
    """

    first: int
    per_replicate: int

    def tuning(self, replicate: int) -> int:
        """Return the seed of the trials of a replicate, and of its search."""
        return self.first + replicate * (self.per_replicate + 1)

    def final(self, replicate: int) -> list[int]:
        """Return the seeds of the final runs of a replicate."""
        return [self.tuning(replicate) + 1 + k for k in range(self.per_replicate)]


def contenders_of(
    master: DictConfig, loader: QuickLoader, workloads: Sequence[Workload]
) -> list[Contender]:
    """Return the contenders of a comparison: every optimizer, with all scientific parameters.

    Args:
        master: The config of the comparison.
        loader: Reads search spaces.
        workloads: Where they are compared.

    Raises:
        InputError: A name, a search space or a scientific parameter cannot be used.
    """
    names = [str(name) for name in master.optimizers]
    if not names or len(set(names)) < len(names):
        raise InputError(f"optimizers={names}: name each optimizer once, at least one")
    for name in set(map(str, master.search)) - {*names, *SEARCH_SETTINGS}:
        offered = suggest(name, {*names, *SEARCH_SETTINGS})
        raise InputError(f"search.{name}: not one of the optimizers; {offered}")
    known = loader.get_group_options("optimizer")
    for name in names:
        if name in SEARCH_SETTINGS:
            raise InputError(f"optimizers={name}: search.{name} is a setting; rename the optimizer")
        if name not in known:
            offered = suggest_member("optimizer", name, known=known)
            raise InputError(f"optimizers={name}: no such optimizer; {offered}")
    scientific = scientific_of(master)
    spaces = {name: space_of_optimizer(master, loader, name) for name in names}
    own = {
        name: {
            workload.name: space_of_optimizer(master, loader, name, workload)
            for workload in workloads
            if name in workload.search
        }
        for name in names
    }
    if master.get("ablation") is not None:
        return _variants(master, loader, spaces, own)
    return [
        _contender(name, dict(zip(scientific, values, strict=True)), space, own[name])
        for name, space in spaces.items()
        for values in product(*scientific.values())
    ]


def _variants(
    master: DictConfig,
    loader: QuickLoader,
    spaces: Mapping[str, Space],
    own: Mapping[str, Mapping[str, Space]],
) -> list[Contender]:
    """Return the variants of a recipe, in the place of the optimizer as it is."""
    if len(spaces) != 1 or scientific_of(master):
        raise InputError("ablation: is of one optimizer, without search.scientific")
    ((optimizer, space),) = spaces.items()
    tuned = {dimension.key for dimension in space.dimensions} if "tuned" in master.tracks else ()
    return [
        Contender(
            name,
            optimizer,
            changed,
            _without(space, changed),
            {where: _without(one, changed) for where, one in own[optimizer].items()},
        )
        for name, changed in variants_of(master, loader, tuned).items()
    ]


def _contender(
    optimizer: str, scientific: Mapping[str, Value], space: Space, own: Mapping[str, Space]
) -> Contender:
    label = " ".join([optimizer, *(f"{key}={_text(value)}" for key, value in scientific.items())])
    return Contender(
        label,
        optimizer,
        scientific,
        _without(space, scientific),
        {name: _without(one, scientific) for name, one in own.items()},
    )


def _without(space: Space, scientific: Mapping[str, Value]) -> Space:
    return Space(
        [d for d in space.dimensions if d.key not in scientific],
        {key: value for key, value in space.fixed.items() if key not in scientific},
    )


def overrides_of(
    search_id: SearchId, settings: Mapping[str, Value], study: str, phase: str, seed: int,
    **labels: Value,
) -> list[str]:  # fmt: skip
    """Return the overrides of one run of a comparison.

    Args:
        search_id: The search that the run belongs to.
        settings: The values of the nuisance parameters.
        study: The name of the comparison.
        phase: The phase: ``tune``, ``final``, ``defaults`` or ``pilot``.
        seed: The seed of the run.
        labels: The values of further keys, such as ``trial``.
    """
    contender = search_id.contender
    values: dict[str, Value] = {
        **search_id.workload.overrides,
        "optimizer": contender.optimizer,
        **{k: v for k, v in search_id.space.fixed.items() if phase != DEFAULTS or not _own(k)},
        **contender.scientific,
        **settings,
        "seed": seed,
        **({} if search_id.split_seed is None else {"split.seed": search_id.split_seed}),
        "study": study,
        "phase": phase,
        "replicate": search_id.replicate,
        **labels,
        "contender": contender.name,
    }
    return [f"{key}={_text(value)}" for key, value in values.items()]


def default_jobs(master: DictConfig, search_ids: Sequence[SearchId]) -> list[list[str]]:
    """Return the overrides of the runs of the track of defaults, in the order of the searches.

    Args:
        master: The config of the comparison.
        search_ids: The searches whose final seeds they have.
    """
    seeds = Seeds(master.seed, master.seeds)
    return [
        overrides_of(search_id, {}, master.study, DEFAULTS, seed, evaluate_test=True)
        for search_id in search_ids
        for seed in seeds.final(search_id.replicate)
    ]


def _own(key: str) -> bool:
    """Whether a setting is one of those that the track of defaults takes from the optimizer."""
    return key == "lr" or key.startswith("optimizer.")


def _text(value: Value) -> str:
    """Return a value as an override writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, str) and not re.fullmatch(r"[\w./+-]+", value):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return str(value)
