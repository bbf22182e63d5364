"""Typed schema of the root sections of a config.

Hydra checks types and unknown root keys against these classes while it composes;
`sgdlab.config.resolve.validate` checks the values. The sections of the groups (``model``,
``optimizer``, …) are open: there the signature of the ``_target_`` is the schema, and
`sgdlab.training.build` checks it by building.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

GROUPS = ("dataset", "model", "loss", "optimizer", "schedule", "scaling", "average", "diagnostics")
"""Config groups of a run: one folder each in ``conf/``, one file per choice."""


@dataclass
class SplitConfig:
    """How the data are split; apart from ``seed``, so that every run sees the same splits."""

    seed: int = MISSING
    val: float = MISSING
    test: float = MISSING


@dataclass
class EvalConfig:
    """When the whole training and validation splits are evaluated."""

    every: int = MISSING
    batch_size: int = MISSING


@dataclass
class DecayConfig:
    """Which parameters ``weight_decay`` applies to, and how."""

    bias_and_norm: bool = MISSING
    mode: str | None = MISSING
    # Any, not a dict: OmegaConf refuses new keys in a typed one on the command line.
    multipliers: Any = MISSING


@dataclass
class StalenessConfig:
    """Simulated asynchronous SGD: the age of applied gradients, in updates."""

    delay: int = MISSING
    random: bool = MISSING
    correct_lr: bool = MISSING


@dataclass
class LocalSgdConfig:
    """Simulated local SGD: workers, and the steps between two averages."""

    workers: int = MISSING
    steps: int = MISSING


@dataclass
class LimitsConfig:
    """When a run counts as diverged."""

    loss_factor: float | None = MISSING


@dataclass
class CheckpointConfig:
    """How often a run saves what it needs to go on after a kill."""

    every: int | None = MISSING


@dataclass
class StackedConfig:
    """How many runs are trained at once."""

    # Any: bytes as a number, or as text with a unit.
    max_memory: Any = MISSING
    # true, false or auto.
    compile: Any = MISSING


@dataclass
class TrainConfig:
    """One run. Values and their meaning stand in ``conf/train.yaml``."""

    dataset: dict[str, Any] = MISSING
    model: dict[str, Any] = MISSING
    loss: dict[str, Any] = MISSING
    optimizer: dict[str, Any] = MISSING
    schedule: dict[str, Any] = MISSING
    scaling: dict[str, Any] = MISSING
    average: dict[str, Any] = MISSING
    diagnostics: dict[str, Any] = MISSING
    lr: float | None = MISSING
    batch_size: Any = MISSING
    accumulate: int = MISSING
    epochs: int = MISSING
    max_steps: int | None = MISSING
    clip_norm: float | None = MISSING
    zero_grad: bool = MISSING
    seed: int = MISSING
    device: str = MISSING
    precision: str = MISSING
    dtype: str = MISSING
    threads: int | None = MISSING
    split: SplitConfig = field(default_factory=SplitConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    decay: DecayConfig = field(default_factory=DecayConfig)
    lr_multipliers: Any = MISSING
    parametrization: str = MISSING
    staleness: StalenessConfig = field(default_factory=StalenessConfig)
    local_sgd: LocalSgdConfig = field(default_factory=LocalSgdConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    engine: str = MISSING
    stacked: StackedConfig = field(default_factory=StackedConfig)
    evaluate_test: bool = MISSING
    resume: bool = MISSING
    study: str | None = MISSING
    phase: str | None = MISSING
    trial: int | None = MISSING
    replicate: int | None = MISSING
    contender: str | None = MISSING
    import_from: list[str] = MISSING
    # Any: null, or what a lesson is made of.
    lesson: Any = MISSING
    names: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class CompareConfig(TrainConfig):
    """A comparison: a run's config, what is compared, and the budget of each optimizer."""

    optimizers: list[str] = MISSING
    workloads: list[str] | None = MISSING
    tracks: list[str] = MISSING
    replicates: int = MISSING
    trials: int = MISSING
    seconds: float | None = MISSING
    seeds: int = MISSING
    select_by: str = MISSING
    # Any: a number, or the name of what gives it.
    target: Any = MISSING
    # Any: a number, null or auto.
    margin: Any = MISSING
    search: dict[str, Any] = MISSING


COMPARE_ONLY = (
    "optimizers", "workloads", "tracks", "replicates", "trials", "seconds", "seeds", "select_by",
    "target", "margin", "search",
)  # fmt: skip
"""Root keys of a comparison that its runs do not have."""


def _register() -> None:
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="compare_schema", node=CompareConfig)


# On import, so that the worker of a launcher knows the schemas, too.
_register()
