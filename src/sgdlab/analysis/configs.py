"""The settings of every run, from as few config files as tell them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sgdlab.errors import InputError
from sgdlab.optimizers.traits import KEY
from sgdlab.results import OTHER_SETTINGS, Cell, ConfigReader, columns_that_tell, determining
from sgdlab.results import other_settings as hash_of_others

Settings = dict[str, Cell]


class Configs:
    """Settings of runs, told by their summaries and one config for all that share the rest.

    Runs whose summary has no `OTHER_SETTINGS` (one not written by sgdlab, or none at all) are
    read from their own config. Settings that are equal are one object, not to be changed.

    Attributes:
        problems: What is wrong with a config, by number of the run in the order of calls.
        own_traits: What the YAML of users' optimizers says of them, by ``_target_``.
    """

    def __init__(self) -> None:
        self.problems: dict[int, str] = {}
        self.own_traits: dict[str, Any] = {}
        self._reader = ConfigReader()
        self._calls = 0
        self._shared: dict[str, tuple[Settings, dict[str, str]]] = {}
        self._known: dict[tuple[object, ...], Settings] = {}

    def settings(self, directory: str, row: Mapping[str, Cell]) -> Settings:
        """Return the settings that determine the result of a run, the seed excepted.

        Args:
            directory: The run directory.
            row: The summary of the run; cells that it lacks are None.
        """
        number, self._calls = self._calls, self._calls + 1
        others = row.get(OTHER_SETTINGS)
        if isinstance(others, str) and others in self._shared:
            settings, told = self._shared[others]
            cells = tuple(row.get(column) for column in told.values())
            key = others, cells, tuple(map(type, cells))  # 1 and True are equal
            if key not in self._known:
                self._known[key] = {**settings, **dict(zip(told, cells, strict=True))}
            return self._known[key]
        try:
            config = self._reader.read(Path(directory))
        except InputError as error:
            self.problems[number] = str(error)
            return {}
        settings = determining(config)
        if (told := dict[str, Any](config.get("optimizer") or {}).get(KEY)) is not None:
            self.own_traits[str(settings.get("optimizer._target_"))] = told
        # Only a config that fits its summary may speak for other runs.
        if isinstance(others, str) and hash_of_others(config, row) == others:
            self._shared[others] = settings, columns_that_tell(settings, row)
        return self._known.setdefault(tuple(map(repr, settings.items())), settings)

    def read(self, directory: str) -> dict[str, Any]:
        """Return the config of a run, empty when it cannot be read."""
        try:
            return self._reader.read(Path(directory))
        except InputError:
            return {}
