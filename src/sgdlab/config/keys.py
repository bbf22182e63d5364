"""Refuses keys that nobody reads, as ``+key=…`` on a command line adds them."""

import dataclasses
from collections.abc import Iterable

from omegaconf import DictConfig, OmegaConf

from sgdlab.errors import InputError, suggest


def refuse_unread(section: str, found: Iterable[object], known: Iterable[str]) -> None:
    """Refuse the keys of a section that are not among the known ones.

    Raises:
        InputError: ``split.vall: no such key in split; valid: seed, test, val``.
    """
    valid = list(known)
    for key in map(str, found):
        if key not in valid:
            raise InputError(f"{section}.{key}: no such key in {section}; {suggest(key, valid)}")


def refuse_unread_below(config: DictConfig, prefix: str = "") -> None:
    """Refuse a key that a typed section, such as ``hydra.run`` or ``range``, has beyond its type.

    Args:
        config: A composed config, whose root keys are checked elsewhere; or a section of it.
        prefix: The dotted key of the section.

    Raises:
        InputError: Names the key and the nearest that there is. (``hydra.env`` is a group of
            Hydra's own that its type lacks.)
    """
    kind = OmegaConf.get_type(config)
    if prefix and dataclasses.is_dataclass(kind):
        known = [field.name for field in dataclasses.fields(kind)]
        refuse_unread(prefix, config, [*known, "env"] if prefix == "hydra" else known)
    for name in (key for key in config if isinstance(key, str)):
        if OmegaConf.is_missing(config, name) or OmegaConf.is_interpolation(config, name):
            continue
        value = config[name]
        if isinstance(value, DictConfig):
            refuse_unread_below(value, f"{prefix}.{name}" if prefix else name)
