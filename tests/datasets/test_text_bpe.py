"""Byte-pair encoding against merges counted by hand, round trips, its bits, and the refusals."""

import itertools
import json
import math
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from sgdlab.datasets import bpe
from sgdlab.datasets.base import Examples
from sgdlab.datasets.split import prepare
from sgdlab.datasets.text import text
from sgdlab.errors import InputError
from sgdlab.metrics.of_tokens import bits_per_byte
from sgdlab.training.evaluation import evaluate
from trainer_runs import built

tokenizers = pytest.importorskip("tokenizers", reason="pip install 'sgdlab[tokenizers]'")

WORDS = ["wörter", "und", "words", "wander", "€uro", "sand", "wonder", "order", "ändern", "\n"]
TEXT = " ".join(WORDS[(i * i + i // 7) % 10] for i in range(600))
GPT2 = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?[^\s\w]+|\s+(?!\S)|\s+")


def read(path: Any, vocabulary: int | None = 280, context: int = 7, **others: Any) -> Examples:
    return text(path=str(path), tokens="bpe", vocabulary=vocabulary, context=context, **others)


def written(folder: Path, content: str = TEXT, name: str = "a.txt") -> Path:
    (file := folder / name).write_text(content, newline="")
    return file


def parts(content: str) -> list[str]:
    held = round(0.2 * len(content))
    return [content[: -2 * held], content[-2 * held : -held], content[-held:]]


def all_of(pair: Any) -> list[int]:
    """Return the tokens of a part but the few at its end."""
    x, y = pair
    return [int(x[0, 0]), *y.flatten().tolist()]


class ByHand:
    """The merges of the most frequent pairs, of bytes as bytes."""

    def __init__(self, content: str, merges: int) -> None:
        self.ranks: dict[tuple[bytes, bytes], int] = {}
        words = Counter(tuple(bytes([b]) for b in w.encode()) for w in GPT2.findall(content))
        for rank in range(merges):
            pairs: Counter[tuple[bytes, bytes]] = Counter()
            for word, count in words.items():
                for pair in itertools.pairwise(word):
                    pairs[pair] += count
            most = max(pairs.values())
            self.tied = [pair for pair, count in pairs.items() if count == most]
            if len(self.tied) > 1:  # which goes first is for the package to say
                break
            self.ranks[self.tied[0]] = rank
            words = Counter({merged(w, self.tied[0]): c for w, c in words.items()})

    def encode(self, content: str) -> list[bytes]:
        found: list[bytes] = []
        for word in GPT2.findall(content):
            own = tuple(bytes([b]) for b in word.encode())
            for pair in sorted(self.ranks, key=lambda p: self.ranks[p]):
                own = merged(own, pair)
            found += own
        return found


def merged(word: tuple[bytes, ...], pair: tuple[bytes, bytes]) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for part in word:
        if found and (found[-1], part) == pair:
            found[-1] += part
        else:
            found.append(part)
    return tuple(found)


def test_the_merges_are_those_of_the_most_frequent_pairs(tmp_path: Path) -> None:
    content = "".join("abcdefgh"[: 2 + i % 7] + " " * (i % 3 > 0) for i in range(101))
    train = parts(content)[0]
    by_hand = ByHand(train, 6)
    count = len(by_hand.ranks)
    assert count >= 4
    found = read(written(tmp_path, content), 256 + count, 3)
    encoding = bpe.trained([train], 256 + count)
    expected = by_hand.encode(train)
    assert len(expected) < len(train) / 2
    own = encoding._tokenizer.decode_batch([[i] for i in all_of((found.x, found.y))])
    assert [t.encode() for t in own] == expected[: len(own)]


def test_the_tokens_are_the_text_and_the_bytes_of_each_are_known(tmp_path: Path) -> None:
    found = read(written(tmp_path, TEXT.replace("\n", "\r\n\n  ")))
    encoding = bpe.trained([parts(TEXT.replace("\n", "\r\n\n  "))[0]], 280)
    assert (found.outputs, found.token) == (280, "token")
    assert found.token_bytes is not None
    whole = parts(TEXT.replace("\n", "\r\n\n  "))
    for content, pair in zip(whole, [(found.x, found.y), found.val, found.test], strict=True):
        ids = all_of(pair)
        own = encoding._tokenizer.decode(ids).encode().rstrip("�".encode())
        assert content.encode().startswith(own)
        length = sum(found.token_bytes[i] for i in ids)
        assert 0 <= length - len(own) < 4
        assert len(content.encode()) - length < 7 * max(found.token_bytes)


def test_what_is_held_out_does_not_reach_the_tokens(tmp_path: Path) -> None:
    changed = parts(TEXT)
    changed[1:] = ["x" * len(part) for part in changed[1:]]
    found, other = (read(written(tmp_path, t)) for t in (TEXT, "".join(changed)))
    assert torch.equal(found.x, other.x)
    assert found.token_bytes == other.token_bytes
    assert found.val is not None
    assert other.val is not None
    assert other.val[0].shape != found.val[0].shape


def test_the_same_text_gives_the_same_tokens(tmp_path: Path) -> None:
    file = written(tmp_path)
    first, again = read(file), read(file)
    assert torch.equal(first.x, again.x)
    one, two = (bpe.trained([TEXT], 285)._tokenizer.to_str() for _ in range(2))
    assert one == two


def test_a_tokenizer_of_ones_own_is_read_and_counts(tmp_path: Path) -> None:
    file, own = written(tmp_path), tmp_path / "tokenizer.json"
    own.write_text(bpe.trained([parts(TEXT)[0]], 280)._tokenizer.to_str())
    trained, given = read(file), read(file, None, tokenizer=str(own))
    assert torch.equal(trained.x, given.x)

    def print_of(examples: Examples) -> str:
        return prepare(examples, name="text", seed=0, val=0.2, test=0.2).fingerprint

    assert print_of(trained) == print_of(given)
    own.write_text(bpe.trained([parts(TEXT)[0]], 281)._tokenizer.to_str())
    assert print_of(read(file, None, tokenizer=str(own))) != print_of(trained)


def test_tokens_that_lose_bytes_have_no_bits_per_byte(tmp_path: Path) -> None:
    own, model = tmp_path / "words.json", tokenizers.models
    words = tokenizers.Tokenizer(model.WordLevel({"[UNK]": 0, "und": 1, "order": 2}, "[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save(str(own))
    found = read(written(tmp_path), None, 3, tokenizer=str(own))
    assert (found.outputs, found.token_bytes) == (3, None)
    with pytest.raises(InputError, match="how many bytes a token stands for is not known"):
        bits_per_byte("language", found.token, found.token_bytes)
    level = tokenizers.Tokenizer.from_str(bpe.trained([TEXT], 280)._tokenizer.to_str())
    level.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    level.save(str(own))  # a space more than the text has
    assert read(written(tmp_path, "x" + TEXT), None, tokenizer=str(own)).token_bytes is None


RUN = (
    "dataset=text", "dataset.tokens=bpe", "dataset.vocabulary=280", "dataset.context=8",
    "model=gpt", "model.width=8", "model.depth=1", "dtype=float64", "metric=bits_per_byte",
)  # fmt: skip


def test_bits_per_byte_are_the_bits_of_all_targets_over_their_bytes(tmp_path: Path) -> None:
    run = built(*RUN, f"dataset.path={written(tmp_path)}")
    x, y = run.data.val
    with torch.no_grad():
        chosen = run.model(x).log_softmax(-1).gather(-1, y[..., None])
    assert run.data.token_bytes is not None
    length = sum(run.data.token_bytes[int(i)] for i in y.flatten())
    assert length > 1.3 * y.numel()
    bits = -math.fsum(chosen.flatten().tolist()) / math.log(2) / length
    for size in (3, 1000):
        found = evaluate(run.model, run.objective.loss, run.metric, run.data.val, size)
        assert found.metric == pytest.approx(bits, rel=1e-12)
        assert found.metric == pytest.approx(found.loss * y.numel() / length / math.log(2))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"vocabulary": 256}, "vocabulary=256: bpe begins with the 256 bytes .* at least 257"),
        ({"vocabulary": 0}, "dataset.vocabulary=0: must be a whole number from 1"),
        ({"vocabulary": 5000}, r"5000: the training part has only \d+ tokens .* at most"),
        ({"vocabulary": None}, r"vocabulary=1000, the default: the training part has only"),
        ({"tokenizer": "x.json"}, "vocabulary=280: dataset.tokenizer has a vocabulary"),
        ({"vocabulary": None, "tokenizer": "{}/b.json"}, r"b\.json: no such file in .*a\.json"),
        ({"vocabulary": None, "tokenizer": "{}/a.json"}, r"a\.json: is no tokenizer\.json of"),
        ({"context": 500}, r"tokens leave \d+ for validation, and a window needs 501"),
    ],
)
def test_what_bpe_cannot_be_is_refused(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"version": "1.0"}))
    if "{}" in str(settings.get("tokenizer")):
        settings = settings | {"tokenizer": settings["tokenizer"].format(tmp_path)}
    with pytest.raises(InputError, match=says) as error:
        read(written(tmp_path), **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["vocabulary", "tokenizer"])
def test_settings_of_bpe_are_refused_elsewhere(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match=f"dataset.{key}=300: is of dataset.tokens=bpe"):
        text(path=str(written(tmp_path)), tokens="bytes", context=3, **{key: 300})  # type: ignore[arg-type]


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(InputError, match=r"needs .* tokenizers: pip install .*\[tokenizers\]"):
        read(written(tmp_path))
