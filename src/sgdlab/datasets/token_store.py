"""The tokens of a text: in memory, or of a large one in a file that is mapped into memory."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sgdlab.datasets.text_tokens import Cut, Encoding, compact
from sgdlab.errors import InputError

_FORM = 1
"""Part of the name of a file: raised when the same text would give other tokens."""


@dataclass(frozen=True)
class Coded:
    """A text as tokens.

    Attributes:
        tokens: All of them, ``[m]``, of a small integer type.
        sizes: Tokens of each part of the text.
        vocabulary: How many different ones there are.
        token: What one of them is.
        plural: What several are.
        token_bytes: The bytes of each; None where they do not add up to the text.
        unknown: How many of the parts that are held out stand for what training does not show;
            None where every text can be written.
        file: Where they lie; None: in memory.
    """

    tokens: np.ndarray
    sizes: Sequence[int]
    vocabulary: int
    token: str
    plural: str
    token_bytes: list[int] | None
    unknown: int | None
    file: Path | None = None

    def parts(self) -> list[np.ndarray]:
        """Return the tokens of training, validation and test."""
        return np.split(self.tokens, np.cumsum(self.sizes)[:-1])


def in_memory(cut: Cut, encoding: Encoding) -> Coded:
    """Return the tokens of a text."""
    held: list[np.ndarray] = []
    counted = _encode(cut, encoding, held.append)
    return Coded(np.concatenate(held), **counted)


def in_file(cut: Cut, encoding: Callable[[], Encoding], made_by: Sequence[Any]) -> Coded:
    """Return the tokens of a text from a file that is written the first time they are asked for.

    The file lies in the user's folder for such things, ``$XDG_CACHE_HOME/sgdlab``, by default
    ``~/.cache/sgdlab``. It has the hash of the text and of what makes tokens of it in its name, so
    it is never out of date; it may be removed at any time.

    Args:
        cut: The text.
        encoding: Makes the encoding, where there is no file.
        made_by: All that determines the encoding, beside the text.

    Raises:
        InputError: The file cannot be written.
    """
    digest = hashlib.sha256(json.dumps([_FORM, cut.raw, cut.sizes, *made_by]).encode())
    for piece in cut.source.pieces():
        digest.update(piece)
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sgdlab"
    file = folder / f"text-{digest.hexdigest()[:32]}.tokens"
    head = file.with_suffix(".json")
    if not head.is_file():  # written last
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(file, head, cut, encoding())
        except OSError as error:
            raise InputError(
                f"{cut.source.where}: the tokens of a text above dataset.memory_map_above are kept "
                f"in {folder}, which cannot be written ({error.strerror}); set XDG_CACHE_HOME to "
                "another folder, or dataset.memory_map_above=null"
            ) from error
    counted = json.loads(head.read_text(encoding="utf-8"))
    # Private to this process: torch wants arrays that could be written to.
    tokens = np.memmap(file, compact(counted["vocabulary"]), "c")
    return Coded(tokens, **counted, file=file)


def _write(file: Path, head: Path, cut: Cut, encoding: Encoding) -> None:
    """Write both files, each under another name first: whoever sees one sees all of it."""
    mark = f".{os.getpid()}-{os.urandom(4).hex()}"
    made = [each.with_name(each.name + mark) for each in (file, head)]
    try:
        with made[0].open("wb") as stream:
            counted = _encode(cut, encoding, _into(stream))
        made[1].write_text(json.dumps(counted), encoding="utf-8")
        for temporary, final in zip(made, (file, head), strict=True):
            temporary.replace(final)
    finally:
        for temporary in made:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def _into(stream: BinaryIO) -> Callable[[np.ndarray], Any]:
    return lambda tokens: stream.write(tokens.data)


def _encode(cut: Cut, encoding: Encoding, keep: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """Hand on the tokens of every piece; return what else is known of them."""
    kind = compact(encoding.vocabulary)
    known = encoding.token_bytes
    lengths = None if known is None else np.array(known)
    sizes, unknown, adds_up = [0, 0, 0], 0, known is not None
    for number in range(3):
        for piece in cut.part(number):
            tokens = encoding.encode(piece).astype(kind)
            keep(tokens)
            sizes[number] += len(tokens)
            unknown += int((tokens == encoding.unknown).sum()) if number else 0
            if lengths is not None and adds_up:
                written = piece if isinstance(piece, bytes) else piece.encode()
                adds_up = int(lengths[tokens].sum()) == len(written)
    return {
        "sizes": sizes,
        "vocabulary": encoding.vocabulary,
        "token": encoding.token,
        "plural": encoding.plural,
        "token_bytes": known if adds_up else None,
        "unknown": None if encoding.unknown is None else unknown,
    }
