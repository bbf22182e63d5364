"""Byte-pair encoding by the package ``tokenizers``: trained here, or read from a file."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sgdlab.checks import require_package, require_whole
from sgdlab.datasets.text_files import absent
from sgdlab.errors import InputError, reason_of

SIZE = 1000
"""Tokens of the vocabulary where nobody says how many."""

_BYTES = 256


class ByteBPE:
    """Tokens that are frequent sequences of bytes (Sennrich et al. 2016; on bytes, Radford 2019).

    Words are cut apart as GPT-2 does, each is a sequence of bytes, and the pairs of neighbours
    that training merged, in the order of their frequency there, are merged. Every text can be
    written so, and had back, with no unknown token.

    Args:
        tokenizer: A ``tokenizers.Tokenizer``.

    Attributes:
        vocabulary: How many tokens there are.
        token_bytes: The bytes of each, ``[vocabulary]``; None where they are not known.
    """

    token, plural = "token", "tokens"
    unknown: int | None = None

    def __init__(self, tokenizer: Any) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        known: dict[int, str] = {i: t for t, i in tokenizer.get_vocab(True).items()}
        self.vocabulary = 1 + max(known)
        self.token_bytes = _lengths(tokenizer, known, self.vocabulary)

    def encode(self, piece: str) -> np.ndarray:
        """Return the numbers of the tokens of a piece of text."""
        with _on_one_thread():
            (found,) = self._tokenizer.encode_batch_fast([piece], add_special_tokens=False)
        return np.array(found.ids, np.int64)


def trained(pieces: Iterable[str], size: int | None) -> ByteBPE:
    """Return the encoding that a text asks for.

    From the 256 bytes, the most frequent pair of neighbours becomes a token of its own, again and
    again, until there are enough tokens. The same text gives the same tokens.

    Args:
        pieces: The text, which should be for training alone.
        size: Tokens of the vocabulary, above 256; None for `SIZE`.

    Raises:
        InputError: The package is missing, or the text has too few pairs that occur twice.
    """
    wanted = SIZE if size is None else size
    if require_whole("dataset.vocabulary", wanted) <= _BYTES:
        raise InputError(
            f"dataset.vocabulary={wanted}: bpe begins with the {_BYTES} bytes and adds what is "
            f"frequent; at least {_BYTES + 1}, or dataset.tokens=bytes"
        )
    package = _package()
    level = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = package.Tokenizer(package.models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = level, package.decoders.ByteLevel()
    trainer = package.trainers.BpeTrainer(
        vocab_size=wanted, min_frequency=2, show_progress=False,
        initial_alphabet=sorted(level.alphabet()),
    )  # fmt: skip
    with _on_one_thread():
        tokenizer.train_from_iterator(pieces, trainer)
    if (found := tokenizer.get_vocab_size()) < wanted:
        default = "" if size is not None else ", the default"
        raise InputError(
            f"dataset.vocabulary={wanted}{default}: the training part has only {found} tokens "
            f"that occur twice; at most dataset.vocabulary={found}, or give a longer text"
        )
    return ByteBPE(tokenizer)


def content_of(path: str) -> str:
    """Return the text of a ``tokenizer.json``.

    Raises:
        InputError: There is no such file, or it cannot be read.
    """
    file = Path(path).expanduser()
    where = f"dataset.tokenizer={path}"
    if not file.exists():
        raise InputError(f"dataset.tokenizer={file.name}: {absent(file, 'file')}")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: cannot be read: {reason_of(error)}") from error


def given(path: str, content: str) -> ByteBPE:
    """Return the encoding of a ``tokenizer.json``, as ``Tokenizer.save`` writes it.

    Args:
        path: Where it was, for messages.
        content: Its text.

    Raises:
        InputError: The package is missing, or it is no such file.
    """
    package = _package()
    try:
        return ByteBPE(package.Tokenizer.from_str(content))
    except Exception as error:  # the package raises nothing more special
        raise InputError(
            f"dataset.tokenizer={path}: is no tokenizer.json of the package tokenizers: "
            f"{reason_of(error)}"
        ) from error


def _package() -> Any:
    return require_package("tokenizers", "tokenizers", "dataset.tokens=bpe")


@contextmanager
def _on_one_thread() -> Iterator[None]:
    """Keep the package from starting threads, after which it warns of every new process."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _lengths(tokenizer: Any, known: dict[int, str], size: int) -> list[int] | None:
    """Return the bytes of each token; None where a token does not stand for bytes of its own.

    In a byte-level encoding each character of a token's name is one byte of the text; an added
    token is written as it is.
    """
    if "ByteLevel" not in repr(tokenizer.pre_tokenizer) or tokenizer.normalizer is not None:
        return None
    added = {number: len(t.content.encode()) for number, t in _added(tokenizer).items()}
    return [added.get(i, len(known.get(i, ""))) for i in range(size)]


def _added(tokenizer: Any) -> dict[int, Any]:
    return tokenizer.get_added_tokens_decoder()
