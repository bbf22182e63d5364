"""The config of a run, typed: what Hydra composes against, and what a resolved run is.

Hydra checks types and unknown root keys against these classes while it composes;
`sgdlab.config.resolve.validate` checks the values. The sections of the groups (``model``,
``optimizer``, …) are open: there the signature of the ``_target_`` is the schema, and
`sgdlab.training.build` checks it by building.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

from sgdlab.config.sections import (
    AugmentConfig,
    CheckpointConfig,
    DecayConfig,
    DistributedConfig,
    EvalConfig,
    LimitsConfig,
    LocalSgdConfig,
    ReadOnly,
    SplitConfig,
    StackedConfig,
    StalenessConfig,
    StandardizeConfig,
    StopConfig,
)

RERUN, REFUSE, KEEP = "rerun", "refuse", "keep"
"""What ``stale`` may say of a run that was made from other data, code or files."""

PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
"""What ``precision`` may be."""

BACKENDS, COMPRESSIONS = ("auto", "gloo", "nccl"), ("none", "fp16", "bf16", "powersgd")
"""What ``distributed.backend`` and ``distributed.compression`` may be."""

ALGORITHMS = (SYNC, LOCAL, POST_LOCAL, ASYNC) = "sync", "local_sgd", "post_local_sgd", "async"
"""What ``distributed.algorithm`` may be."""

STRATEGIES = (DDP, FSDP) = "ddp", "fsdp"
"""What ``distributed.strategy`` may be."""

UNITS = ("steps", "epochs", "seconds")
"""What ``checkpoint.every`` may count."""

GROUPS = (
    "dataset", "model", "loss", "metric", "optimizer", "schedule", "scaling", "average",
    "diagnostics",
)  # fmt: skip
"""Config groups of a run: one folder each in ``conf/``, one file per choice."""

NAMED = (*GROUPS, "experiment")
"""Groups whose choice a run records; an experiment is settings of others, kept under one name."""


@dataclass
class RunConfig(ReadOnly):
    """One run, read only once it is resolved; keys and values are those of ``conf/train.yaml``."""

    dataset: dict[str, Any]
    model: dict[str, Any]
    loss: dict[str, Any]
    metric: dict[str, Any]
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
    clip_value: float | None
    half_life_tokens: float | None
    zero_grad: bool
    seed: int
    device: str
    precision: str
    channels_last: bool
    # true, false or auto.
    compile: Any
    dtype: str
    task: str
    layout: str
    standardize: StandardizeConfig
    last_batch: str
    threads: int | None
    split: SplitConfig
    augment: AugmentConfig
    eval: EvalConfig
    decay: DecayConfig
    lr_multipliers: Any
    weights: str | None
    # Any, not lists: OmegaConf would say no more than their type.
    weights_skip: Any
    freeze: Any
    parametrization: str
    staleness: StalenessConfig
    local_sgd: LocalSgdConfig
    distributed: DistributedConfig
    limits: LimitsConfig
    stop: StopConfig
    # Any: names, each with a _target_ and its settings.
    callbacks: Any
    checkpoint: CheckpointConfig
    engine: str
    stacked: StackedConfig
    evaluate_test: bool
    save_final: bool
    isolate: bool
    resume: bool
    stale: str
    lock: str
    continue_from: str | None
    study: str | None
    phase: str | None
    trial: int | None
    replicate: int | None
    contender: str | None
    import_from: list[str]
    # Any: null, or what a lesson is made of.
    lesson: Any
    names: dict[str, str]
    relative_paths: dict[str, str]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "RunConfig":
        """Return the config that a plain container holds; its group sections are shared."""
        made = {name: plain[name] for name in _ROOT}
        made |= {name: section(**plain[name]) for name, section in SECTIONS.items()}
        return cls(**made)

    def plain(self) -> dict[str, Any]:
        """Return the config as nested dictionaries, to be read and not changed."""
        return {key: vars(value) if key in SECTIONS else value for key, value in vars(self).items()}


@dataclass
class WatchedConfig(RunConfig):
    """A run's config as it is composed: with where else the run is sent, which is no part of it."""

    # Any: by name, the sections of trackers.
    logger: Any = field(default_factory=dict[str, Any])


@dataclass(kw_only=True)
class CompareConfig(WatchedConfig):
    """A comparison: a run's config, what is compared, and the budget of each optimizer."""

    optimizers: list[str]
    # Any: null, a list of names and of names with settings, or the name of such a list.
    workloads: Any
    tracks: list[str]
    # Any: a whole number, or auto.
    replicates: Any
    max_replicates: int
    trials: int
    seconds: float | None
    seeds: int
    select_by: str
    # Any: a number, or the name of what gives it.
    target: Any
    # Any: a number, null or auto.
    margin: Any
    search: dict[str, Any]
    # Any: null, or what `sgdlab.comparison.ablation` reads.
    ablation: Any = None
    axes: dict[str, Any] = field(default_factory=dict[str, Any])
    axes_design: str = "one_at_a_time"


_ROOT = tuple(own.name for own in fields(RunConfig))
SECTIONS: dict[str, type[ReadOnly]] = {
    name: hint
    for name, hint in get_type_hints(RunConfig).items()
    if isinstance(hint, type) and issubclass(hint, ReadOnly)
}
"""The sections whose keys are fixed, and their types."""

WATCHING = "logger"
"""The root key that says where else runs are sent: no part of a run, a study or their ids."""

COMPARE_ONLY = tuple(
    key.name for key in fields(CompareConfig) if key.name not in (*_ROOT, WATCHING)
)
"""Root keys of a comparison that its runs do not have."""

LATER_OF_COMPARISONS: dict[str, Any] = {"axes": {}, "axes_design": "one_at_a_time"}
"""Those that came after comparisons had been made, with the value that those had."""
