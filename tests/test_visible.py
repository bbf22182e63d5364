"""Foreign text shows as text: it moves no cursor, changes no direction, ends no line."""

import os
import subprocess
import unicodedata

import pytest

from sgdlab.visible import (
    HIDDEN,
    shell_path,
    shell_word,
    visible,
    visible_lines,
    without_password,
)

HOSTILE = "\x1b]0;x\x07\x9b31m\u202eabc\u2066\n\r\t\x00\x7f\udce9\ufeff\u200b"


def test_what_acts_is_shown_by_its_number() -> None:
    shown = r"\x1b]0;x\x07\x9b31m\u202eabc\u2066\n\r\t\x00\x7f\xe9\ufeff\u200b"
    assert visible(HOSTILE) == shown


@pytest.mark.parametrize("text", ["nesterov", "μP – Größe ≤ 3 · 日本語", "e\u0301", ""])
def test_what_is_seen_stays(text: str) -> None:
    assert visible(text) == text


def test_lines_stay_where_they_are_wanted() -> None:
    assert visible_lines("a\n\x1bb") == "a\n\\x1bb"


def test_every_character_without_a_picture_is_hidden() -> None:
    joiners = {"\u200c", "\u200d"}
    for code in range(0x110000):
        kind = unicodedata.category(chr(code))
        if kind in ("Cc", "Cf", "Cs", "Zl", "Zp") or chr(code) in joiners:
            assert HIDDEN.match(chr(code)), hex(code)
        elif kind[0] in "LNPSM":
            assert not HIDDEN.match(chr(code)), hex(code)


@pytest.mark.skipif(not os.path.exists("/bin/bash"), reason="needs bash")
@pytest.mark.parametrize("word", ["a b", "it's", HOSTILE.replace("\x00", ""), "1\x1b2\\n"])
def test_a_shell_reads_the_word_that_was_meant(word: str) -> None:
    typed = shell_word(word)
    assert visible(typed) == typed
    said = subprocess.run(
        ["/bin/bash", "-c", f"printf %s {typed}"], capture_output=True, check=True
    )
    assert said.stdout == word.encode("utf-8", "surrogateescape")


def test_a_path_is_no_option() -> None:
    assert (shell_path("-x/r1"), shell_path("runs/s")) == ("./-x/r1", "runs/s")


def test_no_password_of_a_url_is_shown() -> None:
    typed = "logger.mlflow.uri=http://me:s3cret@host:5000/a@b optimizer=adam x=sqlite:///a@b.db"
    shown = "logger.mlflow.uri=http://***@host:5000/a@b optimizer=adam x=sqlite:///a@b.db"
    assert without_password(typed) == shown
