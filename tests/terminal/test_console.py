"""What goes to a terminal, and what goes elsewhere."""

import io

import pytest
from rich.table import Table

from sgdlab.terminal.console import console, print_sentence, takes_codes, wrapped


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


SENTENCE = "a verdict with words that are longer than the columns of a terminal, " * 5


@pytest.mark.parametrize("elsewhere", [80, 160])
def test_a_pipe_gets_each_sentence_as_one_line_without_trailing_blanks(monkeypatch, elsewhere):
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    own = console(elsewhere=elsewhere)
    own.print(SENTENCE.strip(), markup=False)
    print_sentence(own, f"{SENTENCE}\n{SENTENCE}".replace(", \n", ",\n").strip(), 2, "bold")
    line = SENTENCE.strip()
    assert out.getvalue().split("\n") == [line, f"  {line}", f"  {line}", ""]


def test_a_terminal_gets_sentences_in_lines_of_its_width(monkeypatch):
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("NO_COLOR", "1")
    print_sentence(console(), SENTENCE, 2)
    lines = out.getvalue().rstrip("\n").split("\n")
    assert max(map(len, lines)) <= 40
    assert all(line.startswith("  ") for line in lines)
    assert " ".join(" ".join(lines).split()) == SENTENCE.strip()


def test_tables_stay_tables_in_a_pipe_and_no_line_ends_in_blanks(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "what"):
        table.add_column(heading)
    table.add_row("a", "one two three")
    table.add_row("b", "x")
    console(elsewhere=12).print(table)
    lines = out.getvalue().split("\n")
    assert lines == [line.rstrip() for line in lines]
    assert [line.split()[0] for line in lines if line[:1].strip()] == ["name", "a", "b"]
    assert max(map(len, lines)) <= 12
