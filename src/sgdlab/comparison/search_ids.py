"""Every search of a comparison: on each workload, for each contender, in each replicate."""

from collections.abc import Iterable, Sequence
from itertools import product

from omegaconf import DictConfig

from sgdlab.comparison.contenders import Contender, SearchId
from sgdlab.comparison.workloads import Workload


def search_ids_of(
    master: DictConfig,
    workloads: Sequence[Workload],
    contenders: Sequence[Contender],
    replicates: Iterable[int],
) -> list[SearchId]:
    """Return every search of some replicates of a comparison.

    With ``split.vary`` replicate r has the split of seed ``split.seed + r``.
    """
    found: list[SearchId] = []
    for workload, contender, replicate in product(workloads, contenders, replicates):
        seed = workload.overrides.get("split.seed", master.split.seed)
        own = int(str(seed)) + replicate if master.split.vary else None
        found.append(SearchId(workload, contender, replicate, own))
    return found
