"""Whether the settings of a run of several processes are possible, and go together."""

from sgdlab.checks import require_flag, require_number, require_one_of, require_whole
from sgdlab.config.schema import (
    ALGORITHMS,
    ASYNC,
    BACKENDS,
    COMPRESSIONS,
    DDP,
    FSDP,
    LOCAL,
    POST_LOCAL,
    STRATEGIES,
    SYNC,
    RunConfig,
)
from sgdlab.errors import InputError


def validate_distributed(config: RunConfig) -> None:
    """Refuse impossible values of ``distributed``, and what does not go with several processes.

    Raises:
        InputError: A value is impossible; the line names it and what would be right.
    """
    own = config.distributed
    require_one_of("distributed.algorithm", own.algorithm, ALGORITHMS)
    require_one_of("distributed.strategy", own.strategy, STRATEGIES)
    require_one_of("distributed.backend", own.backend, BACKENDS)
    require_one_of("distributed.compression", own.compression, COMPRESSIONS)
    require_whole("distributed.powersgd_rank", own.powersgd_rank)
    require_flag("distributed.sync_batchnorm", own.sync_batchnorm)
    require_number("distributed.timeout", own.timeout, 5)
    if own.max_staleness is not None:
        require_whole("distributed.max_staleness", own.max_staleness, 0, of="of updates")
        if own.algorithm != ASYNC:
            raise InputError(
                f"distributed.max_staleness={own.max_staleness}: of gradients that come late, with "
                "distributed.algorithm=async; leave it null"
            )
    if (own.world_size or 1) == 1:
        _refuse_alone(config)
        return
    for key, value, plain in (
        ("engine", config.engine, ("auto", "sequential")),
        ("isolate", config.isolate, (False,)),
        ("lesson", config.lesson, (None,)),
        ("zero_grad", config.zero_grad, (True,)),
        ("staleness.delay", config.staleness.delay, (0,)),
        ("local_sgd.workers", config.local_sgd.workers, (1,)),
    ):
        if value not in plain:
            shown = str(value).lower() if isinstance(value, bool) else value
            raise InputError(
                f"{key}={shown}: not with the {own.world_size} processes of torchrun, which train "
                "one run together; type it without torchrun"
            )
    _refuse_together(config)
    _refuse_local_sgd(config)


def _refuse_alone(config: RunConfig) -> None:
    own = config.distributed
    instead = {
        LOCAL: "local_sgd.workers=4 simulates four in one process",
        POST_LOCAL: "local_sgd.workers=4 local_sgd.start=100 simulates four in one process",
        ASYNC: "staleness.delay=3 simulates four workers in one process",
    }
    for key, value, plain in (
        ("algorithm", own.algorithm, SYNC),
        ("strategy", own.strategy, DDP),
    ):
        if value != plain:
            line = f"distributed.{key}={value}: of several processes, and this is one"
            hint = instead.get(value, f"distributed.{key}={plain} is that of one")
            raise InputError(
                f"{line}; torchrun --nproc-per-node=2 -m sgdlab train … starts two, {hint}"
            )


def _refuse_together(config: RunConfig) -> None:
    """Refuse ways of training together that are not made for each other."""
    own = config.distributed
    compressed, sharded = own.compression != "none", own.strategy == FSDP
    if own.algorithm != SYNC and compressed:
        raise InputError(
            f"distributed.compression={own.compression}: rounds the gradients of "
            f"distributed.algorithm=sync, and this is {own.algorithm}; compression=none"
        )
    if sharded and (compressed or own.algorithm != SYNC):
        key, plain = ("compression", "none") if compressed else ("algorithm", SYNC)
        raise InputError(
            f"distributed.strategy=fsdp: gradients are summed as they are, in every step; not with "
            f"distributed.{key}={getattr(own, key)}, but with {key}={plain}"
        )
    if sharded and config.names.get("average", "none") != "none":
        raise InputError(
            f"distributed.strategy=fsdp: no process has the whole weights in every step, which "
            f"average={config.names['average']} asks for; average=none, or strategy=ddp"
        )
    if sharded and config.precision == "fp16":
        raise InputError(
            "distributed.strategy=fsdp: not with precision=fp16, whose gradients are scaled; "
            "precision=bf16 needs no such thing"
        )
    if sharded and config.compile is True:
        raise InputError(
            "distributed.strategy=fsdp: weights in parts are not compiled; compile=auto"
        )
    if config.staleness.correct_lr and own.algorithm != ASYNC:
        raise InputError(
            f"staleness.correct_lr=true: of gradients that come late, and distributed.algorithm="
            f"{own.algorithm} has none; distributed.algorithm=async"
        )


def _refuse_local_sgd(config: RunConfig) -> None:
    """Refuse settings of local SGD that its algorithm, or another one, does not read."""
    own, local = config.distributed.algorithm, config.local_sgd
    if own in (SYNC, ASYNC) and (local.steps > 1 or local.start):
        key = "steps" if local.steps > 1 else "start"
        raise InputError(
            f"local_sgd.{key}={getattr(local, key)}: counts with distributed.algorithm="
            f"{LOCAL if key == 'steps' else POST_LOCAL}, and this is {own}"
        )
    if own == LOCAL and local.start:
        raise InputError(
            f"local_sgd.start={local.start}: synchronous steps first are "
            f"distributed.algorithm={POST_LOCAL}"
        )
    if own == POST_LOCAL and not local.start:
        raise InputError(
            f"distributed.algorithm={POST_LOCAL}: for how many steps first? local_sgd.start=100; "
            f"distributed.algorithm={LOCAL} begins without"
        )
