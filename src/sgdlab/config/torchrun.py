"""What torchrun has told this process: which of how many it is, and where the others are."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sgdlab.errors import InputError

_RENDEZVOUS = ("RANK", "MASTER_ADDR", "MASTER_PORT")


class Launch(NamedTuple):
    """The place of this process among those of a run.

    Attributes:
        rank: Its number among all, from 0.
        world_size: How many there are.
        local_rank: Its number among those of its machine.
    """

    rank: int
    world_size: int
    local_rank: int


def launch(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """Return the place that torchrun has given this process; None: nobody has.

    Args:
        environment: The variables of the process.

    Raises:
        InputError: Some of the variables are missing, or no numbers.
    """
    said = environment.get("WORLD_SIZE")
    if said is None or ("RANK" not in environment and said == "1"):
        return None
    if missing := [name for name in _RENDEZVOUS if not environment.get(name)]:
        raise InputError(
            f"WORLD_SIZE={said} without {', '.join(missing)}: processes of one run are started by "
            "torchrun, which sets them; unset WORLD_SIZE for a run of one process"
        )
    texts = said, environment["RANK"], environment.get("LOCAL_RANK", environment["RANK"])
    if not all(text.isdigit() for text in texts) or not int(texts[1]) < int(said):
        raise InputError(
            f"WORLD_SIZE={said} RANK={texts[1]} LOCAL_RANK={texts[2]}: no place among the "
            "processes of a run; torchrun sets these"
        )
    return Launch(int(texts[1]), int(said), int(texts[2]))


def is_silent() -> bool:
    """Say whether another process of the run speaks for this one: rank 0 does."""
    return (os.environ.get("RANK") or "0") != "0" and (os.environ.get("WORLD_SIZE") or "1") != "1"


def restarts() -> int:
    """Return how often torchrun has started the processes anew, since one of them had ended."""
    said = os.environ.get("TORCHELASTIC_RESTART_COUNT", "")
    return int(said) if said.isdigit() else 0


def refuse_command(command: str, arguments: Sequence[str]) -> None:
    """Refuse under torchrun what is not one run: each of its processes would do all of it.

    Raises:
        InputError: The command is not ``train``, or it is a sweep.
    """
    own = launch()
    if own is None or own.world_size == 1:
        return
    many = f"torchrun has started {own.world_size} processes, which train one run together"
    if command != "train":
        raise InputError(f"{command}: {many}; type sgdlab {command} without torchrun")
    if any(word in ("-m", "--multirun") for word in arguments):
        raise InputError(f"train -m: {many}; a sweep is typed without torchrun")


def world_size_of(asked: int | None) -> int | None:
    """Return how many processes train a run; None: one.

    Args:
        asked: ``distributed.world_size``.

    Raises:
        InputError: It asks for another number than torchrun has started.
    """
    own = launch()
    count = 1 if own is None else own.world_size
    if asked is not None and asked != count:
        how = "this is one process" if own is None else f"torchrun has started {count}"
        raise InputError(
            f"distributed.world_size={asked}: {how}; torchrun --nproc-per-node={asked} -m sgdlab "
            "train … starts as many, distributed.world_size=null takes what there is"
        )
    return count if count > 1 else None
