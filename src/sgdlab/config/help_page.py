"""``sgdlab COMMAND --help``: the keys that people use with a line each, the rest by group.

Hydra's own page prints every group on one line and every value of the config.
"""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from sgdlab.config.catalogue import groups, members
from sgdlab.config.key_docs import KeyDoc, header_of, key_docs
from sgdlab.visible import visible

_USED = {
    "train": (
        "optimizer", "lr", "optimizer.momentum", "optimizer.weight_decay", "schedule",
        "schedule.warmup_epochs", "model", "model.hidden", "dataset", "loss", "batch_size",
        "epochs", "max_steps", "seed", "device", "precision", "clip_norm", "diagnostics",
        "checkpoint.every", "study",
    ),
    "compare": (
        "optimizers", "dataset", "model", "workloads", "protocol", "replicates", "max_replicates",
        "trials", "seeds", "seconds", "epochs", "batch_size", "schedule", "schedule.warmup_epochs",
        "search.method", "search.halving", "select_by", "target", "margin",
        "study",
    ),
    "lr_find": (
        "optimizer", "optimizer.momentum", "optimizer.weight_decay", "model", "model.hidden",
        "dataset", "loss", "range.start", "range.stop", "range.steps", "range.mode",
        "range.smoothing", "range.diverge", "range.val", "batch_size", "accumulate", "seed",
        "device", "precision", "clip_norm",
    ),
    "verify": ("families", "rows", "plots", "processes", "lock"),
}  # fmt: skip
"""What people set, by primary config, in the order of the page."""

_SET_BY_SGDLAB = ("names", "relative_paths", "phase", "trial", "replicate", "contender", "lesson")
"""Keys that are recorded in a run and typed by nobody."""

_ONLY_COMPARE = ("protocol", "search", "suite")

_FLAGS = (
    ("-m", "every combination of values, as in lr=0.01,0.1 seed=0,1,2", ("train", "lr_find")),
    ("--cfg job", "print all keys and their values, and end", ()),
    ("--config-dir DIR", "members of your own, in DIR/optimizer and so on", ()),
    ("-sc install=SHELL", "completion for bash, zsh or fish", ()),
    ("--hydra-help", "all flags", ()),
)
"""Flag, meaning, and the configs that take it (none: all)."""

COMPLETED_FLAGS = (
    "--multirun", "--cfg", "--resolve", "--config-dir", "--config-name", "--info", "--help",
    "--hydra-help", "--shell-completion",
)  # fmt: skip


def help_page(command: str, own: Path | None = None, width: int | None = None) -> str:
    """Return the help of a command that runs experiments, no line wider than the terminal.

    Args:
        command: The command, such as ``lr-find``.
        own: The user's config folder, whose members are shown, too.
        width: Columns; None: those of the terminal, at most 100, and 80 elsewhere.
    """
    width = width or _width()
    config = command.replace("-", "_")
    docs = key_docs(config)
    used = [docs[key] for key in _USED[config] if key in docs]
    lines = [*textwrap.wrap(header_of(config), width, break_on_hyphens=False), ""]
    lines += [f"usage: sgdlab {command} [key=value ...] [flags]", ""]
    rest = list(_rest(docs, {doc.key for doc in used}))
    lines += ["The keys that people use, with defaults" if rest else "Keys, with defaults"]
    lines += _table([(f"{doc.key}={_short(doc.default)}", _said(doc)) for doc in used], width)
    if rest:
        lines += ["", "More keys, by section; --cfg job prints their values"]
        lines += _table(rest, width)
    if config != "verify":
        lines += ["", "Groups and members; sgdlab list GROUP MEMBER has its keys"]
        lines += _table(list(_groups(config, own)), width)
    lines += ["", "Flags"]
    flags = [(flag, said) for flag, said, of in _FLAGS if not of or config in of]
    lines += _table(flags, width)
    return "\n".join(map(visible, lines)) + "\n"


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 100) if sys.stdout.isatty() else 80


def _short(default: str) -> str:
    return "null" if default.startswith("${") else default.replace(", ", ",")


def _said(doc: KeyDoc) -> str:
    """Return the first clause of a comment."""
    return re.split(r"[.;] ", f"{doc.comment} ")[0].strip().removesuffix(".")


def _rest(docs: Mapping[str, KeyDoc], used: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the sections that are not shown in full, each with its other keys."""
    sections: dict[str, list[str]] = {}
    for key in docs:
        section, _, leaf = key.partition(".")
        is_section = any(other.startswith(f"{key}.") for other in docs)
        if section in groups() and section != "search" and leaf:
            continue  # those of another member are others
        if key not in used and section not in _SET_BY_SGDLAB and not is_section:
            sections.setdefault(section if leaf else "", []).append(leaf or key)
    for section, leaves in sections.items():
        yield f"{section}." if section else "", " ".join(leaves)


def _groups(config: str, own: Path | None) -> Iterator[tuple[str, str]]:
    for group in groups():
        if group == "search" or (group in _ONLY_COMPARE and config != "compare"):
            continue
        yield ("workloads" if group == "suite" else group), " ".join(members(group, own))


def _table(rows: list[tuple[str, str]], width: int) -> list[str]:
    """Return rows of two columns, the second wrapped at words."""
    first = min(max(len(name) for name, _ in rows), 29)
    lines: list[str] = []
    for name, text in rows:
        wrapped = textwrap.wrap(
            text, max(width - first - 4, 20), break_on_hyphens=False, break_long_words=False
        ) or [""]
        if len(name) > first:
            lines.append(f"  {name}")
            name = ""
        lines.append(f"  {name:<{first}}  {wrapped[0]}".rstrip())
        lines += [f"  {'':<{first}}  {line}" for line in wrapped[1:]]
    return lines
