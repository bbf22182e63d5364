"""Command lines as other tools take them: ``--lr 0.1``, ``lr = 0.1``, ``adam``, and how ours go."""

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sgdlab.config.catalogue import groups, members
from sgdlab.config.key_docs import key_docs
from sgdlab.errors import InputError, nearest
from sgdlab.visible import shell_word

OTHER_NAMES = {
    "learning_rate": "lr", "learningrate": "lr", "eta": "lr", "step_size": "lr",
    "batch": "batch_size", "bs": "batch_size", "minibatch_size": "batch_size",
    "num_epochs": "epochs", "n_epochs": "epochs", "max_epochs": "epochs",
    "steps": "max_steps", "num_steps": "max_steps", "iterations": "max_steps",
    "random_seed": "seed", "random_state": "seed", "wd": "weight_decay", "l2": "weight_decay",
    "optim": "optimizer", "opt": "optimizer", "net": "model", "network": "model", "arch": "model",
    "data": "dataset", "criterion": "loss", "scheduler": "schedule", "lr_scheduler": "schedule",
    "lr_schedule": "schedule", "warmup": "warmup_epochs", "num_warmup_steps": "warmup_steps",
    "max_grad_norm": "clip_norm", "grad_clip": "clip_norm", "gradient_clip_val": "clip_norm",
    "grad_accum": "accumulate", "gradient_accumulation_steps": "accumulate", "gpu": "device",
    "early_stopping": "patience", "hidden_sizes": "hidden", "hidden_layers": "hidden",
    "num_threads": "threads", "num_trials": "trials", "n_trials": "trials",
}  # fmt: skip
"""What a key is called elsewhere, and the last part of its name here."""


def keys_meant(key: str, valid: Iterable[str]) -> list[str]:
    """Return the valid dotted keys that an unknown one may mean, best first; none: nothing is near.

    Args:
        key: The key as it was typed.
        valid: Every dotted key that there is.
    """
    valid = [name for name in valid if "_traits_" not in name and not name.endswith("_target_")]
    section, _, leaf = key.replace("-", "_").rpartition(".")
    ours = OTHER_NAMES.get(leaf.casefold(), leaf)
    here = f"{section}.{ours}" if section else ours
    same = [name for name in valid if name.rpartition(".")[2] == ours]
    if here in same:
        return [here]
    if same and not (section and section in valid):
        near = nearest(section, [name.rpartition(".")[0] for name in same]) if section else []
        return _inside(section, leaf, valid) or [f"{part}.{ours}" for part in near if part] or same
    known = section
    while known and known not in valid:
        known = known.rpartition(".")[0]
    if known == section:
        near = nearest(leaf, [n.rpartition(".")[2] for n in valid if n.rpartition(".")[0] == known])
        return [f"{known}.{name}" if known else name for name in near] or same
    return same or nearest(key, valid)


def _inside(section: str, leaf: str, valid: Sequence[str]) -> list[str]:
    """Return the keys of such a name in the sections that an unknown one is near to."""
    above, _, part = section.rpartition(".")
    if not above or above not in valid:
        return []
    beside = [name.rpartition(".")[2] for name in valid if name.rpartition(".")[0] == above]
    # A part may take keys that its section does not list, so the last one is kept as typed.
    return [f"{above}.{name}.{leaf}" for name in nearest(part, beside)]


def refuse_dashes(command: str, arguments: Sequence[str]) -> None:
    """Refuse settings that are typed as flags: ``--lr 0.1``, ``--lr=0.1``, ``-lr 0.1``.

    Raises:
        InputError: Has the words as they are typed here.
    """
    words, wrong, right = list(arguments), list[str](), list[str]()
    while words:
        word = words.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if name in _FLAGS or not re.match(r"--?[A-Za-z][\w.-]+(=|$)", word):
            continue
        if (found := _key(name, command)) is None:
            continue
        wrong.append(word)
        if not equals:
            follows = bool(words) and "=" not in words[0] and not _is_flag(words[0])
            value = words.pop(0) if follows else "true"
            wrong += [value] if follows else []
        right.append(_setting(command, found, value))
    if right:
        raise InputError(
            f"{command} {' '.join(wrong)}: settings are typed without dashes: {_line(right)}"
        )


