"""Where the processes of one run meet, before any of them leaves a file."""

import contextlib
import dataclasses
import datetime
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from sgdlab import signals
from sgdlab.config.schema import ASYNC, FSDP, LOCAL, POST_LOCAL, RunConfig
from sgdlab.config.torchrun import launch, restarts
from sgdlab.errors import InputError, one_line
from sgdlab.results import as_written, flatten
from sgdlab.steps import synced_norm
from sgdlab.steps.ranks import Ranks
from sgdlab.steps.reduction import Reduction
from sgdlab.steps.server import ServerUpdate
from sgdlab.terminal.notices import warn
from sgdlab.training.build import Run
from sgdlab.training.device import device_of
from sgdlab.training.evidence import Evidence, evidence_of
from sgdlab.training.heartbeat import Heartbeat
from sgdlab.training.sharding import refuse_few, shard

_MEETING = datetime.timedelta(minutes=10)
# Collectives end by what the heartbeat finds; one process may well evaluate for hours.
_LONGEST = datetime.timedelta(days=7)
_PLACES = ("import_from", "relative_paths", "names")


class Meeting:
    """The processes of a run, connected; see `joined`.

    Attributes:
        ranks: What carries numbers and gradients.
    """

    def __init__(self, ranks: Ranks, heartbeat: Heartbeat) -> None:
        self.ranks, self._heartbeat = ranks, heartbeat

    @contextlib.contextmanager
    def in_agreement(self) -> Iterator[None]:
        """Refuse in every process what one refuses in the block.

        Raises:
            InputError: Names the process, where it is not the first.
        """
        found: str | None = None
        try:
            yield
        except InputError as error:
            found = str(error)
        for rank, line in enumerate(self.ranks.gather(found)):
            if line is not None:
                raise InputError(line if rank == 0 else f"rank {rank}: {line}")

    def compare(self, run: Run) -> None:
        """Refuse processes that are not about to make the same run.

        Raises:
            InputError: Names the process, and what is other there.
        """
        config = run.config
        evidence = evidence_of(config, run.data.fingerprint, run.model)
        own = _settings(config), dataclasses.asdict(evidence), _hash_of(run.model)
        first = Evidence(**self.ranks.broadcast(own[1]))
        every = self.ranks.gather((*own, evidence.changes(first)))
        settings, known, weights, _ = every[0]
        for rank, (own_settings, own_known, own_weights, changes) in enumerate(every):
            for key in dict.fromkeys([*settings, *own_settings]):
                if settings.get(key) != own_settings.get(key):
                    raise InputError(
                        f"rank {rank} has {key}={own_settings.get(key)}, rank 0 has "
                        f"{settings.get(key)}: all processes of a run are started alike"
                    )
            for name, version in known["versions"].items():
                if own_known["versions"].get(name) != version:
                    raise InputError(
                        f"rank {rank} has {name} {own_known['versions'].get(name)}, rank 0 has "
                        f"{version}: one run needs the same on every machine"
                    )
            if changes:
                raise InputError(f"rank {rank} has {', '.join(changes)}, against rank 0")
            if weights != own_weights:
                raise InputError(
                    f"rank {rank} starts from other weights than rank 0: what makes them does not "
                    "follow the seed"
                )

    def attach(self, run: Run) -> None:
        """Let a run be trained by all processes together.

        Raises:
            InputError: It cannot be, exactly.
        """
        if run.config.callbacks:
            raise InputError(
                "callbacks: they are called in one process; train without torchrun, or without them"
            )
        run.objective.ranks = run.ranks = self.ranks
        if isinstance(run.update, ServerUpdate):
            self.ranks.lockstep = False
            if self.ranks.rank:
                run.objective.ranks = run.averager = None
            else:
                run.update.total, self.ranks.end = run.total_steps, run.update.end
            return
        if run.config.distributed.algorithm in (LOCAL, POST_LOCAL):
            if self.ranks.rank:
                run.diagnostics.recorder = None
            return  # batch norm has the statistics of each worker, as simulated ones do
        norms = [m for m in run.model.modules() if isinstance(m, synced_norm.BatchNorm)]
        if norms and run.config.distributed.sync_batchnorm:
            what = f"batch norm over {self.ranks.size} processes"
            refuse_few(run.plan.sizes, self.ranks.size, what)
            synced_norm.synchronise(run.model)
        elif norms and self.ranks.rank == 0:
            warn(
                "distributed.sync_batchnorm=false: statistics of batch norm are those of each "
                "process's part, so the gradient is not exactly that of the one large batch"
            )
        if run.config.distributed.strategy == FSDP:
            self.ranks = shard(run, self.ranks)
        if self.ranks.rank:
            run.averager = run.diagnostics.recorder = None  # rank 0 keeps and measures them

    def release(self) -> None:
        """Let the other processes go, where rank 0 has found the run finished."""
        if not self.ranks.begun:
            self.ranks.broadcast({})


