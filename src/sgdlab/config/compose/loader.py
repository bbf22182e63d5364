"""The jobs of a sweep, composed quickly."""

import copy
import functools
import pickle
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

# Hydra has no public loader of configs that a sweeper could hand to launchers.
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from sgdlab.config.command_line import refuse_lists
from sgdlab.config.compose.folders import folder_of, folders_in
from sgdlab.config.compose.of_job import explained
from sgdlab.config.compose.pattern import Number, Pattern, find, follows_numbers, number_of
from sgdlab.config.interpolation import seen_by_hydra
from sgdlab.config.job import Job
from sgdlab.config.resolve import resolve, unchecked
from sgdlab.config.run_id import run_id
from sgdlab.config.schema import RunConfig
from sgdlab.config.validate import validate
from sgdlab.errors import InputError

_Entry = str | tuple[str, Number]
"""An override as it was typed, or its key and number."""

_Form = tuple[Pattern, tuple[str, str]] | str
"""What jobs that differ in numbers only have in common; or why each is composed by itself."""


@dataclass
class _Base:
    """The config of one combination of group choices.

    Attributes:
        config: The config as Hydra composed it.
        pickled: The config pickled, since unpickling costs a fifth of a deep copy; None where a
            plugin that Hydra has imported twice, as in a worker, cannot be pickled.
    """

    config: DictConfig
    pickled: bytes | None

    def copy(self) -> DictConfig:
        """Return the config, to be changed."""
        return copy.deepcopy(self.config) if self.pickled is None else pickle.loads(self.pickled)


class QuickLoader(ConfigLoaderImpl):
    """Hydra's config loader, made quick for sweeps: composes once per combination of group choices.

    Composing costs tens of milliseconds; the jobs of a sweep differ mostly in values, which are
    set on a copy. Launchers call `load_sweep_config` and cannot tell the difference, or `job`,
    which takes a fraction of a millisecond for jobs that differ in numbers; see `Pattern`.

    Args:
        search_path: Where configs are looked for.
        common: The overrides that stand in front of those of every job.
        adapt: Changes each composed config in place.
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
        self._forms: dict[tuple[object, ...], _Form | None] = {}
        self._jobs: dict[tuple[str, ...], Job] = {}
        self.listed: Sequence[Job] = ()
        """All jobs of the sweep that is being launched, those that are finished, too."""

    def into(self, folder: Path) -> "QuickLoader":
        """Return a loader of the same runs, for a machine on which the study has another folder."""
        moved = copy.copy(self)
        moved._adapt = functools.partial(_adapted, self._adapt, str(folder))
        moved._token = uuid.uuid4().hex
        moved._forget()
        return moved

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
        """Return the config of one job, as Hydra composes it."""
        base, values = self._split(master_config, sweep_overrides)
        config = base.copy()
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        known = self._jobs.get(tuple(sweep_overrides))
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.mode = RunMode.MULTIRUN
            config.hydra.overrides.task = [*self._common, *sweep_overrides]
            config.hydra.job.override_dirname = ",".join(sweep_overrides)
            if known is not None and (
                found := folder_of(folders_in(config), known.config, known.run_id)
            ):
                config.hydra.sweep.subdir = found[1]  # as its resolver would find it
        return config

    def job(self, master_config: DictConfig, overrides: Sequence[str]) -> Job:
        """Return one job, resolved; one that was asked for before is the same object.

        Raises:
            InputError: It cannot be composed, or a value is impossible.
        """
        key = tuple(overrides)
        if key not in self._jobs:
            self._jobs[key] = self._quick_job(master_config, key) or self._job(master_config, key)
        return self._jobs[key]

    def _job(self, master: DictConfig, key: tuple[str, ...]) -> Job:
        with explained(master, key):
            composed = self.load_sweep_config(master, list(key))
            config = resolve(composed)
            identity = run_id(config)
            own = composed.hydra.sweep
            with seen_by_hydra(composed):
                folder = folder_of(folders_in(composed), config, identity) or (own.dir, own.subdir)
        return Job(config, identity, Path(*folder), key)

    def _quick_job(self, master: DictConfig, key: tuple[str, ...]) -> Job | None:
        """Return a job that differs from an earlier one in numbers only; else None."""
        entries = [number_of(override) or override for override in key]
        form = tuple(e if isinstance(e, str) else (e[0], type(e[1])) for e in entries)
        if form not in self._forms:
            self._forms[form] = None  # a pattern is worth its price from the second job on
            return None
        found = self._forms[form] or self._pattern(master, entries)
        self._forms[form] = found
        if isinstance(found, str):
            return None
        pattern, folders = found
        config = RunConfig.of(pattern.filled([e[1] for e in entries if not isinstance(e, str)]))
        identity = run_id(config)
        folder = folder_of(folders, config, identity)
        try:
            validate(config)
        except InputError:
            folder = None  # said of the job as it was typed
        return Job(config, identity, Path(*folder), key) if folder else None

    def _pattern(self, master: DictConfig, entries: Sequence[_Entry]) -> _Form:
        """Return how the numbers of jobs of one form arrive, and where such jobs lie."""

        def composed(numbers: Sequence[Number]) -> DictConfig:
            left = iter(numbers)
            typed = [e if isinstance(e, str) else f"{e[0]}={next(left)!r}" for e in entries]
            return self.load_sweep_config(master, typed)

        numbers = [e[1] for e in entries if not isinstance(e, str)]
        try:
            one = composed(numbers)
            if not follows_numbers(one):
                return "an interpolation may do anything with a number"
            found = find(lambda n: unchecked(one if n is numbers else composed(n)), numbers)
        except Exception as error:  # whatever it is, composing the job itself says it
            return str(error)
        return (found, folders_in(one)) if found else "a number does not arrive as it is"

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
            with read_write(composed.hydra):  # a worker may be elsewhere than the command
                composed.hydra.runtime.cwd = master_config.hydra.runtime.cwd
            if self._adapt is not None:
                self._adapt(composed)
            self._bases[key] = _Base(composed, _pickled(composed))
        return self._bases[key], [o for o, is_structural in parsed if not is_structural]

    def _parse(self, text: str) -> tuple[Override, bool]:
        """Return an override, and whether composing depends on it."""
        if text not in self._parsed:
            (override,) = OverridesParser.create().parse_overrides([text])
            refuse_lists(override)  # one of a study's file has not been looked at
            self._parsed[text] = override, self._is_structural(override)
        return self._parsed[text]

    def _is_structural(self, override: Override) -> bool:
        if override.type is not OverrideType.CHANGE or override.package is not None:
            return True
        return self.repository.group_exists(override.key_or_group)

    def load_config(self, path: str) -> DictConfig | None:
        """Return a config file of the search path as it stands, or None."""
        if not self.repository.config_exists(path):
            return None
        found = self.repository.load_config(path)
        return cast(DictConfig, found.config) if found is not None else None


# Base configs of each loader in this process, by its token.
_BASES: dict[str, dict[tuple[str, ...], _Base]] = {}
_CACHES = ("_bases", "_parsed", "_forms", "_jobs", "listed")


def _adapted(adapt: Callable[[DictConfig], None] | None, folder: str, composed: DictConfig) -> None:
    if adapt is not None:
        adapt(composed)
    with read_write(composed.hydra), open_dict(composed.hydra):
        composed.hydra.sweep.dir = folder


def _pickled(composed: DictConfig) -> bytes | None:
    try:
        return pickle.dumps(composed)
    except (pickle.PicklingError, TypeError, AttributeError):
        return None
