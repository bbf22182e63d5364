"""Windows of a text that are cut as a batch needs them: too many for memory, or drawn anew."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

_AT_ONCE = 1 << 20
"""Tokens that are cut at once where all windows are gone through."""


class Windows:
    """The inputs of windows, or their targets: row ``i`` is ``t_(s_i + o) … t_(s_i + o + c - 1)``.

    Tokens may lie in a file that is mapped into memory, of which only what a batch needs is read.
    Of inputs ``o`` is 0, of targets 1; both have the same starts ``s``, so that they remain one
    example whatever rows are taken of them.

    Args:
        tokens: Those of one part of the text, ``[m]``, of any integer type.
        context: ``c``, the tokens of a row.
        ahead: ``o``.
        random: Whether an epoch of training draws its windows; see `drawn`.
        mapped: Whether the tokens are in a file, and so stay on the CPU.
    """

    def __init__(
        self, tokens: Tensor, context: int, ahead: int, *, random: bool, mapped: bool
    ) -> None:
        self._tokens, self._context, self._ahead = tokens, context, ahead
        self.random, self._mapped = random, mapped
        self._starts = torch.arange((len(tokens) - 1) // context) * context
        self.device = torch.device("cpu")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._starts)

    @property
    def shape(self) -> torch.Size:
        """``[n, context]``."""
        return torch.Size((len(self), self._context))

    def __getitem__(self, rows: Any) -> Tensor:
        """Return rows as int64 ``[k, context]``; ``rows`` is a slice or an int64 tensor."""
        return self.part(rows).load()

    def _changed(self, **values: Any) -> "Windows":
        other = copy.copy(self)
        vars(other).update(values)
        return other

    def part(self, rows: Any) -> "Windows":
        """Return some of the rows, not cut yet; ``rows`` is a slice or an int64 tensor."""
        index = rows.to(self._starts.device) if isinstance(rows, Tensor) else rows
        return self._changed(_starts=self._starts[index])

    def on(self, device: torch.device | str) -> "Windows":
        """Return the rows to be on a device; with tokens in memory, these go there, too."""
        there = torch.device(device)
        if self._mapped:
            return self._changed(device=there)
        tokens, starts = self._tokens.to(there), self._starts.to(there)
        return self._changed(device=there, _tokens=tokens, _starts=starts)

    def drawn(self, seed: int) -> "Windows":
        """Return as many rows that start anywhere, each start as likely, with replacement.

        Inputs and targets that are drawn with one seed belong together. Rows that were to be
        drawn only once, those of a split that is evaluated, are contiguous.
        """
        generator = torch.Generator().manual_seed(seed)
        most = len(self._tokens) - self._context
        starts = torch.randint(most, (len(self),), generator=generator)
        return self._changed(_starts=starts.to(self._starts.device))

    def load(self) -> Tensor:
        """Return all rows as int64 ``[n, context]``, on the device."""
        places = torch.arange(self._context, device=self._starts.device) + self._ahead
        found = self._tokens[self._starts[:, None] + places]
        return found.long().to(self.device)

    def split(self, size: int | Sequence[int]) -> Iterator[Tensor]:
        """Yield the rows in their order, ``size`` at a time, or of these sizes."""
        sizes = [size] * -(-len(self) // size) if isinstance(size, int) else size
        start = 0
        for length in sizes:
            yield self[start : start + length]
            start += length

    def update(self, digest: "hashlib._Hash") -> None:
        """Add to a hash what the rows as one tensor would: the same data have one fingerprint."""
        for rows in self.split(max(1, _AT_ONCE // self._context)):
            digest.update(rows.cpu().numpy().data)
