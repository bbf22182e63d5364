"""What is said of a key or a member that there is not: where it would be, and what is near."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sgdlab.config.catalogue import conf_dir, groups, members, members_meant, suggest_member
from sgdlab.config.interpolation import keys_of, unknown_key
from sgdlab.config.key_docs import key_docs, keys_in
from sgdlab.config.mistyped import keys_meant, of_member
from sgdlab.config.schema import WATCHING
from sgdlab.config.typed import quoted
from sgdlab.errors import listed, suggest

_LISTED = 8  # names that are written out


def missing_file(error: MissingConfigException, own: Path | None) -> str:
    """Return the line of a member, or of a primary config, that there is not.

    Args:
        error: What Hydra raised; it names the file.
        own: The user's config folder.
    """
    missing = str(error.missing_cfg_file)
    group, _, member = missing.rpartition("/")
    options = [str(option) for option in error.options or ()]
    if (root := missing.partition("/")[0]) != missing and root in groups():
        group, member = root, missing.partition("/")[2]  # it may lie in a folder of the group
        options = sorted({*members(group, own), *(options if "/" not in member else ())})
    elif error.options is None and not group:
        return f"--config-name {missing}: no such config in {own or conf_dir()}"
    none = f"{group}={member}: no such member of {group}"
    meant = [f"{group}={name}" for name in members_meant(group, member, own, options)]
    inside = any(option.startswith(f"{member}/") for option in options)
    if not inside and (meant := meant or of_member(member, own)):
        return f"{none}; did you mean {' or '.join(meant)}?"
    return f"{none}; {suggest_member(group, member, own, options)}"


def no_such_key(key: str, name: str, own: Path | None, overrides: Sequence[str]) -> str:
    """Return the line of a key that there is not, with the whole word that was probably meant.

    Args:
        key: The dotted key.
        name: The name of the primary config.
        own: The user's config folder.
        overrides: The overrides that were typed.
    """
    config, choices = _composed(name, own, overrides)
    valid = keys_of(config)
    group, _, rest = key.partition(".")
    if group == WATCHING and not any(v.startswith(f"{group}.{rest.split('.')[0]}.") for v in valid):
        tracker = rest.partition(".")[0]
        return f"{key}: a setting of a tracker that is not chosen; add {group}={tracker}"
    typed = next((o for o in reversed(overrides) if o.lstrip("+").partition("=")[0] == key), key)
    member = f"{group}={choices[group]}" if choices.get(group) else group
    if group in groups() and group != WATCHING and rest and "." not in rest:
        return f"{typed}: {member} has no setting {rest}{_setting_meant(typed, valid, own)}"
    if typed == key:
        return unknown_key(key, valid)
    value, leaf = typed.partition("=")[2], key.rpartition(".")[2]
    is_known = any(name.rpartition(".")[2] == leaf for name in valid)
    if not is_known and (line := _of_another_member(typed, overrides)):
        return line
    meant = [f"{name}={_value_meant(name, value, own)}" for name in keys_meant(key, valid)]
    meant = meant or of_member(value, own)
    if not meant:
        return unknown_key(key, valid)
    section = key.rpartition(".")[0]
    where = f" in {section}" if section in valid else ""
    return f"{typed}: no such key{where}; did you mean {' or '.join(meant)}?"


def _value_meant(key: str, value: str, own: Path | None) -> str:
    """Return what is typed for a key; of a group the member that a name which is none may mean."""
    if key not in groups() or value in (known := members(key, own)):
        return value
    return next(iter(members_meant(key, value, own, known)), value)


def _setting_meant(typed: str, valid: Sequence[str], own: Path | None) -> str:
    """Say what a setting that the chosen member of its group lacks may have meant.

    One of the member that is near; else one of that name of other members; else a key of that name
    elsewhere; else the settings that the member has.
    """
    key, equals, value = typed.lstrip("+").partition("=")
    group, _, leaf = key.partition(".")
    near = [each for each in keys_meant(key, valid) if not any(_inside(each, valid))]
    here = [each for each in near if each.startswith(f"{group}.")]
    others = [] if here else [name for name, keys in _keys_of_members(group, own) if leaf in keys]
    known = [each for each in _inside(group, valid) if not each.startswith("_")]
    if others:
        verb = "take" if len(others) > 1 else "takes"
        own_ones = f" (it has {listed(known, _LISTED)})" if known else ""
        return f"{own_ones}; {group}={listed(others, _LISTED)} {verb} one"
    if meant := here or near:
        return f"; did you mean {' or '.join(f'{each}{equals}{value}' for each in meant)}?"
    return f"; {suggest(leaf, known)}" if known else ", and no other"


def _inside(section: str, valid: Sequence[str]) -> Iterator[str]:
    parts = (name.rpartition(".") for name in valid)
    return (leaf for above, _, leaf in parts if above == section)


def _keys_of_members(group: str, own: Path | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for member in members(group, own):
        for root in (conf_dir(), own):
            if root is not None and (file := root / group / f"{member}.yaml").is_file():
                yield member, keys_in(file)


def _of_another_member(typed: str, overrides: Sequence[str]) -> str | None:
    """Return the line of a setting that the default member of a group has, and the chosen lacks."""
    leaf = typed.lstrip("+").partition("=")[0].rpartition(".")[2]
    for chosen in overrides:
        group, _, member = chosen.partition("=")
        if group in groups() and f"{group}.{leaf}" in key_docs("train"):
            return f"{typed}: {chosen} has no {leaf}; sgdlab list {group} {member} shows its keys"
    return None


def valid_keys(name: str, own: Path | None, overrides: Sequence[str]) -> list[str]:
    """Return the keys that the config has once the group choices of the command line are made."""
    return keys_of(_composed(name, own, overrides)[0])


def _composed(
    name: str, own: Path | None, overrides: Sequence[str]
) -> tuple[DictConfig, Mapping[str, Any]]:
    """Return the config without settings, and the member of each group."""
    chosen = [o for o in overrides if o.partition("=")[0] in groups()]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        if own is not None:
            chosen.append(f"hydra.searchpath=[{quoted(f'file://{own}')}]")
        try:
            config = compose(name, chosen, return_hydra_config=True)
        except (HydraException, OmegaConfBaseException):
            config = compose("train", return_hydra_config=True)
    choices: Any = OmegaConf.to_container(config.hydra.runtime.choices)
    named: Any = OmegaConf.to_container(config.get("names") or OmegaConf.create())
    own_keys = [key for key in map(str, config) if key != "hydra"]
    return OmegaConf.masked_copy(config, own_keys), {**choices, **named}
