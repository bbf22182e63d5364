"""The commands that the pages show, as a shell would take them apart."""

import re
import subprocess

PROGRAMS = ("sgdlab", "torchrun", "python", "pip", ".venv/bin/", "scripts/")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\\.")
_SETTING = re.compile(r"^['+~]*[\w.@/]+=\S|(?:^|\s)~\w|\s[\w.@/]+=[\[{]")
_FOR_THE_SHELL = re.compile(r"[\[\]{}*?]|(?:^|\s)~\w")


def blocks(text: str, *languages: str) -> list[str]:
    """Return the blocks of a page that are written in one of these languages."""
    found = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.M | re.S)
    return [body for language, body in found if language in languages]


def commands(block: str) -> list[str]:
    """Return the commands of a block: without comments, a continued one in one line."""
    lines = block.replace("\\\n", " ").splitlines()
    typed = [re.sub(r"(?:^|\s)#.*", "", line).strip() for line in lines]
    return [re.sub(r"\s+", " ", line) for line in typed if line]


def in_sentences(text: str) -> list[str]:
    """Return what is meant to be typed, a command or a setting, in the sentences of a page."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    spans = re.findall(r"`([^`\n]+)`", prose)
    return [span for span in spans if span.startswith(PROGRAMS) or _SETTING.search(span)]


def unquoted(command: str) -> str:
    """Return the characters that a shell would take for itself: braces, brackets, ``*``, ``~x``."""
    return "".join(_FOR_THE_SHELL.findall(_QUOTED.sub("", command)))


def words(command: str) -> list[str]:
    """Return the words that bash makes of a command, as strict as zsh: no match is an error."""
    done = subprocess.run(
        ["bash", "-O", "failglob", "-c", rf"printf '%s\0' {command}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\0")[:-1]
