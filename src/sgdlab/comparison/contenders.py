"""What a comparison compares, where, and how often: contenders, workloads, searches, and runs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from omegaconf import DictConfig

from sgdlab.comparison.spaces import scientific_of, space_of_optimizer
from sgdlab.errors import InputError, suggest
from sgdlab.results import DEFAULTS
from sgdlab.search import Space, Value
from sgdlab.search.halving import SETTINGS as HALVING
from sgdlab.sweep.jobs import QuickLoader

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
    """

    name: str
    optimizer: str
    scientific: Mapping[str, Value]
    space: Space


@dataclass(frozen=True, eq=False)
class Workload:
    """A dataset and a model; ``groups`` is empty for those of the command line."""

    name: str
    groups: Mapping[str, str]


@dataclass(frozen=True)
class SearchId:
    """Which search of a comparison a run belongs to, as a trial or as a final run."""

    workload: Workload
    contender: Contender
    replicate: int

    @property
    def name(self) -> str:
        """The contender, as lines for a person call it."""
        prefix = f"{self.workload.name}: " if self.workload.groups else ""
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


def search_ids_of(
    workloads: Sequence[Workload], contenders: Sequence[Contender], replicates: int
) -> list[SearchId]:
    """Return every search of a comparison."""
    return [SearchId(*each) for each in product(workloads, contenders, range(replicates))]


def workloads_of(master: DictConfig, loader: QuickLoader) -> list[Workload]:
    """Return the workloads of a comparison.

    Raises:
        InputError: One is no ``dataset/model``, or ``dataset`` or ``model`` is set, too.
    """
    if master.workloads is None:
        choices = master.hydra.runtime.choices
        return [Workload(f"{choices.dataset}/{choices.model}", {})]
    names = [str(name) for name in master.workloads]
    if not names or len(set(names)) < len(names):
        raise InputError(f"workloads={names}: name each dataset/model once, at least one")
    for override in master.hydra.overrides.task:
        key = override.partition("=")[0].lstrip("+~")
        if key in ("dataset", "model"):
            raise InputError(f"{override}: workloads={names} says which; leave one of the two out")
    found: list[Workload] = []
    for name in names:
        dataset, slash, model = name.partition("/")
        if not slash:
            raise InputError(f"workloads=[{name}]: write dataset/model, such as digits/mlp")
        groups = {"dataset": dataset, "model": model}
        for group, member in groups.items():
            known = loader.get_group_options(group)
            if member not in known:
                raise InputError(f"workloads=[{name}]: no such {group}; {suggest(member, known)}")
        found.append(Workload(name, groups))
    return found


def contenders_of(master: DictConfig, loader: QuickLoader) -> list[Contender]:
    """Return the contenders of a comparison: every optimizer, with all scientific parameters.

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
            raise InputError(f"optimizers={name}: no such optimizer; {suggest(name, known)}")
    scientific = scientific_of(master)
    spaces = {name: space_of_optimizer(master, loader, name) for name in names}
    return [
        _contender(name, dict(zip(scientific, values, strict=True)), space)
        for name, space in spaces.items()
        for values in product(*scientific.values())
    ]


def _contender(optimizer: str, scientific: Mapping[str, Value], space: Space) -> Contender:
    label = " ".join([optimizer, *(f"{key}={_text(value)}" for key, value in scientific.items())])
    return Contender(
        label,
        optimizer,
        scientific,
        Space(
            [d for d in space.dimensions if d.key not in scientific],
            {key: value for key, value in space.fixed.items() if key not in scientific},
        ),
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
        **search_id.workload.groups,
        "optimizer": contender.optimizer,
        **{k: v for k, v in contender.space.fixed.items() if phase != DEFAULTS or not _own(k)},
        **contender.scientific,
        **settings,
        "seed": seed,
        "study": study,
        "phase": phase,
        "replicate": search_id.replicate,
        **labels,
        "contender": contender.name,
    }
    return [f"{key}={_text(value)}" for key, value in values.items()]


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
