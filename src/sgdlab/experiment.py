"""One run from settled config to files, whatever happens on the way."""

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from sgdlab import checkpoint
from sgdlab.batches import stream_seed
from sgdlab.build import Setup, device_of, setup
from sgdlab.environment import PeakMemory, environment
from sgdlab.errors import InputError
from sgdlab.evaluator import View
from sgdlab.identity import run_id
from sgdlab.instantiate import is_out_of_memory
from sgdlab.optimizers.decay import decay_of
from sgdlab.outcome import Outcome, Progress
from sgdlab.results import (
    COMPLETED,
    DIVERGED,
    FAILED,
    SUMMARY_COLUMNS,
    Cell,
    RunWriter,
    read_summary,
    write_config,
    write_environment,
    write_error,
    write_summary,
)  # fmt: skip
from sgdlab.threads import threads_for
from sgdlab.trainer import averager_of, fit

_TECHNIQUES = (
    "clip_norm", "parametrization", "decay.mode", "decay.bias_and_norm", "decay.multipliers",
    "lr_multipliers", "staleness.delay", "staleness.random", "staleness.correct_lr",
    "local_sgd.workers", "local_sgd.steps",
)  # fmt: skip


def finished(directory: Path, identity: str, resume: bool) -> dict[str, Cell] | None:
    """Return the summary of a run that need not run again.

    Raises:
        InputError: The directory holds another run.
    """
    summary = read_summary(directory)
    if summary is None:
        return None
    if summary["run_id"] != identity:
        raise InputError(
            f"{directory} holds another run ({summary['run_id']}, this one is {identity}): "
            "choose another hydra.run.dir"
        )
    return summary if resume and summary["status"] in (COMPLETED, DIVERGED) else None


def run_experiment(config: DictConfig, directory: Path, view: View) -> dict[str, Cell]:
    """Train one settled config and write its files; return its summary.

    A run that crashes or runs out of memory ends as ``failed`` with the reason, and the traceback
    in ``error.txt``; an interrupt leaves it without a summary, to be continued later.

    Args:
        config: As `sgdlab.config.settle` returns it.
        directory: The run directory.
        view: Told of steps and evaluations.

    Raises:
        InputError: The config cannot be built, or the directory holds another run.
    """
    identity = run_id(config)
    if (done := finished(directory, identity, config.resume)) is not None:
        return done
    with _torch_state():
        run: Setup | None = None
        memory = PeakMemory(device_of(config))
        outcome = Outcome(FAILED)
        try:
            run = setup(config)
            outcome = _fit(run, config, identity, directory, view)
        except InputError:
            raise
        except Exception as error:
            outcome = Outcome(
                FAILED, _reason(error, config, run), getattr(error, "progress", Progress())
            )
            _write_head(config, run, directory)
            write_error(directory, traceback.format_exc())
        summary = _summary(config, identity, run, outcome, memory.bytes())
    write_summary(directory, summary)
    (directory / "checkpoint.pt").unlink(missing_ok=True)
    return summary


def _fit(run: Setup, config: DictConfig, identity: str, directory: Path, view: View) -> Outcome:
    path = directory / "checkpoint.pt"
    torch.set_num_threads(threads_for(run, config.threads))
    torch.manual_seed(stream_seed(config.seed, "other"))
    average = averager_of(run)
    progress = checkpoint.load(path, identity, run, average) if config.resume else None
    _write_head(config, run, directory)
    writer = RunWriter(directory, run.data.metric, append_after=progress and progress.step)
    at = progress or Progress()

    def save(now: Progress) -> None:
        writer.flush()
        checkpoint.save(path, identity, run, average, now)

    try:
        return fit(run, writer, view, at, average, save)
    except Exception as error:
        error.progress = at  # type: ignore[attr-defined]
        raise
    finally:
        writer.close()


def _write_head(config: DictConfig, run: Setup | None, directory: Path) -> None:
    write_config(directory, cast("dict[str, Any]", OmegaConf.to_container(config)))
    fingerprint = run.data.fingerprint if run else None
    write_environment(directory, environment(device_of(config), fingerprint))


@contextlib.contextmanager
def _torch_state() -> Iterator[None]:
    """Give back random state and threads after a run."""
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads)


