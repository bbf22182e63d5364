"""The jobs of a sweep, composed quickly."""

import contextlib
import copy
import functools
import pickle
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from sgdlab.config.compose.overrides import number_override
from sgdlab.config.compose.references import NeedsFullCompose
from sgdlab.config.compose.template import Template
from sgdlab.config.explain import explain
from sgdlab.config.resolve import settle
from sgdlab.config.run_id import run_id
from sgdlab.errors import InputError


@dataclass(frozen=True, eq=False)
class Job:
    """One run of a sweep, before it runs.

    Attributes:
        overrides: As typed, the study included.
        settled: The settled config as a plain container. Jobs share sections: read only.
        run_id: Of the settled config.
        directory: The run directory.
    """

    overrides: tuple[str, ...]
    settled: dict[str, Any]
    run_id: str
    directory: Path
    _subdir: str | None
    _config: Callable[[], DictConfig] = field(repr=False)

    @property
    def config(self) -> DictConfig:
        """The settled config, built when asked for."""
        return self._config()


@dataclass
class _Base:
    """The config of one combination of group choices.

    Attributes:
        config: As Hydra composed it.
        pickled: The same: unpickling costs a fifth of a deep copy. None where a plugin that Hydra
            has imported twice, as in a worker, cannot be pickled.
        template: What gives settled configs quickly; None where nothing does.
    """

    config: DictConfig
    pickled: bytes | None
    template: Template | None

    def copy(self) -> DictConfig:
        """Return the config, to be changed."""
        return copy.deepcopy(self.config) if self.pickled is None else pickle.loads(self.pickled)


