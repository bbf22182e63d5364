"""A language model: a transformer that sees only what came before."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgdlab.checks import require_number, require_one_of, require_whole
from sgdlab.errors import InputError
from sgdlab.models.attention import NORM_EPS, NORMS, Block, Rotary, start_as_gpt2
from sgdlab.models.token_inputs import context_of
from sgdlab.parametrization import Width


class GPT(nn.Module):
    """A decoder-only transformer in the form of GPT-2 (Radford et al. 2019), by default.

    ``h = E[x] + P``, ``depth`` times `sgdlab.models.attention.Block`, then ``o = W·norm(h)``: at
    each place logits of the next token. Weights start as `start_as_gpt2` says.

    Args:
        input_shape: ``(context,)``: how many tokens it sees at most.
        num_outputs: Tokens of the vocabulary, of inputs and of outputs.
        width: Features of a token.
        depth: Blocks.
        heads: Heads of attention, a divisor of ``width``.
        positions: ``learned``: ``P`` is an embedding; ``rotary``: ``P`` is 0, and queries and keys
            are turned (`sgdlab.models.attention.Rotary`), as in Llama.
        norm: ``layer`` or ``rms``.
        activation: ``gelu`` or ``swiglu``.
        tied: Whether ``W`` is ``E`` (Press and Wolf 2017), or a matrix of its own.
        qk_norm: Whether queries and keys are normalised, which keeps attention from saturating at
            large learning rates (Dehghani et al. 2023).
        dropout: Probability that a feature or an attention weight is zeroed in training.
        mup_base_width: ``width`` of the model that settings are tuned on; it has an effect under
            ``parametrization=mup`` only, which equals ``standard`` there.
        mup_base_heads: ``heads`` of that model; None: as many as here, so that a wider model has
            larger heads.
        parametrization: ``standard``, or ``mup``: settings tuned at the base width hold at any
            other (`sgdlab.parametrization`). Matrices between features start ``√m_in`` times
            smaller, logits of tokens are divided by ``m_in = width / mup_base_width``, those of
            attention fall with ``1/d``.

    Raises:
        InputError: An impossible setting, or inputs that are no tokens.
    """

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        width: int = 64,
        depth: int = 2,
        heads: int = 2,
        positions: str = "learned",
        norm: str = "layer",
        activation: str = "gelu",
        tied: bool = True,
        qk_norm: bool = False,
        dropout: float = 0.0,
        mup_base_width: int = 64,
        mup_base_heads: int | None = None,
        parametrization: Literal["standard", "mup"] = "standard",
    ) -> None:
        super().__init__()
        self.context = context_of("gpt", input_shape)
        require_whole("model.width", width)
        require_whole("model.depth", depth)
        require_whole("model.heads", heads)
        require_one_of("model.positions", positions, ("learned", "rotary"))
        require_one_of("model.norm", norm, NORMS)
        require_one_of("model.activation", activation, ("gelu", "swiglu"))
        require_number("model.dropout", dropout, 0, 1, open_high=True)
        if width % heads:
            raise InputError(f"model.heads={heads}: must divide model.width={width}")
        if positions == "rotary" and width // heads % 2:
            raise InputError(
                f"model.heads={heads}: leaves {width // heads} features for a head, and "
                "model.positions=rotary needs an even number"
            )
        self._settings: dict[str, Any] = {
            "input_shape": input_shape, "num_outputs": num_outputs, "depth": depth,
            "positions": positions, "norm": norm, "activation": activation, "tied": tied,
            "qk_norm": qk_norm,
        }  # fmt: skip
        scaled = parametrization == "mup"
        require_whole("model.mup_base_width", mup_base_width)
        base_heads = heads
        if mup_base_heads is not None:
            base_heads = require_whole("model.mup_base_heads", mup_base_heads)
        self._base = mup_base_width, base_heads
        if scaled:
            _require_base(mup_base_width, base_heads, positions)
        self._m_in = width / self._base[0] if scaled else 1.0
        self.embedding = nn.Embedding(num_outputs, width)
        learned = positions == "learned"
        self.positions = nn.Embedding(self.context, width) if learned else None
        self.drop = nn.Dropout(dropout)
        rotary = None if learned else Rotary(self.context, width // heads)
        self.blocks = nn.Sequential(
            *(
                Block(
                    width, heads, norm=norm, activation=activation, rotary=rotary,
                    qk_norm=qk_norm, dropout=dropout,
                    base_size=self._base[0] // self._base[1] if scaled else None,
                )
                for _ in range(depth)
            )
        )  # fmt: skip
        self.norm = NORMS[norm](width, eps=NORM_EPS)
        self.head = None if tied else nn.Linear(width, num_outputs, bias=False)
        start_as_gpt2(self, depth)
        if scaled:
            self._start_by_width()

    def width_roles(self) -> dict[str, Width]:
        """Return how each parameter grows with the width; see `sgdlab.parametrization`.

        Embeddings are inputs; so is one that is the output layer as well, whose rates are the same.
        """
        width, heads = self._base
        with torch.device("meta"):
            base = GPT(**self._settings, width=width, heads=heads)
        shapes = {name: p.shape for name, p in base.named_parameters()}
        roles: dict[str, Width] = {}
        for name, p in self.named_parameters():
            grows = [own / other for own, other in zip(p.shape, shapes[name], strict=True)]
            if name == "head.weight":
                roles[name] = Width("output", grows[1])
            elif name in ("embedding.weight", "positions.weight"):
                roles[name] = Width("input", m_out=grows[1])
            elif p.ndim == 1:
                roles[name] = Width("vector", m_out=grows[0])
            else:
                roles[name] = Width("hidden", grows[1], grows[0])
        return roles

    @torch.no_grad()
    def _start_by_width(self) -> None:
        """Give the matrices between features the variance 1/fan_in of μP."""
        roles = self.width_roles()
        for name, p in self.named_parameters():
            if roles[name].role == "hidden":
                p /= roles[name].m_in ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``[n, t, num_outputs]`` for tokens ``[n, t]``, ``t`` at most the context.

        Raises:
            InputError: Inputs that are no tokens, or too many of them.
        """
        if x.is_floating_point() or x.ndim != 2 or x.shape[1] > self.context:
            raise InputError(
                f"model=gpt needs tokens [n, {self.context}] or fewer each, integers; the inputs "
                f"are {list(x.shape)} {x.dtype}"
            )
        h = self.embedding(x)
        if self.positions is not None:
            h = h + self.positions(torch.arange(x.shape[1], device=x.device))
        h = self.norm(self.blocks(self.drop(h)))
        if self._m_in != 1.0:
            h = h / self._m_in
        return F.linear(h, self.embedding.weight) if self.head is None else self.head(h)


def _require_base(width: int, heads: int, positions: str) -> None:
    """Refuse a base model that could not be built."""
    if width % heads:
        raise InputError(
            f"model.mup_base_width={width}: must be a multiple of the base model's {heads} heads; "
            "change it, or set model.mup_base_heads"
        )
    if positions == "rotary" and width // heads % 2:
        raise InputError(
            f"model.mup_base_width={width}: leaves {width // heads} features for each of {heads} "
            "heads, and model.positions=rotary needs an even number"
        )