def _reason(error: Exception, config: DictConfig, run: Setup | None) -> str:
    if is_out_of_memory(error):
        if run is None:
            return "out of memory before the first step: the model and the data alone are too large"
        size = config.batch_size
        if isinstance(size, int) and size > 1:
            return (
                f"out of memory: try batch_size={size // 2} accumulate={config.accumulate * 2} "
                "(half the memory of activations, the same effective batch)"
            )
        return "out of memory: halve batch_size and double accumulate, or take a smaller model"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _summary(
    config: DictConfig, identity: str, run: Setup | None, outcome: Outcome, memory: int | None
) -> dict[str, Cell]:
    at = outcome.progress
    seconds = at.train_seconds if at.step else None
    row: dict[str, Cell] = dict.fromkeys(SUMMARY_COLUMNS) | {
        "run_id": identity,
        "study": config.study,
        "phase": config.phase,
        "trial": config.trial,
        "status": outcome.status,
        "reason": outcome.reason,
        "engine": "sequential",
        **{name: config.names.get(name) for name in ("optimizer", "schedule", "model", "dataset")},
        "accumulate": config.accumulate,
        "scaling": config.names.get("scaling"),
        "base_lr": config.lr,
        "seed": config.seed,
        "epochs": at.epoch,
        "steps": at.step,
        "examples": at.examples,
        "peak_memory_bytes": memory,
        "train_seconds": seconds,
        "examples_per_second": at.examples / seconds if seconds else None,
        "gradient_evaluations": at.gradient_evaluations,
        "function_evaluations": at.function_evaluations,
        "best_val_loss": at.best_val_loss,
        "best_val_metric": at.best_val_metric,
        "best_val_step": at.best_val_step,
        **_settings(config),
    }
    if outcome.status == COMPLETED:
        row |= {
            "final_train_loss": at.train_loss,
            "final_val_loss": at.val_loss,
            "final_val_metric": at.val_metric,
        }
    if outcome.test is not None:
        row |= {"test_loss": outcome.test.loss, "test_metric": outcome.test.metric}
    if run is None:
        return row
    return row | _sizes(run) | _average(run, outcome) | _findings(run)


def _sizes(run: Setup) -> dict[str, Cell]:
    decayed = [g for g in run.optimizer.param_groups if decay_of(g)]
    tensors = list(_tensors(list(run.optimizer.state.values())))
    return {
        "task": run.data.task,
        "metric": run.data.metric,
        "metric_direction": run.data.metric_direction,
        "batch_size": run.plan.batch_size,
        "effective_batch_size": run.plan.effective_batch_size,
        "lr": run.lr,
        "num_parameters": sum(p.numel() for p in run.model.parameters()),
        "num_decayed": sum(p.numel() for group in decayed for p in group["params"]),
        "optimizer_state_bytes": sum(t.numel() * t.element_size() for t in tensors),
    }


def _tensors(state: object) -> Iterator[torch.Tensor]:
    """Yield the tensors of an optimizer's state, those in lists and dictionaries, too."""
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for value in cast("list[object]", state.values() if isinstance(state, dict) else state):
            yield from _tensors(value)


def _average(run: Setup, outcome: Outcome) -> dict[str, Cell]:
    """Return the results of the averaged weights, for a run that keeps an average."""
    if run.average is None:
        return {}
    at, test = outcome.progress, outcome.average_test
    done = outcome.status == COMPLETED
    return {
        "average.final_train_loss": at.average_train_loss if done else None,
        "average.final_val_loss": at.average_val_loss if done else None,
        "average.final_val_metric": at.average_val_metric if done else None,
        "average.test_loss": test.loss if test else None,
        "average.test_metric": test.metric if test else None,
    }


def _findings(run: Setup) -> dict[str, Cell]:
    """Return what the optimizer itself found out, such as SWATS its switch."""
    found = getattr(run.optimizer, "findings", None)
    return {f"optimizer.{key}": value for key, value in found().items()} if found else {}


def _plain(value: Any) -> Cell:
    return cast(Cell, OmegaConf.to_container(value) if OmegaConf.is_config(value) else value)


def _settings(config: DictConfig) -> dict[str, Cell]:
    """Return the own settings of optimizer, schedule and model, and the techniques, as columns."""
    candidate = config.scaling.get("candidate")
    techniques: dict[str, Cell] = {
        "scaling.candidate": None if candidate is None else float(candidate),
        "average": config.names.get("average"),
        **{key: _plain(OmegaConf.select(config, key)) for key in _TECHNIQUES},
    }
    own = {
        f"{group}.{key}": cast(Cell, value)
        for group in ("optimizer", "schedule", "model")
        for key, value in cast("dict[str, Any]", OmegaConf.to_container(config[group])).items()
        if key not in ("_target_", "lr")
    }
    return own | techniques
