"""Text, whose next token is to be predicted: of your own, or English that every Python carries."""

from typing import Any

import numpy as np
import torch

from sgdlab.checks import bytes_of, require_one_of, require_whole
from sgdlab.datasets.base import Examples
from sgdlab.datasets.bpe import content_of
from sgdlab.datasets.text_files import Source, embedded_source, files_source
from sgdlab.datasets.text_tokens import KINDS, Cut, encoding_of, require_windows
from sgdlab.datasets.token_store import Coded, in_file, in_memory
from sgdlab.datasets.windows import Windows
from sgdlab.errors import InputError


def text(
    *,
    path: str | None,
    tokens: str,
    context: int,
    held_out: tuple[float, float] = (0.2, 0.2),
    vocabulary: int | None = None,
    tokenizer: str | None = None,
    windows: str = "contiguous",
    memory_map_above: int | str | None = "32M",
) -> Examples:
    """Cut a text into windows, of which a model predicts every next token.

    The text is divided once, before anything else: its end is the test part, what is before that
    the validation part, the rest is for training; no token is in two parts. A part of ``m`` tokens
    ``t_0 … t_(m-1)`` has ``n = (m - 1) // context`` windows that do not overlap, window ``i`` with
    the inputs ``t_(ic) … t_(ic+c-1)`` and the targets ``t_(ic+1) … t_(ic+c)``. The fewer than
    ``context`` tokens that remain at its end are dropped, so that every window is whole and the
    mean over windows is the mean over tokens.

    Args:
        path: A file, a folder of files or a pattern such as ``books/*.txt``, whose texts are joined
            in the order of their paths; None: `sgdlab.datasets.text_files.embedded_source`.
        tokens: ``bytes``: the 256 bytes of UTF-8, or of any other file. ``characters``: those that
            the training part has, in the order of Unicode, and one more for all others. ``bpe``:
            frequent sequences of bytes, see `sgdlab.datasets.bpe.ByteBPE`, found in the training
            part alone or read from ``tokenizer``.
        context: Tokens of a window, from 1.
        held_out: The fractions of the bytes, or of the characters, that are for validation and for
            test: ``split.val`` and ``split.test``. How rows are dealt out otherwise, ``split.by``,
            has no effect here.
        vocabulary: Tokens of bpe, above 256; None: 1000.
        tokenizer: A ``tokenizer.json`` of the package ``tokenizers``, which is not trained.
        windows: ``contiguous``: an epoch sees the windows above, in an order of its own.
            ``random``: it sees ``n`` windows of the training part that start anywhere, drawn with
            replacement; each evaluation is still over the windows above.
        memory_map_above: Beyond so many bytes of text, the tokens are in a file that is mapped into
            memory (`sgdlab.datasets.token_store.in_file`); None: never. The results are the same.

    Returns:
        Examples of the task ``language``: ``x`` and ``y`` int64 ``[n, context]``, or `Windows` of
        that shape.

    Raises:
        InputError: A missing path, a text that is no UTF-8 and shall be characters, one too short
            for a window in every part, a vocabulary that it does not have, or settings that do not
            go together.
    """
    require_one_of("dataset.tokens", tokens, KINDS)
    require_one_of("dataset.windows", windows, ("contiguous", "random"))
    require_whole("dataset.context", context)
    _require_bpe(tokens, vocabulary, tokenizer)
    limit = None if memory_map_above is None else bytes_of(_LIMIT, memory_map_above)
    source = embedded_source() if path is None else files_source(path)
    cut = Cut.of(source, tokens == "bytes", held_out)
    require_windows(source, cut.sizes, context, "bytes" if cut.raw else "characters")
    own = None if tokenizer is None else (tokenizer, content_of(tokenizer))
    if limit is None or source.size <= limit:
        coded = in_memory(cut, encoding_of(tokens, cut, vocabulary, own))
    else:
        made_by = [tokens, vocabulary, own and own[1]]
        coded = in_file(cut, lambda: encoding_of(tokens, cut, vocabulary, own), made_by)
    require_windows(source, coded.sizes, context, coded.plural)
    return _examples(source, coded, context, windows == "random")


_LIMIT = "dataset.memory_map_above"


def _require_bpe(tokens: str, vocabulary: int | None, tokenizer: str | None) -> None:
    for key, value in (("vocabulary", vocabulary), ("tokenizer", tokenizer)):
        if value is not None and tokens != "bpe":
            raise InputError(f"dataset.{key}={value}: is of dataset.tokens=bpe, not of {tokens}")
    if vocabulary is not None and tokenizer is not None:
        raise InputError(
            f"dataset.vocabulary={vocabulary}: dataset.tokenizer has a vocabulary; leave one out"
        )


def _examples(source: Source, coded: Coded, context: int, random: bool) -> Examples:
    mapped = coded.file is not None
    parts = coded.parts()
    pairs = [_lazily(p, context, random and p is parts[0], mapped) for p in parts]
    if not mapped:
        pairs = [p if p[0].random else tuple(each.load() for each in p) for p in pairs]
    note = f"{source.name}: {sum(coded.sizes):,} {coded.plural}, "
    note += f"{coded.vocabulary} tokens in the vocabulary"
    if coded.unknown is not None:
        note += f", {coded.unknown} unknown outside of training"
    if mapped:
        note += f", kept in {coded.file}"
    return Examples(
        *pairs[0], task="language", val=pairs[1], test=pairs[2], outputs=coded.vocabulary,
        token=coded.token, token_bytes=coded.token_bytes, notes=[note],
    )  # fmt: skip


def _lazily(part: np.ndarray, context: int, random: bool, mapped: bool) -> tuple[Any, Any]:
    tokens = torch.from_numpy(part)
    x, y = (Windows(tokens, context, ahead, random=random, mapped=mapped) for ahead in (0, 1))
    return x, y
