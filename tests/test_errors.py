"""Messages of errors: one line, short, and of characters that files and terminals have."""

import pytest

from sgdlab.errors import LONGEST_REASON, one_line, reason_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\n  c", "a b c"),
        ("caf\udce9.txt", "caf\\xe9.txt"),
        ("\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        ("\u202eright to left", "\\u202eright to left"),
        ("Größe 中 …", "Größe 中 …"),
    ],
)
def test_a_message_is_a_line_of_printable_characters(text: str, shown: str):
    assert one_line(RuntimeError(text)) == shown
    assert reason_of(RuntimeError(text)) == f"RuntimeError: {shown}"


def test_a_reason_is_short_and_says_where_it_was_cut():
    reason = reason_of(ValueError("0.123456 " * 20000))
    assert len(reason) == LONGEST_REASON
    assert reason.startswith("ValueError: 0.123456 0.123456")
    assert reason.endswith(" … [cut: 180,011 characters]")


def test_an_error_that_cannot_be_told_is_named():
    class SilentError(Exception):
        def __str__(self) -> str:
            raise OSError("gone")

    assert reason_of(SilentError()) == "SilentError: its text cannot be made (OSError)"