@contextlib.contextmanager
def joined(config: RunConfig) -> Iterator[Meeting | None]:
    """Meet the other processes of a run, for the block; None: there are none.

    Raises:
        InputError: They cannot be reached, or the devices do not fit.
    """
    own = launch()
    if own is None or config.distributed.world_size is None:
        yield None
        return
    try:
        shared, rank, size = next(iter(rendezvous("env://", timeout=_MEETING)))
        # One store may serve several starts, and has the addresses of the last one's processes.
        store: Any = PrefixStore(f"sgdlab/{restarts()}", shared)
        _wait_for(store, rank, size)
        heartbeat = Heartbeat(store.clone(), rank, size, config.distributed.timeout)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=_LONGEST)
        control: Any = dist.new_group(backend="gloo", timeout=_LONGEST)
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"rendezvous of torchrun: {one_line(error)}") from error
    heartbeat.start()
    try:
        meeting = Meeting(Ranks(control, control, Reduction(control), heartbeat.lost), heartbeat)
        with meeting.in_agreement():
            backend = backend_of(config, device_of(config))
        data: Any = (
            control if backend == "gloo" else dist.new_group(backend=backend, timeout=_LONGEST)
        )
        how = config.distributed
        reduction = Reduction(data, how.compression, how.powersgd_rank)
        meeting.ranks = Ranks(control, data, reduction, heartbeat.lost)
        yield meeting
    except (Exception, signals.Lost) as error:
        if not isinstance(error, InputError | signals.Lost):
            heartbeat.failed(one_line(error) or type(error).__name__)
        raise
    finally:
        heartbeat.end()
    dist.destroy_process_group()


def _wait_for(store: Store, rank: int, size: int) -> None:
    """Wait until all processes are there; unlike a wait of the store, for a signal, too."""
    store.set(f"here/{rank}", "1")
    keys, end = [f"here/{other}" for other in range(size)], time.monotonic() + _MEETING.seconds
    while not store.check(keys):
        if time.monotonic() > end:
            raise RuntimeError(f"not all {size} processes came within {_MEETING.seconds} s")
        time.sleep(0.05)


def backend_of(config: RunConfig, device: torch.device) -> str:
    """Return what carries gradients between the devices.

    Raises:
        InputError: It cannot.
    """
    asked = config.distributed.backend
    if device.type == "cpu":
        if asked == "nccl":
            raise InputError(
                "distributed.backend=nccl: carries tensors between GPUs, and this run is on the "
                "CPU; use distributed.backend=gloo, or auto"
            )
        return "gloo"
    how = config.distributed
    if asked == "gloo" and (how.algorithm == ASYNC or how.strategy == FSDP):
        what = "strategy=fsdp" if how.strategy == FSDP else "algorithm=async"
        raise InputError(
            f"distributed.backend=gloo: has no messages between GPUs of the kind that "
            f"distributed.{what} sends; use distributed.backend=nccl, or auto"
        )
    torch.cuda.set_device(device)
    return "nccl" if asked == "auto" else asked


def _settings(config: RunConfig) -> dict[str, Any]:
    """Return the flat config without what may lie elsewhere on another machine."""
    written = config.relative_paths
    plain = {k: v for k, v in config.plain().items() if k not in _PLACES}
    flat = flatten({key: as_written(value, key, written) for key, value in plain.items()})
    return flat


def _hash_of(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
