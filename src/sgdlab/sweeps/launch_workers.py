"""What the launchers ``joblib``, ``ray`` and ``submitit_*`` do with the jobs of a sweep."""

from collections.abc import Mapping, Sequence

from hydra.core.utils import JobReturn
from hydra.types import TaskFunction

from sgdlab.config.job import Job
from sgdlab.stacked.group import Group
from sgdlab.stacked.launch import sort
from sgdlab.sweeps.chunks import SMALLEST_STACK, Chunk, cut, single
from sgdlab.sweeps.hand_out import hand_out
from sgdlab.sweeps.jobs import refuse_shared_folders
from sgdlab.sweeps.launchers import returned
from sgdlab.sweeps.listed import listed
from sgdlab.sweeps.pool import Pool
from sgdlab.terminal.progress import sort_runs


def launch(
    pool: Pool, task: TaskFunction, overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Train the jobs of a sweep on the workers of a pool; return their summaries in order.

    Which runs train in stacks is decided here, once, by all runs of the sweep: neither the number
    of workers nor an interruption changes it.
    """
    own, everything = listed(pool.config, pool.context, overrides, first)
    refuse_shared_folders(own)
    unique = {job.run_id: job for job in everything}
    stacks = any(job.config.engine != "sequential" for job in everything)
    groups = sort(list(unique.values()))[1] if stacks else []
    group_of = {job.run_id: group for group in groups for job in group.jobs}
    sort_runs({j.directory: "stacked" if j.run_id in group_of else "one by one" for j in own})
    workers = pool.count()

    def chunk(numbers: Sequence[int], todo: Mapping[int, Job], group: Group | None) -> Chunk:
        stack = None if group is None else (group.size, group.measured)
        jobs = tuple(todo[number].overrides for number in numbers)
        return Chunk(pool.config, pool.context, task, jobs, first + numbers[0], stack)

    def pieces(todo: Mapping[int, Job]) -> list[tuple[Sequence[int], Chunk]]:
        found: list[tuple[Sequence[int], Chunk]] = []
        for group in groups:
            numbers = [n for n, job in todo.items() if group_of.get(job.run_id) is group]
            parts = cut(len(numbers), workers, pool.runs, SMALLEST_STACK)
            found += [(numbers[part], chunk(numbers[part], todo, group)) for part in parts]
        alone = [n for n, job in todo.items() if job.run_id not in group_of]
        parts = single(alone, workers, pool.runs)
        return [*found, *((alone[part], chunk(alone[part], todo, None)) for part in parts)]

    errors = hand_out(pool, own, pieces)
    return [returned(job, overrides[number], errors.get(number)) for number, job in enumerate(own)]
