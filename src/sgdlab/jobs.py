"""Many runs: composed quickly, checked before the first starts, launched, collected."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from sgdlab.config import settle
from sgdlab.errors import InputError
from sgdlab.experiment import finished
from sgdlab.hydra_errors import explain
from sgdlab.identity import run_id
from sgdlab.notices import warn
from sgdlab.preflight import check
from sgdlab.progress import SweepView
from sgdlab.results import FAILED, Cell, collect, read_summary, write_runs
from sgdlab.scaling import checked_candidates


class QuickLoader(ConfigLoaderImpl):
    """Hydra's config loader, made quick for sweeps: composes once per combination of group choices.

    Composing costs tens of milliseconds; the jobs of a sweep differ mostly in values, which are
    set on a copy. Launchers call `load_sweep_config` and cannot tell the difference.

    Args:
        search_path: Where configs are looked for.
        common: Overrides in front of those of every job.
        adapt: Called with each composed config, to change it in place.
    """

    def __init__(
        self,
        search_path: ConfigSearchPath,
        common: Sequence[str] = (),
        adapt: Callable[[DictConfig], None] | None = None,
    ) -> None:
        super().__init__(search_path)
        self._common = list(common)
        self._adapt = adapt
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._parsed: dict[str, Override] = {}

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """Return the config of one job."""
        base, values = self._split(master_config, sweep_overrides)
        config = copy.deepcopy(base)
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.mode = RunMode.MULTIRUN
            config.hydra.overrides.task = [*self._common, *sweep_overrides]
            config.hydra.job.override_dirname = ",".join(sweep_overrides)
        return config

    def value_of(self, key: str, master_config: DictConfig, sweep_overrides: Sequence[str]) -> Any:
        """Return one value of a job's config, at a hundredth of the cost of the config."""
        base, values = self._split(master_config, sweep_overrides)
        typed = [o.value() for o in values if o.key_or_group == key]
        return typed[-1] if typed else OmegaConf.select(base, key)

    def _split(
        self, master_config: DictConfig, overrides: Sequence[str]
    ) -> tuple[DictConfig, list[Override]]:
        """Return the config that the group choices of a job give, and the overrides of values."""
        parsed = [self._parse(text) for text in overrides]
        key = tuple(str(o.input_line) for o in parsed if self._is_structural(o))
        if key not in self._composed:
            base = super().load_sweep_config(master_config, [*self._common, *key])
            if self._adapt is not None:
                self._adapt(base)
            self._composed[key] = base
        return self._composed[key], [o for o in parsed if not self._is_structural(o)]

    def _parse(self, text: str) -> Override:
        if text not in self._parsed:
            (self._parsed[text],) = OverridesParser.create().parse_overrides([text])
        return self._parsed[text]

    def _is_structural(self, override: Override) -> bool:
        changes_keys = override.is_add() or override.is_force_add() or override.is_delete()
        key = override.key_or_group
        is_group = override.package is not None or self.repository.group_exists(key)
        return changes_keys or is_group

    def load_config(self, path: str) -> DictConfig | None:
        """Return a config file of the search path as it stands, or None."""
        if not self.repository.config_exists(path):
            return None
        found = self.repository.load_config(path)
        return cast(DictConfig, found.config) if found is not None else None


@dataclass(frozen=True)
class Job:
    """One run of a sweep, before it runs."""

    overrides: tuple[str, ...]
    config: DictConfig
    run_id: str
    directory: Path


def prepare(master: DictConfig, loader: QuickLoader, jobs: Sequence[Sequence[str]]) -> list[Job]:
    """Compose and check every job before the first one runs.

    Raises:
        InputError: A job cannot be built, or two jobs are the same run.
    """
    prepared: list[Job] = []
    seen: dict[str, tuple[str, ...]] = {}
    doubts: dict[str, None] = {}
    for overrides in jobs:
        own = tuple(overrides)
        with _explained(master, own):
            composed = loader.load_sweep_config(master, list(own))
        config = settle(composed)
        doubts |= dict.fromkeys(check(config))
        identity = run_id(config)
        if identity in seen:
            raise InputError(
                f"the sweep lists the same run twice: {_typed(own)} equals {_typed(seen[identity])}"
            )
        seen[identity] = own
        directory = Path(composed.hydra.sweep.dir) / composed.hydra.sweep.subdir
        prepared.append(Job(own, config, identity, directory))
    for doubt in doubts:
        warn(doubt)
    return prepared


def expand(
    master: DictConfig, loader: QuickLoader, jobs: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Return the jobs, each one with ``scaling.candidates`` made one per candidate.

    Such a job lists no candidates and names its own, ``scaling.candidate``, so that it is the same
    run wherever it was expanded, and whatever the other candidates are.

    Raises:
        InputError: A job cannot be composed, or its candidates are no positive numbers.
    """
    expanded: list[list[str]] = []
    for job in jobs:
        with _explained(master, job):
            candidates = loader.value_of("scaling.candidates", master, job)
        factors = checked_candidates(candidates) if candidates else []
        rest = [o for o in job if not (factors and o.startswith("scaling.candidates="))]
        expanded += [
            [*rest, "scaling.candidates=[]", f"scaling.candidate={factor}"] for factor in factors
        ] or [rest]
    return expanded


@contextlib.contextmanager
def _explained(master: DictConfig, overrides: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        line = explain(error, master.hydra.job.config_name, overrides=overrides)
        raise InputError(f"{line} (in the run {_typed(overrides)})") from error


def _typed(overrides: Sequence[str]) -> str:
    return " ".join(o for o in overrides if not o.startswith("study="))


def launch(
    master: DictConfig,
    context: HydraContext,
    loader: QuickLoader,
    task: TaskFunction,
    jobs: Sequence[Job],
    study: Path,
    title: str,
) -> list[dict[str, Cell]]:
    """Run the jobs that are not finished on the configured launcher; return all summaries.

    A failed run does not stop the others; ``runs.csv`` of the study is written even when the
    sweep is interrupted.
    """
    todo = [job for job in jobs if finished(job.directory, job.run_id, job.config.resume) is None]
    if len(todo) < len(jobs):
        warn(f"{title}: {len(jobs) - len(todo)} of {len(jobs)} runs are finished; skipped")
    errors: dict[Path, str] = {}
    try:
        if todo:
            launcher = Plugins.instance().instantiate_launcher(
                hydra_context=HydraContext(config_loader=loader, callbacks=context.callbacks),
                task_function=task,
                config=master,
            )
            view = SweepView(title, [job.directory for job in todo], len(jobs) - len(todo))
            with view:
                returns = launcher.launch([job.overrides for job in todo], initial_job_idx=0)
            for job, returned in zip(todo, returns, strict=True):
                if isinstance(returned._return_value, BaseException):
                    errors[job.directory] = str(returned._return_value)
    finally:
        table, _ = collect([study])
        if len(table):
            write_runs(study / "runs.csv", table)
    return [_row(job, errors.get(job.directory)) for job in jobs]


def _row(job: Job, error: str | None) -> dict[str, Cell]:
    try:
        summary = read_summary(job.directory)
    except InputError as damage:
        summary, error = None, str(damage)
    if summary is not None and error is None:
        return summary
    names = OmegaConf.to_container(job.config.names)
    reason = error or "the launcher returned without a summary"
    return {**names, "run_id": job.run_id, "status": FAILED, "reason": reason}  # type: ignore[dict-item]
