"""What goes to a terminal, and what goes elsewhere."""

import io

import pytest

from sgdlab.terminal.console import console, takes_codes, wrapped


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _usual(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "40")


@pytest.mark.parametrize(
    ("own", "expected"),
    [({}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)],
)
def test_a_dumb_terminal_and_no_color_get_no_codes(monkeypatch, own, expected):
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    assert takes_codes(out) == expected
    console().print("[bold red]red[/] 1.5")
    assert ("\x1b[" in out.getvalue()) == expected
    assert not takes_codes(io.StringIO())


def test_sentences_are_wrapped_at_words_on_a_terminal_only():
    text = "a sentence with words that are longer than forty columns of a terminal"
    lines = wrapped(text, Terminal()).split("\n")
    assert max(map(len, lines)) <= 40
    assert " ".join(line.strip() for line in lines) == text
    assert wrapped(text, io.StringIO()) == text


def test_a_command_to_be_copied_stays_one_line():
    command = "sgdlab train --config-dir runs/train/2026-11-30/05 --config-name config"
    lines = wrapped(f"interrupted; it goes on from its checkpoint: {command}", Terminal())
    assert lines.split("\n")[-1].strip() == command
