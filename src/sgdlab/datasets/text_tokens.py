"""A text as numbers: how it is cut into three parts, and what its tokens are."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sgdlab.datasets import bpe
from sgdlab.datasets.text_files import Source
from sgdlab.errors import InputError

PARTS = ("training", "validation", "test")
KINDS = ("bytes", "characters", "bpe")


class Encoding(Protocol):
    """What turns a piece of text into numbers of tokens.

    Attributes:
        token: What one token is.
        plural: What several are.
        vocabulary: How many different ones there are.
        token_bytes: The bytes of each; None where they are not the same wherever it stands.
        unknown: The token for all that training does not show; None where there is none.
    """

    token: str
    plural: str
    vocabulary: int
    token_bytes: list[int] | None
    unknown: int | None

    def encode(self, piece: Any, /) -> np.ndarray:
        """Return the tokens of a piece, of any integer type."""
        ...


class ByteTokens:
    """The 256 bytes."""

    token, plural, vocabulary = "byte", "bytes", 256
    unknown: int | None = None

    def __init__(self) -> None:
        self.token_bytes: list[int] | None = [1] * self.vocabulary

    def encode(self, piece: bytes) -> np.ndarray:
        """Return the bytes."""
        return np.frombuffer(piece, np.uint8)


class CharacterTokens:
    """Characters in the order of Unicode, and one token more, the last, for all others.

    Args:
        pieces: The text whose characters are known.
    """

    token, plural = "character", "characters"
    token_bytes: list[int] | None = None

    def __init__(self, pieces: Iterable[str]) -> None:
        known = {character for piece in pieces for character in set(piece)}
        self._known = np.array(sorted(map(ord, known)), np.uint32)
        self.unknown: int | None = len(self._known)
        self.vocabulary = len(self._known) + 1

    def encode(self, piece: str) -> np.ndarray:
        """Return the place of each character among the known ones."""
        codes = np.frombuffer(piece.encode("utf-32-le"), np.uint32)
        place = np.searchsorted(self._known, codes)
        last = len(self._known)
        found = self._known[np.minimum(place, last - 1)] == codes
        return np.where(found, place, last)


@dataclass(frozen=True)
class Cut:
    """A text in three parts that follow each other.

    Attributes:
        source: The text.
        raw: Whether it is cut between any two bytes, else between two characters.
        sizes: Bytes or characters of each part.
    """

    source: Source
    raw: bool
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, source: Source, raw: bool, held_out: tuple[float, float]) -> "Cut":
        """Cut a text at fractions of it; the parts at its end are held out.

        Raises:
            InputError: Impossible fractions, or no text.
        """
        for key, fraction in zip(("val", "test"), held_out, strict=True):
            if not 0 < fraction < 1:
                raise InputError(f"split.{key}={fraction}: must be a fraction between 0 and 1")
        length = source.size if raw else sum(map(len, source.characters()))
        if length == 0:
            raise InputError(f"{source.where}: is empty; give a text")
        val, test = (round(fraction * length) for fraction in held_out)
        return cls(source, raw, (length - val - test, val, test))

    def part(self, number: int) -> Iterator[Any]:
        """Yield the pieces of a part: bytes or text."""
        start = sum(self.sizes[:number])
        end = start + self.sizes[number]
        place = 0
        for piece in self.source.pieces() if self.raw else self.source.characters():
            own = piece[max(0, start - place) : max(0, end - place)]
            if own:
                yield own
            place += len(piece)
            if place >= end:
                return


def require_windows(source: Source, sizes: Sequence[int], context: int, unit: str) -> None:
    """Refuse parts without a window.

    Args:
        source: The text.
        sizes: What each part has.
        context: Tokens of a window, which has one target more than inputs.
        unit: What is counted.

    Raises:
        InputError: A part is too short.
    """
    for name, size in zip(PARTS, sizes, strict=True):
        if size <= context:
            raise InputError(
                f"{source.where}: {sum(sizes):,} {unit} leave {max(size, 0):,} for {name}, and a "
                f"window needs {context + 1}: give a longer text, lower dataset.context, or change "
                "split.val and split.test"
            )


def encoding_of(
    kind: str, cut: Cut, vocabulary: int | None, tokenizer: tuple[str, str] | None
) -> Encoding:
    """Return the encoding of a text, which knows its training part alone.

    Args:
        kind: One of `KINDS`.
        cut: The text.
        vocabulary: Tokens of bpe; None for the default.
        tokenizer: Path and text of a ``tokenizer.json``; None trains one.
    """
    if kind == "bytes":
        return ByteTokens()
    if kind == "characters":
        return CharacterTokens(cut.part(0))
    return bpe.given(*tokenizer) if tokenizer else bpe.trained(cut.part(0), vocabulary)


def compact(vocabulary: int) -> type[np.integer[Any]]:
    """Return the smallest type for so many tokens that torch computes with."""
    return np.uint8 if vocabulary <= 1 << 8 else np.int16 if vocabulary <= 1 << 15 else np.int32
