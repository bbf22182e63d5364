"""Completion in bash, zsh and fish: the script that a shell reads, and the words that it asks for.

Hydra's own completes ``sgdlab`` and not ``sgdlab train``, and composes a config at every key.
"""

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from sgdlab.config.catalogue import conf_dir, groups, members
from sgdlab.config.help_page import COMPLETED_FLAGS
from sgdlab.config.key_docs import key_docs, keys_in
from sgdlab.errors import InputError

SHELLS = ("bash", "zsh", "fish")

_INSTALL = {
    "bash": """\
_sgdlab() {
    local IFS=$'\\n' line="${COMP_LINE:0:COMP_POINT}" found
    local word="${line##* }"
    local head="${word%"${word##*[=:]}"}"
    COMPREPLY=()
    for found in $(COMP_LINE="$line" "${COMP_WORDS[0]}" train -sc query=bash 2> /dev/null); do
        COMPREPLY+=("${found#"$head"}")
    done
}
complete -o nospace -o bashdefault -o default -F _sgdlab sgdlab""",
    "zsh": """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }
_sgdlab() {
    local -a found
    local line="${words[1,CURRENT-1]} $PREFIX"
    found=("${(@f)$(COMP_LINE="$line" $words[1] train -sc query=zsh 2> /dev/null)}")
    if [[ -n "$found" ]]; then compadd -Q -S '' -- "${found[@]}"; else _files; fi
}
compdef _sgdlab sgdlab""",
    "fish": """\
function __sgdlab_complete
    set -lx COMP_LINE (commandline -cp)
    command sgdlab train -sc query=fish 2> /dev/null
end
complete -c sgdlab -e
complete -c sgdlab -f -a '(__sgdlab_complete)'
complete -c sgdlab -n '__fish_seen_subcommand_from report bundle diagnose' -F""",
}  # fmt: skip
_UNINSTALL = {
    "bash": "complete -r sgdlab 2> /dev/null; unset -f _sgdlab",
    "zsh": "compdef -d sgdlab; unfunction _sgdlab",
    "fish": "complete -c sgdlab -e; functions -e __sgdlab_complete",
}
_ABLATE = ("ingredients=", "ingredients.", "retune=true", "retune=false", "lr=")
"""Keys that ``ablate`` has beside those of ``compare``."""

_EXPERIMENTS = ("train", "compare", "lr-find", "verify")


def shell_completion(command: str, asked: str, commands: Iterable[str]) -> str:
    """Return what ``sgdlab COMMAND -sc ASKED`` prints.

    Args:
        command: The command; the answer is that of all.
        asked: ``install=SHELL``, ``uninstall=SHELL``, or ``query=SHELL`` with the line so far in
            the environment's COMP_LINE.
        commands: All commands.

    Raises:
        InputError: It is none of these.
    """
    what, _, shell = asked.partition("=")
    if what not in ("install", "uninstall", "query") or shell not in SHELLS:
        raise InputError(
            f"{command} --shell-completion {asked}".rstrip()
            + ": goes with install=bash, zsh or fish"
        )
    if what == "install":
        return f"{_INSTALL[shell]}\n"
    if what == "uninstall":
        return f"{_UNINSTALL[shell]}\n"
    found = completions(os.environ.get("COMP_LINE", ""), list(commands))
    # What is whole ends in a space, which fish adds by itself.
    ends = "" if shell == "fish" else " "
    return "".join(f"{word}{'' if word[-1] in '=.' else ends}\n" for word in found)


def completions(line: str, commands: Sequence[str]) -> list[str]:
    """Return the words that the last one of a command line may become.

    Args:
        line: The command line up to the cursor.
        commands: The words that may follow ``sgdlab``.
    """
    try:
        words = shlex.split(line)
    except ValueError:  # within quotes
        words = line.split()
    words = [*words[1:], ""] if not line or line[-1].isspace() else words[1:]
    *before, word = words or [""]
    if not before:
        found: Iterable[str] = [*commands, "--help", "--version"]
    elif before[0] == "list":
        found = _of_list(before[1:])
    elif before[0] == "ablate":
        found = [*_ABLATE, *_of_settings("compare", before[1:], word)]
    elif before[0] in _EXPERIMENTS:
        found = _of_settings(before[0], before[1:], word)
    else:
        found = ()
    return sorted({each for each in found if each.startswith(word)})


def _of_list(before: list[str]) -> Iterable[str]:
    if not before:
        return [*groups(), "--config-dir", "--plot", "--help"]
    return members(before[0]) if before[0] in groups() else ()


def _of_settings(command: str, before: list[str], word: str) -> Iterable[str]:
    own = _own(before)
    if before and before[-1] in ("--config-dir", "-cd", "--config-name", "-cn"):
        return ()
    if word.startswith("-"):
        return COMPLETED_FLAGS
    docs = {key: doc.default for key, doc in key_docs(command.replace("-", "_")).items()}
    group, _, _ = word.partition(".")
    if "." in word and group in groups() and group != "search":
        docs = {key: value for key, value in docs.items() if not key.startswith(f"{group}.")}
        docs |= _of_chosen(group, before, own)
    if "=" not in word:
        return _names([*docs, *(g for g in groups() if g != "search" and g not in docs)], word)
    return _values(word, docs, own)


def _names(keys: Iterable[str], word: str) -> Iterable[str]:
    """Return keys, those inside of a section only once it is typed."""
    keys, section = list(keys), word.rpartition(".")[0]
    for key in keys:
        parent, _, leaf = key.rpartition(".")
        if parent == section and leaf not in ("_target_", "_traits_"):
            has_more = any(other.startswith(f"{key}.") for other in keys)
            if has_more:
                yield f"{key}."
            if not has_more or key in groups():
                yield f"{key}="


def _values(word: str, docs: dict[str, str], own: Path | None) -> Iterable[str]:
    key, _, value = word.partition("=")
    group = {"optimizers": "optimizer", "workloads": "suite"}.get(key, key)
    if group in groups():
        # Several values, for -m or in a list: the last one is completed.
        head = value[: max(value.rfind(sign) for sign in ",[") + 1]
        return [f"{key}={head}{name}" for name in members(group, own)]
    default = docs.get(key, "")
    if default in ("true", "false"):
        return [f"{key}=true", f"{key}=false"]
    return [f"{key}={default.replace(' ', '')}"] if default and "$" not in default else ()


def _of_chosen(group: str, before: list[str], own: Path | None) -> dict[str, str]:
    """Return the keys of the member of a group that the line has chosen so far."""
    chosen = [w.partition("=")[2] for w in before if w.startswith(f"{group}=")]
    member = chosen[-1].partition(",")[0] if chosen else key_docs("train")[group].default
    for root in (conf_dir(), *([own] if own else [])):
        file = root / group / f"{member}.yaml"
        if member in members(group, own) and file.is_file():
            return {f"{group}.{key}": doc.default for key, doc in keys_in(file).items()}
    return {}


def _own(before: list[str]) -> Path | None:
    for index, word in enumerate(before[:-1]):
        if word in ("--config-dir", "-cd") and Path(before[index + 1]).is_dir():
            return Path(before[index + 1])
    return None
