"""Metrics of language models: how well each next token was predicted, in nats, bits or choices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.metrics.base import Direction, Metric, require_task
from sgdlab.metrics.by_task import Summed


@dataclass
class TokenLoss(Summed):
    """A function of ``H = -1/n · Σ_i log softmax(o_i)_(t_i)``, the mean over ``n`` tokens in nats.

    It is summed in float64 over all tokens, from outputs ``[…, context, vocabulary]``, whatever the
    loss that is trained on: label smoothing does not change it.

    Attributes:
        ignored: The label of tokens that the loss leaves out, and so does this.
    """

    ignored: int = -100
    direction: Direction = "min"

    def add(self, output: Tensor, target: Tensor) -> None:
        """Add the loss of each token."""
        if output.shape[:-1] != target.shape:
            raise InputError(
                f"outputs {list(output.shape)} do not fit targets {list(target.shape)}: the "
                "model needs an output for each token of the vocabulary, on the last axis"
            )
        kept = target != self.ignored
        found = output.log_softmax(-1, dtype=torch.float64)
        chosen = found.gather(-1, target.where(kept, 0).unsqueeze(-1)).squeeze(-1)
        self.total -= chosen.where(kept, 0.0).sum()
        self.count += int(kept.sum())


@dataclass
class Perplexity(TokenLoss):
    """``exp(H)``: among how many equally likely tokens the model wavers (Jelinek et al. 1977).

    1 is certainty, the size of the vocabulary is knowing nothing; beyond ``1.8e308`` infinity.
    """

    name: str = "perplexity"

    def value(self, loss: float) -> float:
        """Return the perplexity."""
        mean = self.mean()
        return math.exp(mean) if mean < math.log(torch.finfo(torch.float64).max) else math.inf


@dataclass
class Bits(TokenLoss):
    """``H / log 2``: the bits that a token takes when the model compresses the text (Shannon 1948).

    Attributes:
        name: The name of its column.
    """

    name: str = "bits_per_token"

    def value(self, loss: float) -> float:
        """Return bits."""
        return self.mean() / math.log(2)


@dataclass
class BitsPerByte(TokenLoss):
    """``Σ_i -log2 softmax(o_i)_(t_i) / Σ_i b(t_i)``, ``b(t)`` the bytes that token ``t`` is.

    What a bits-per-byte of byte tokens is, whatever the tokens: the bits of a text over its bytes.

    Attributes:
        lengths: ``b``, ``[vocabulary]``.
    """

    name: str = "bits_per_byte"
    lengths: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    written: Tensor = field(default_factory=lambda: torch.zeros(()), init=False)

    def begin(self, device: torch.device) -> None:
        """Forget what was added."""
        super().begin(device)
        self.lengths = self.lengths.to(device)
        self.written = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, output: Tensor, target: Tensor) -> None:
        """Add the loss of each token, and its bytes."""
        super().add(output, target)
        self.written += self.lengths[target[target != self.ignored]].sum()

    def value(self, loss: float) -> float:
        """Return bits."""
        return float(self.total / self.written) / math.log(2)


def perplexity(task: str, ignored: int = -100) -> Metric:
    """Return the exponential of the mean loss of a token.

    Raises:
        InputError: Data that are no language.
    """
    require_task("perplexity", task)
    return Perplexity(ignored)


def bits_per_token(task: str, ignored: int = -100) -> Metric:
    """Return the bits that a token takes, whatever a token is.

    Raises:
        InputError: Data that are no language.
    """
    require_task("bits_per_token", task)
    return Bits(ignored)


def bits_per_byte(
    task: str,
    token: str | None,
    token_bytes: Sequence[int] | None = None,
    ignored: int = -100,
) -> Metric:
    """Return the bits that a byte of the text takes, which compares models of any vocabulary.

    Of tokens that always stand for the same bytes: a model that calls a character unknown does not
    say which it was, so its text cannot be had back from the bits.

    Raises:
        InputError: Data that are no language, or tokens whose bytes are not known.
    """
    require_task("bits_per_byte", task)
    if token == "byte":
        return Bits(ignored, name="bits_per_byte")
    if token_bytes is not None:
        return BitsPerByte(ignored, lengths=torch.tensor(token_bytes))
    raise InputError(
        f"metric=bits_per_byte: how many bytes a {token or 'token'} stands for is not known; "
        "dataset.tokens=bytes or bpe, Examples(token_bytes=[…]), or metric=bits_per_token"
    )
