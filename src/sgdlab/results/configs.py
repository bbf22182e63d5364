"""Reads ``config.yaml`` as plain values, without Hydra: of one run, or of thousands quickly."""

import re
from pathlib import Path
from typing import Any, cast

import yaml

from sgdlab.errors import InputError


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
        if not path.is_file():
            raise InputError(f"{path}: missing")
        try:
            content = path.read_text()
            whole = self._by_section(content)
            loaded = _yaml(content) if whole is None else whole
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark else ""
            raise InputError(f"{path}{where}: not valid YAML") from error
        if not isinstance(loaded, dict):
            raise InputError(f"{path}, line 1: not a mapping; not a config of sgdlab")
        return cast("dict[str, Any]", loaded)

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
                    known = _yaml(section)
                except yaml.YAMLError:
                    return None
                if not isinstance(known, dict) or len(cast("dict[str, Any]", known)) != 1:
                    return None
                self._sections[section] = known
            whole |= known
        return whole


def _yaml(content: str) -> Any:
    return yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