class QuickLoader(ConfigLoaderImpl):
    """Hydra's config loader, made quick for sweeps: composes once per combination of group choices.

    Composing costs tens of milliseconds; the jobs of a sweep differ mostly in values, which are
    set on a copy. Launchers call `load_sweep_config` and cannot tell the difference, or `job`,
    which is quicker still.

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
        self._token = uuid.uuid4().hex
        self._forget()

    def _forget(self) -> None:
        # By a token, so that all jobs that one worker of a launcher gets compose only once.
        self._bases = _BASES.setdefault(self._token, {})
        self._parsed: dict[str, tuple[Override, bool]] = {}
        self._groups: dict[str, bool] = {}
        self._jobs: dict[tuple[str, ...], Job] = {}
        self.listed: Sequence[Job] = ()
        """All jobs of the sweep that is being launched, those that are finished, too."""

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker needs: a launcher may send it along with each of its jobs."""
        return {k: v for k, v in self.__dict__.items() if k not in _CACHES}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore what was sent, with the caches that this process has for it."""
        vars(self).update(state)
        self._forget()

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """Return the config of one job."""
        base, values = self._split(master_config, sweep_overrides)
        config = base.copy()
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        known = self._jobs.get(tuple(sweep_overrides))
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.mode = RunMode.MULTIRUN
            config.hydra.overrides.task = [*self._common, *sweep_overrides]
            config.hydra.job.override_dirname = ",".join(sweep_overrides)
            if known is not None and known._subdir is not None:
                config.hydra.sweep.subdir = known._subdir  # as ${run_folder:} would find it
        return config

    def job(self, master_config: DictConfig, overrides: Sequence[str]) -> Job:
        """Return one job, settled; one that was asked for before is the same object.

        Raises:
            InputError: It cannot be composed, or a value is impossible.
        """
        key = tuple(overrides)
        if key not in self._jobs:
            with explained(master_config, key):
                base, values = self._split(master_config, key)
            quick = self._quick_job(master_config, base, key, values)
            self._jobs[key] = quick or self._slow_job(master_config, key)
        return self._jobs[key]

    def _quick_job(
        self, master: DictConfig, base: _Base, key: tuple[str, ...], values: Sequence[Override]
    ) -> Job | None:
        template = base.template
        if template is None:
            return None
        typed = any(o.lstrip("+").startswith("optimizer.lr=") for o in (*self._common, *key))
        try:
            settled, changed = template.settled(values, typed)
        except Exception:  # whatever it is, the slow way says it as it always has
            return None
        identity, subdir = run_id(settled), None
        try:
            folder, subdir = template.place(settled, identity)
            directory = Path(folder) / subdir
        except NeedsFullCompose:
            directory = _directory(self.load_sweep_config(master, list(key)))
        config = functools.partial(template.config, changed)
        return Job(key, settled, identity, directory, subdir, config)

    def _slow_job(self, master: DictConfig, key: tuple[str, ...]) -> Job:
        with explained(master, key):
            composed = self.load_sweep_config(master, list(key))
        config = settle(composed)
        settled = cast("dict[str, Any]", OmegaConf.to_container(config))
        again = functools.partial(pickle.loads, pickle.dumps(config))
        return Job(key, settled, run_id(config), _directory(composed), None, again)

    def value_of(self, key: str, master_config: DictConfig, sweep_overrides: Sequence[str]) -> Any:
        """Return one value of a job's config, at a hundredth of the cost of the config."""
        base, values = self._split(master_config, sweep_overrides)
        typed = [o.value() for o in values if o.key_or_group == key]
        return typed[-1] if typed else OmegaConf.select(base.config, key)

    def _split(
        self, master_config: DictConfig, overrides: Sequence[str]
    ) -> tuple[_Base, list[Override]]:
        """Return the config that the group choices of a job give, and the overrides of values."""
        parsed = [self._parse(text) for text in overrides]
        key = tuple(str(o.input_line) for o, is_structural in parsed if is_structural)
        if key not in self._bases:
            composed = super().load_sweep_config(master_config, [*self._common, *key])
            if self._adapt is not None:
                self._adapt(composed)
            self._bases[key] = _Base(composed, _pickled(composed), _template(composed))
        return self._bases[key], [o for o, is_structural in parsed if not is_structural]

    def _parse(self, text: str) -> tuple[Override, bool]:
        """Return an override, and whether composing depends on it."""
        if text not in self._parsed:
            override = number_override(text)
            if override is None:
                (override,) = OverridesParser.create().parse_overrides([text])
            self._parsed[text] = override, self._is_structural(override)
        return self._parsed[text]

    def _is_structural(self, override: Override) -> bool:
        if override.type is not OverrideType.CHANGE or override.package is not None:
            return True
        key = override.key_or_group
        if key not in self._groups:
            self._groups[key] = self.repository.group_exists(key)
        return self._groups[key]

    def load_config(self, path: str) -> DictConfig | None:
        """Return a config file of the search path as it stands, or None."""
        if not self.repository.config_exists(path):
            return None
        found = self.repository.load_config(path)
        return cast(DictConfig, found.config) if found is not None else None


# Base configs of each loader in this process, by its token.
_BASES: dict[str, dict[tuple[str, ...], _Base]] = {}
_CACHES = ("_bases", "_parsed", "_groups", "_jobs", "listed")


def _pickled(composed: DictConfig) -> bytes | None:
    try:
        return pickle.dumps(composed)
    except (pickle.PicklingError, TypeError, AttributeError):
        return None


def _template(composed: DictConfig) -> Template | None:
    try:
        return Template(composed)
    except Exception:  # the slow way says what is wrong, job by job
        return None


def _directory(composed: DictConfig) -> Path:
    return Path(composed.hydra.sweep.dir) / composed.hydra.sweep.subdir


@contextlib.contextmanager
def explained(master: DictConfig, overrides: Sequence[str]) -> Iterator[None]:
    """Turn what Hydra says of a job into one line that ends with the job.

    Raises:
        InputError: The line.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        line = explain(error, master.hydra.job.config_name, overrides=overrides)
        raise InputError(f"{line} (in the run {typed(overrides)})") from error


def typed(overrides: Sequence[str]) -> str:
    """Return the overrides of a job as they were typed, without the study's name."""
    return " ".join(o for o in overrides if not o.startswith("study="))
