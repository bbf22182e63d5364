"""Reads ``config.yaml`` as plain values, without Hydra: of one run, or of thousands quickly."""

import re
from pathlib import Path
from typing import Any, cast

from sgdlab.errors import InputError
from sgdlab.results.plain_yaml import Unreadable, parsed, yaml_text


def read_config(directory: Path) -> dict[str, Any]:
    """Return ``config.yaml`` of a run as plain values, without Hydra.

    Raises:
        InputError: The file is missing or damaged; names the file and the line.
    """
    return ConfigReader().read(directory)


class ConfigReader:
    """Reads configs of many runs: sections that an earlier one had, too, are not parsed again.

    Sections that were read before are the same objects, not to be changed.
    """

    def __init__(self) -> None:
        self._sections: dict[str, dict[str, Any]] = {}

    def read(self, directory: Path) -> dict[str, Any]:
        """Return ``config.yaml`` of a run as plain values.

        Raises:
            InputError: The file is missing or damaged; names the file and the line.
        """
        path = directory / "config.yaml"
        try:
            content = yaml_text(path)
            whole = self._by_section(content)
            loaded = parsed(content) if whole is None else whole
        except FileNotFoundError:
            raise InputError(f"{path}: missing") from None
        except Unreadable as error:
            raise error.named(path) from error
        if not isinstance(loaded, dict):
            raise InputError(f"{path}, line 1: not a mapping; not a config of sgdlab")
        found = cast("dict[str, Any]", loaded)
        _refuse_other_shapes(found, path)
        return found

    def _by_section(self, content: str) -> dict[str, Any] | None:
        """Return the config, or None where its sections cannot be read one by one."""
        # Anchors, directives and documents reach beyond a section.
        if re.search(r"[&*]|^(---|\.\.\.|%)", content, re.MULTILINE):
            return None
        whole: dict[str, Any] = {}
        for section in re.split(r"(?<=\n)(?=[A-Za-z_])", content):
            known = self._sections.get(section)
            if known is None:
                try:
                    known = parsed(section)
                except Unreadable:
                    return None
                if not isinstance(known, dict) or len(cast("dict[str, Any]", known)) != 1:
                    return None
                self._sections[section] = known
            whole |= known
        return whole


def _refuse_other_shapes(config: dict[str, Any], path: Path) -> None:
    """Refuse a config in which text or a list stands where every reader expects a section."""
    for key in ("names", "optimizer"):
        if not isinstance(config.get(key), dict | None):
            raise InputError(f"{path}: {key} is no mapping; not a config of sgdlab")
