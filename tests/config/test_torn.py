"""What the shell made of brackets that were not quoted, and the word to type instead."""

import subprocess

import pytest

from sgdlab.config.torn import refuse_torn, unreadable
from sgdlab.errors import InputError

OF_PAIRS = ("search.", "axes=")


@pytest.mark.parametrize(
    "typed",
    [
        "search.scientific={schedule:[cosine,constant]}",
        "search.scientific={schedule:[cosine,constant],loss:[a,b]}",
        "search.nesterov.lr={low:0.1,high:1}",
        "axes={epochs: [5, 10]}",
        "optimizers=[sgd, adam]",
    ],
)
def test_what_bash_makes_of_it_is_put_together_again(typed: str):
    command = ["bash", "-c", f"printf '%s\\n' lr=1 {typed} seed=2"]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    with pytest.raises(InputError) as caught:
        refuse_torn(words, OF_PAIRS)
    assert str(caught.value).endswith(f"; quote it: '{typed}'")


def test_a_bracket_without_its_partner_is_named():
    with pytest.raises(InputError, match=r"^lr=\[1: \[ has no partner; quote the whole, 'lr=…'$"):
        refuse_torn(["lr=[1", "seed=2"])


@pytest.mark.parametrize(
    "typed",
    ["lr=[1]", "study='a[b'", r"study=a\[b", "axes={epochs:[1]}", "device=cuda:0 device=cuda:1"],
)
def test_what_is_whole_passes(typed: str):
    refuse_torn(typed.split(), OF_PAIRS)


def test_a_word_without_a_value_is_told_from_one_that_cannot_be_read():
    assert unreadable("foo") == "foo: expected KEY=VALUE"
    assert "quotes" in unreadable("study=a:b,=")
