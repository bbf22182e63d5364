"""The config of a run, typed: what Hydra composes against, and what a resolved run is.

Hydra checks types and unknown root keys against these classes while it composes;
`sgdlab.config.resolve.validate` checks the values. The sections of the groups (``model``,
``optimizer``, …) are open: there the signature of the ``_target_`` is the schema, and
`sgdlab.training.build` checks it by building.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

GROUPS = ("dataset", "model", "loss", "optimizer", "schedule", "scaling", "average", "diagnostics")
"""Config groups of a run: one folder each in ``conf/``, one file per choice."""


class ReadOnly:
    """A section whose values are set once: a resolved config does not change."""

    def __setattr__(self, key: str, value: Any) -> None:
        if key in self.__dict__:
            raise AttributeError(f"{key}: a resolved config is read only")
        super().__setattr__(key, value)


@dataclass
class SplitConfig(ReadOnly):
    """How the data are split; apart from ``seed``, so that every run sees the same splits."""

    seed: int
    val: float
    test: float


@dataclass
class EvalConfig(ReadOnly):
    """When the whole training and validation splits are evaluated."""

    every: int
    batch_size: int


@dataclass
class DecayConfig(ReadOnly):
    """Which parameters ``weight_decay`` applies to, and how."""

    bias_and_norm: bool
    mode: str | None
    # Any, not a dict: OmegaConf refuses new keys in a typed one on the command line.
    multipliers: Any


@dataclass
class StalenessConfig(ReadOnly):
    """Simulated asynchronous SGD: the age of applied gradients, in updates."""

    delay: int
    random: bool
    correct_lr: bool


@dataclass
class LocalSgdConfig(ReadOnly):
    """Simulated local SGD: workers, and the steps between two averages."""

    workers: int
    steps: int


@dataclass
class LimitsConfig(ReadOnly):
    """When a run counts as diverged."""

    loss_factor: float | None


@dataclass
class CheckpointConfig(ReadOnly):
    """How often a run saves what it needs to go on after a kill."""

    every: int | None


@dataclass
class StackedConfig(ReadOnly):
    """How many runs are trained at once."""

    # Any: bytes as a number, or as text with a unit.
    max_memory: Any
    # true, false or auto.
    compile: Any


@dataclass
class RunConfig(ReadOnly):
    """One run, read only once it is resolved; keys and values are those of ``conf/train.yaml``."""

    dataset: dict[str, Any]
    model: dict[str, Any]
    loss: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    scaling: dict[str, Any]
    average: dict[str, Any]
    diagnostics: dict[str, Any]
    lr: float | None
    batch_size: Any
    accumulate: int
    epochs: int
    max_steps: int | None
    clip_norm: float | None
    zero_grad: bool
    seed: int
    device: str
    precision: str
    dtype: str
    threads: int | None
    split: SplitConfig
    eval: EvalConfig
    decay: DecayConfig
    lr_multipliers: Any
    parametrization: str
    staleness: StalenessConfig
    local_sgd: LocalSgdConfig
    limits: LimitsConfig
    checkpoint: CheckpointConfig
    engine: str
    stacked: StackedConfig
    evaluate_test: bool
    resume: bool
    study: str | None
    phase: str | None
    trial: int | None
    replicate: int | None
    contender: str | None
    import_from: list[str]
    # Any: null, or what a lesson is made of.
    lesson: Any
    names: dict[str, str]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "RunConfig":
        """Return the config that a plain container holds; its group sections are shared."""
        made = {name: plain[name] for name in _ROOT}
        made |= {name: section(**plain[name]) for name, section in _SECTIONS.items()}
        return cls(**made)

    def plain(self) -> dict[str, Any]:
        """Return the config as nested dictionaries, to be read and not changed."""
        return {
            key: vars(value) if key in _SECTIONS else value for key, value in vars(self).items()
        }


@dataclass
class CompareConfig(RunConfig):
    """A comparison: a run's config, what is compared, and the budget of each optimizer."""

    optimizers: list[str]
    workloads: list[str] | None
    tracks: list[str]
    replicates: int
    trials: int
    seconds: float | None
    seeds: int
    select_by: str
    # Any: a number, or the name of what gives it.
    target: Any
    # Any: a number, null or auto.
    margin: Any
    search: dict[str, Any]


_ROOT = tuple(field.name for field in fields(RunConfig))
_SECTIONS: dict[str, type[ReadOnly]] = {
    name: hint
    for name, hint in get_type_hints(RunConfig).items()
    if isinstance(hint, type) and issubclass(hint, ReadOnly)
}

COMPARE_ONLY = tuple(field.name for field in fields(CompareConfig) if field.name not in _ROOT)
"""Root keys of a comparison that its runs do not have."""
