"""The sections of a run's config whose keys are fixed, typed."""

from dataclasses import dataclass
from typing import Any


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
    vary: bool
    val: float
    test: float
    by: str


@dataclass
class StandardizeConfig(ReadOnly):
    """What of the data is standardised by the training split."""

    inputs: bool
    # true, false or auto.
    targets: Any


@dataclass
class AugmentConfig(ReadOnly):
    """How training batches are changed at random; see `sgdlab.augmentation`."""

    crop: int
    flip: float
    cutout: int
    mixup: float


@dataclass
class EvalConfig(ReadOnly):
    """When the whole training and validation splits are evaluated."""

    every: int
    batch_size: int


@dataclass
class DecayConfig(ReadOnly):
    """Which parameters ``weight_decay`` applies to, and how."""

    bias_and_norm: bool
    embeddings: bool
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
    """Local SGD: simulated workers, steps between two averages, synchronous steps before."""

    workers: int
    steps: int
    start: int


@dataclass
class DistributedConfig(ReadOnly):
    """One run by several processes that torchrun has started; see `sgdlab.steps.ranks`."""

    world_size: int | None
    algorithm: str
    max_staleness: int | None
    strategy: str
    backend: str
    compression: str
    powersgd_rank: int
    sync_batchnorm: bool
    timeout: float


@dataclass
class LimitsConfig(ReadOnly):
    """When a run counts as diverged, and when it has failed: the last two change no result."""

    loss_factor: float | None
    seconds: float | None
    # Any: bytes as a number, or as text with a unit.
    memory: Any


@dataclass
class StopConfig(ReadOnly):
    """When a run ends before its last step; see `sgdlab.training.stopping`."""

    metric: str
    patience: int | None
    min_delta: float


@dataclass
class CheckpointConfig(ReadOnly):
    """How often a run saves what it needs to go on after a kill."""

    every: int | None
    unit: str
    final: bool


@dataclass
class StackedConfig(ReadOnly):
    """How many runs are trained at once."""

    # Any: bytes as a number, or as text with a unit.
    max_memory: Any
    # true, false or auto.
    compile: Any