def refuse_apart(command: str, overrides: Sequence[str], own: Path | None) -> None:
    """Refuse settings whose parts stand apart, ``lr = 0.1``, ``lr 0.1``, ``lr:0.1``, or lack.

    Args:
        command: The command.
        overrides: The words of the command line that are no flags.
        own: The user's config folder.

    Raises:
        InputError: Has the words as they are typed here.
    """
    for index, word in enumerate(overrides):
        after = list(overrides[index + 1 : index + 3])
        if (said := _apart(word, after, command)) is not None:
            typed, right = said
            raise InputError(f"{typed}: must be one word, KEY=VALUE: {_line([right])}")
        if (found := _ranged(command, word)) is not None:
            raise InputError(f"{word}: several values are typed with -m: -m {found}")
        if "=" not in word and (names := of_member(word, own)):
            which = " or ".join(names)
            raise InputError(f"{word}: a member without its group: write {which}")


def _setting(command: str, key: str, value: str) -> str:
    known = key_docs(command.replace("-", "_")).get(key)
    is_list = known is not None and known.default.startswith("[") and not value.startswith("[")
    return f"{key}=[{value}]" if is_list else f"{key}={value}"


def _apart(word: str, after: list[str], command: str) -> tuple[str, str] | None:
    """Return the words of a setting that stand apart, and the one that they should be."""
    if colon := re.fullmatch(r"([A-Za-z_][\w./]*)(:=?|==|:)(.*)", word):
        key, value = _key(colon[1], command), colon[3].removeprefix("=")
        if key is not None and (value or after):
            return (
                (word, f"{key}={value}") if value else (f"{word} {after[0]}", f"{key}={after[0]}")
            )
    plain = word.removesuffix("=")
    if "=" in plain or not after or (key := _key(plain, command)) is None:
        return None
    if word.endswith("=") and "=" not in after[0]:
        return f"{word} {after[0]}", f"{key}={after[0]}"
    if word == plain and after[0] == "=" and len(after) == 2:
        return f"{word} = {after[1]}", f"{key}={after[1]}"
    if word == plain and after[0].startswith("=") and len(after[0]) > 1:
        return f"{word} {after[0]}", f"{key}{after[0]}"
    if word == plain and "=" not in after[0]:
        return f"{word} {after[0]}", f"{key}={after[0]}"
    return None


_LISTED = 10  # values that are written out


def _ranged(command: str, word: str) -> str | None:
    """Return how the values of ``seed=0..4`` are typed, of a key that is a number."""
    found = re.fullmatch(r"([\w.]+)=(\d{1,9})(?:\.\.\.?|-|:)(\d{1,9})", word)
    if found is None or int(found[2]) > int(found[3]):
        return None
    known = key_docs(command.replace("-", "_")).get(found[1])
    if known is None or not re.match(r"\d", known.default):
        return None  # such as study=1-2
    low, high = int(found[2]), int(found[3])
    if high - low < _LISTED:
        return f"{found[1]}={','.join(map(str, range(low, high + 1)))}"
    return shell_word(f"{found[1]}=range({low},{high + 1})")


def of_member(word: str, own: Path | None = None) -> list[str]:
    """Return the settings that choose a member of such a name, ``optimizer=adam``."""
    return [
        f"{group}={name}"
        for group in groups()
        if group not in ("search", "suite")
        for name in members(group, own)
        if name.casefold() == word.casefold()
    ]


@functools.cache
def _keys(command: str) -> set[str]:
    return {*key_docs(command.replace("-", "_")), *groups()}


def _key(name: str, command: str) -> str | None:
    """Return the key of a command that a name stands for, where that is sure."""
    keys = _keys(command)  # only now: reading them takes a tenth of a second
    plain = name.replace("-", "_")
    if plain in keys:
        return plain
    found = keys_meant(plain, keys) if plain.casefold() in OTHER_NAMES or "." not in plain else []
    sure = [key for key in found if key.rpartition(".")[2] == OTHER_NAMES.get(plain, plain)]
    return sure[0] if len(sure) == 1 else None


_FLAGS = (
    "help", "hydra-help", "version", "cfg", "resolve", "package", "run", "multirun",
    "shell-completion", "config-path", "config-name", "config-dir", "info", "experimental-rerun",
    "cn", "cd", "cp", "sc",
)  # fmt: skip
"""Hydra's flags: `hydra._internal.utils.get_args_parser` has them."""


def _is_flag(word: str) -> bool:
    return re.match(r"--?[A-Za-z]", word) is not None


def _line(words: Sequence[str]) -> str:
    return f"write {' '.join(map(shell_word, words))}"
