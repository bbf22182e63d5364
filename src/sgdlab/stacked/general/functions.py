"""Functions of torch that are computed otherwise inside `torch.func.vmap`.

Dropout, attention, LSTM layers and some activations.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sgdlab.stacked.general import activations
from sgdlab.stacked.general.recurrent import lstm

Mask = tuple[torch.Size, tuple[int, ...], torch.dtype, float]
"""Shape, strides and type of the input of a dropout in one run, and the probability."""


class FunctionMode(TorchFunctionMode):
    """Calls of `torch.nn.functional` in a forward pass, with masks that are drawn outside.

    Inside `vmap` no run could draw from its own generator, so that the masks of a batch come in as
    inputs. Attention has no batching rule on CPU, where a loop over the runs takes its place, and
    the kernels of LSTM layers have none at all: both are written out.

    Args:
        masks: The masks, already divided by ``1 - p``, in the order of the calls; None: none are
            applied, and those that would be are listed in ``asked``.
    """

    def __init__(self, masks: tuple[Tensor, ...] | None) -> None:
        super().__init__()
        self._masks = None if masks is None else iter(masks)
        self.asked: list[Mask] = []
        """The masks of the calls so far, where none were given."""
        self._forms: Mapping[Any, Callable[..., Any]] = activations.FORMS | {
            F.dropout: self._dropout,
            F.scaled_dot_product_attention: self._attention,
            torch.lstm: self._lstm,
        }

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        """Call a function of torch, or what stands for it."""
        form = self._forms.get(func, func)
        if func in activations.FORMS and args and args[0].numel() % activations.BLOCK == 0:
            form = func  # whole blocks in every run, and then no element is a last one
        return form(*args, **(kwargs or {}))

    def _dropout(
        self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        if not training or p == 0:
            return input
        if not 0 < p < 1 or not input.numel():
            return F.dropout(input, p, training, inplace)
        if self._masks is None:
            self.asked.append((input.shape, input.stride(), input.dtype, p))
            return input
        mask = next(self._masks)
        return input.mul_(mask) if inplace else input * mask

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """``softmax(Q·Kᵀ·s + M)·V``, as `torch.nn.functional.scaled_dot_product_attention`."""
        if enable_gqa:
            share = query.shape[-3] // key.shape[-3]
            key, value = (t.repeat_interleave(share, -3) for t in (key, value))
        scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        weights = (query * scale) @ key.transpose(-2, -1)
        if is_causal:
            attn_mask = weights.new_ones(weights.shape[-2:], dtype=torch.bool).tril()
        if attn_mask is not None:
            hides = attn_mask.dtype == torch.bool
            hide = weights.masked_fill_
            weights = hide(~attn_mask, -math.inf) if hides else weights + attn_mask
        return self._dropout(torch.softmax(weights, -1), dropout_p) @ value

    def _lstm(self, input: Tensor, second: Any, third: Any, *further: Any) -> Any:
        """Compute `torch.nn.LSTM`; packed sequences and projections are left to torch."""
        if isinstance(second, Tensor) or len(further) != 6:
            return torch.lstm(input, second, third, *further)
        biased, layers, p, training, both, batch_first = further
        directions = 2 if both else 1
        each = 4 if biased else 2
        if len(third) != each * layers * directions:
            return torch.lstm(input, second, third, *further)
        weights = [third[i : i + each] for i in range(0, len(third), each)]
        x = input.transpose(0, 1) if batch_first else input

        def between(x: Tensor) -> Tensor:
            return self._dropout(x, p, training)

        x, h, c = lstm(x, second, weights, directions, between)
        return (x.transpose(0, 1) if batch_first else x), h, c


def drawn(asked: Mask, generators: list[torch.Generator], device: torch.device) -> Tensor:
    """Return the masks ``[R, …]`` of a dropout, each run's from its own generator.

    On CPU they are those of the ordinary trainer from the same state of the generator, which draws
    in the layout of the input.
    """
    shape, strides, dtype, p = asked
    rows = [
        torch.empty_strided(shape, strides, dtype=dtype, device=device)
        .bernoulli_(1 - p, generator=own)
        .div_(1 - p)
        for own in generators
    ]
    return torch.stack(rows)
