"""A user's YAML that no config can be is refused by file and line before Hydra reads it."""

import itertools
import resource
from pathlib import Path

import pytest

from sgdlab.config.user_files import check_file
from sgdlab.errors import InputError

POWERS = "\n".join(
    f"{own}: &{own} [{', '.join([f'*{before}'] * 9)}]"
    for before, own in itertools.pairwise("abcdefghijk")
)
REFUSED = {
    "tab": ("a:\n\t- b\n", "line 2: not valid YAML"),
    "twice": ("a: 1\nb: 2\na: 3\n", "line 3: the key a for the second time"),
    "number": ("42\n", "line 1: '42' alone; must be keys and values"),
    "word": ("\nword\n", "line 2: 'word' alone"),
    "list": ("- a\n", "line 1: a list; must be keys and values"),
    "nul": ("a: 1\nb: \0\n", r"line 2: the character '\x00'"),
    "escape": ("a: \x1b[31m\n", r"the character '\x1b'"),
    "python": ("a: 1\nb: !!python/object/apply:os.getcwd []\n", "line 2: the tag !!python/object"),
    "own tag": ("a: !x 1\n", "line 1: the tag !x"),
    "binary": ("a: !!binary aGk=\n", "line 1: the tag !!binary"),
    "loop": ("a: &a [*a]\n", "line 1: an alias inside of what it stands for"),
    "loop of keys": ("a: 1\nb: &b {c: *b}\n", "line 2: an alias inside"),
    "powers": (f"a: &a [1, 1]\n{POWERS}\n", "more than 10,000 values, aliases written out"),
    "values": ("".join(f"k{i}: {i}\n" for i in range(20_000)), "more than 10,000 values"),
    "large": (f"a: {'x' * 10_000_000}\n", "larger than 1 MiB"),
    "deep": ("[" * 500_000, "nested deeper than 40 levels"),
    "deep keys": ("".join(f"{' ' * i}a:\n" for i in range(200)), "line 41: nested deeper"),
    "key": ("? [a]\n: b\n", "line 1: a key that is a list or a mapping"),
    "64 bits": (f"a: 1\nb: {2**63}\n", "line 2: a whole number of more than 64 bits"),
    "digits": (f"a: {'9' * 5000}\n", "line 1: a whole number of more than 64 bits"),
    "no float": ("a: !!float abc\n", "line 1: 'abc' is no float"),
    "documents": ("a: 1\n---\nb: 2\n", "line 2: not valid YAML"),
    "no alias": ("a: *b\n", "line 1: not valid YAML"),
    "header": ("# @package a b c\na: 1\n", "Too many components"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_by_line(tmp_path: Path, text: str, said: str):
    path = tmp_path / "net.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        check_file(path)
    assert str(error.value).startswith(str(path))
    assert said in str(error.value)


def test_bytes_that_are_no_text_and_folders_are_refused(tmp_path: Path):
    path = tmp_path / "net.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(InputError, match="line 2: not UTF-8"):
        check_file(path)
    with pytest.raises(InputError, match="no file"):
        check_file(tmp_path)
    with pytest.raises(InputError, match="no file"):
        check_file(Path("/dev/zero"))


@pytest.mark.parametrize(
    "text",
    ["", "# only a comment\n", "a: 1\n", "null\n", "a: [1, {b: 2001-01-01}]\n", "<<: {a: 1}\n",
     f"a: {2**63 - 1}\nb: -{2**63 - 1}\nc: 1e400\n", "a: &a [1, 2]\nb: *a\nc: *a\n",
     f"weights: [{', '.join(['0.5'] * 5000)}]\n", "a: 0x1f\nb: 017\nc: 1:30\nd: 1_000\n"],
)  # fmt: skip
def test_what_a_config_can_be_is_let_through(tmp_path: Path, text: str):
    path = tmp_path / "net.yaml"
    path.write_text(text)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    check_file(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
