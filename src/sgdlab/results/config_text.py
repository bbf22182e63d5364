"""The text of ``config.yaml``: sections that a run shares with others are put into words once."""

import re
from collections.abc import Mapping
from typing import Any, cast

import yaml

_SafeDumper: Any = yaml.SafeDumper
_QuickDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
# libyaml quotes, folds and escapes other text by rules of its own.
_SAME = re.compile(r"[A-Za-z0-9_./*+-]{1,100}", re.ASCII)


def config_text(config: Mapping[str, Any]) -> str:
    """Return a mapping as YAML in block style, its keys in their order."""
    return "".join(_section(key, value) for key, value in config.items())


_texts: dict[tuple[str, str], str] = {}
_KEPT = 4096


def _section(key: str, value: Any) -> str:
    if not _is_simple({key: value}):
        return _emitted({key: value}, _SafeDumper)
    known = key, repr(value)  # tells 1 from 1.0, true and "1", as JSON does not for keys
    if known not in _texts:
        if len(_texts) >= _KEPT:
            _texts.clear()
        _texts[known] = _emitted({key: value}, _QuickDumper)
    return _texts[known]


def _emitted(content: dict[str, Any], dumper: Any) -> str:
    return yaml.dump(content, Dumper=dumper, sort_keys=False, allow_unicode=True)


def _is_simple(value: object) -> bool:
    """Say whether libyaml writes a value byte for byte as PyYAML does."""
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return all(_is_simple(key) and _is_simple(item) for key, item in items)
    if isinstance(value, list):
        return all(map(_is_simple, cast("list[object]", value)))
    if isinstance(value, str):
        return _SAME.fullmatch(value) is not None
    return value is None or type(value) in (bool, int, float)
