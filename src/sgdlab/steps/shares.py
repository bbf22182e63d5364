"""Which part of an update each worker, or each process, has; whether there is enough for all."""

from sgdlab.errors import InputError


def share_of(worker: int, workers: int, accumulate: int, count: int) -> slice:
    """Return which micro-batches of an update a worker of local SGD takes, by their place.

    Each takes ``accumulate`` of them, one worker after the other; of an update that is too small
    the last workers have fewer, or none, and one that the rest of the epoch was merged with is
    dealt out evenly.

    Args:
        worker: The number of the worker, from 0.
        workers: How many there are.
        accumulate: The micro-batches of a worker's step.
        count: The micro-batches of the update.
    """
    if count <= accumulate * workers:
        return slice(worker * accumulate, (worker + 1) * accumulate)
    return slice(count * worker // workers, count * (worker + 1) // workers)


def part_of(rank: int, processes: int, size: int) -> slice:
    """Return which examples of a micro-batch a process has; the parts differ by at most one.

    Args:
        rank: The number of the process, from 0.
        processes: How many there are.
        size: The examples of the micro-batch.
    """
    return slice(size * rank // processes, size * (rank + 1) // processes)


def refuse_too_few(
    examples: int, size: int, accumulate: int, workers: int, drops: bool, whose: str
) -> None:
    """Refuse batches that an epoch is too short for.

    Args:
        examples: Those of an epoch.
        size: Those of a micro-batch.
        accumulate: The micro-batches of a worker's step.
        workers: The workers of local SGD.
        drops: Whether the last and smaller update is left out.
        whose: What the workers are called.

    Raises:
        InputError: The batch exceeds the data, or ``accumulate`` or ``workers`` the epoch.
    """
    if size > examples:
        raise InputError(
            f"batch_size={size}: larger than the training split ({examples} examples); "
            "batch_size=full takes all of it"
        )
    most = -(-examples // size)
    if accumulate > most:
        raise InputError(
            f"accumulate={accumulate}: an epoch of {examples} examples has only {most} "
            f"micro-batches of {size}; at most accumulate={most}"
        )
    if accumulate * workers > most:
        raise InputError(
            f"{whose}: an epoch of {examples} examples has only {most} "
            f"micro-batches of {size}, and each worker takes {accumulate} of them"
        )
    if drops and examples < size * accumulate * workers:
        raise InputError(
            f"last_batch=drop: an epoch of {examples} examples is less than one update of "
            f"{size * accumulate * workers}; lower batch_size or accumulate"
        )
