"""Jobs as tasks of a Ray cluster."""

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from sgdlab import signals
from sgdlab.config.launcher import refuse_unreachable
from sgdlab.errors import InputError, one_line

_BETWEEN_LOOKS = 1.0


def connect(settings: Mapping[str, Any]) -> Any:
    """Return the module ``ray``, joined to a cluster; in a process that has joined one, to that.

    Args:
        settings: ``hydra.launcher``: ``address`` and ``init`` count.

    Raises:
        InputError: Nobody answers at the address.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of the future
    ray = importlib.import_module("ray")  # an extra

    if ray.is_initialized():
        return ray
    address = settings.get("address")
    refuse_unreachable(address)
    further: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        further["include_dashboard"] = False
    try:
        ray.init(address=address or "local", **(further | dict(settings.get("init") or {})))
    except (ConnectionError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(f"hydra.launcher.address={address}: {one_line(error)}") from error
    return ray


def workers_of(settings: Mapping[str, Any]) -> int:
    """Return how many tasks the nodes of the cluster can run at once.

    Raises:
        InputError: None of them can run one.
    """
    ray = connect(settings)
    needed = {"CPU": settings.get("num_cpus") or 0, "GPU": settings.get("gpus") or 0}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    count = 0
    for node in nodes:
        room = [int(node.get(kind, 0) / n + 1e-9) for kind, n in needed.items() if n]
        count += min(room, default=1)
    if count:
        return count
    if needed["GPU"] and not any(node.get("GPU") for node in nodes):
        raise InputError(
            f"hydra.launcher.gpus={needed['GPU']}: no node of the Ray cluster has a GPU; "
            "leave it out, or start nodes with --num-gpus"
        )
    largest = max((node.get("CPU", 0) for node in nodes), default=0)
    raise InputError(
        f"hydra.launcher.num_cpus={needed['CPU']}, gpus={needed['GPU']}: no node of the Ray "
        f"cluster has as many; the largest has {largest:g} processors"
    )


def launch(
    settings: Mapping[str, Any],
    config: DictConfig,
    context: HydraContext,
    task: TaskFunction,
    overrides: Sequence[Sequence[str]],
    first: int,
) -> list[JobReturn]:
    """Run jobs as tasks; return what each returned, or the exception that ended it.

    A task whose worker or node dies is started again, ``max_retries`` times.
    """
    workers_of(settings)  # or a task would wait for ever for what no node has
    ray = connect(settings)
    share = {"num_gpus": settings["gpus"]} if settings.get("gpus") else {}
    job = ray.remote(
        num_cpus=settings.get("num_cpus", 1), max_retries=settings.get("max_retries", 3), **share
    )(_run)
    common = ray.put((config, context, task, Singleton.get_state()))
    refs = [job.remote(common, list(own), first + n) for n, own in enumerate(overrides)]
    waiting = list(refs)
    try:
        while waiting:  # a request to stop is seen between two looks
            _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=_BETWEEN_LOOKS)
            signals.stop_if_asked()
    except BaseException:
        for ref in waiting:
            ray.cancel(ref)
        raise
    return [_value(ray, ref, own) for ref, own in zip(refs, overrides, strict=True)]


def _value(ray: Any, ref: Any, overrides: Sequence[str]) -> JobReturn:
    try:
        return ray.get(ref)
    except Exception as error:
        returned = JobReturn(overrides=list(overrides), status=JobStatus.FAILED)
        cause = getattr(error, "cause", None)  # what the task raised, where it did
        returned.return_value = cause if isinstance(cause, InputError) else _plain(error)
        return returned


def _plain(error: Exception) -> RuntimeError:
    """Return an error of Ray's as one whose line is short, and that pickles."""
    first = (str(error).strip().splitlines() or [""])[0]
    return RuntimeError(f"{type(error).__name__}: {first}")


def _run(
    common: tuple[DictConfig, HydraContext, TaskFunction, Any], overrides: list[str], number: int
) -> JobReturn:
    """Run one job in a worker of Ray's, as Hydra's launchers do."""
    config, context, task, state = common
    setup_globals()
    Singleton.set_state(state)
    composed = context.config_loader.load_sweep_config(config, overrides)
    with read_write(composed.hydra), open_dict(composed.hydra):
        composed.hydra.job.id = f"{composed.hydra.job.get('name', 'job')}_{number}"
        composed.hydra.job.num = number
    return run_job(
        hydra_context=context, task_function=task, config=composed,
        job_dir_key="hydra.sweep.dir", job_subdir_key="hydra.sweep.subdir",
    )  # fmt: skip
