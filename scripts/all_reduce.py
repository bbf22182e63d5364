"""How long a sum over processes takes on this machine, by gloo: latency and bandwidth.

    torchrun --nproc-per-node=2 scripts/all_reduce.py

For vectors of 4 bytes to 64 MiB it prints the median and the shortest of many sums of float32, and
at 1 MiB, which a cache holds, and at 64 MiB, which it does not, the bytes a second of the shortest.
"""

import time

import numpy as np
import torch
import torch.distributed as dist

SIZES = tuple(4**k for k in range(1, 14))
MOST, WORK = 200, 2**26


def seconds_of(count: int) -> list[float]:
    """Return how long sums of so many numbers took, after three that are not counted."""
    values, found = torch.ones(count), list[float]()
    for repeat in range(3 + max(5, min(MOST, WORK // (4 * count)))):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(values)
        if repeat >= 3:
            found.append(time.perf_counter() - start)
        values.fill_(1.0)
    return found


def main() -> None:
    """Measure, and print in the first process."""
    dist.init_process_group("gloo")
    times = {size: seconds_of(size // 4) for size in SIZES}
    if dist.get_rank() == 0:
        print(f"{dist.get_world_size()} processes")
        print("     bytes   median us  shortest us")
        for size, found in times.items():
            print(f"{size:10d} {np.median(found) * 1e6:11.1f} {min(found) * 1e6:12.1f}")
        for size in (2**20, max(SIZES)):
            print(f"{size / min(times[size]) / 1e9:.2f} GB/s at {size // 2**20} MiB")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
