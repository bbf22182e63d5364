"""Hessians and gradients of small models without anything of sgdlab's: slow, and independent."""

import numpy as np
import torch
from torch import Tensor

from sgdlab.diagnostics.base import Moment, Subject


def loss_of(subject: Subject, vector: Tensor, x: Tensor, y: Tensor) -> Tensor:
    parts = vector.split([p.numel() for p in subject.parameters])
    named = {
        name: v.view_as(p)
        for name, v, p in zip(subject.names, parts, subject.parameters, strict=True)
    }
    buffers = {name: b.clone() for name, b in subject.model.named_buffers()}
    output = torch.func.functional_call(subject.model, {**buffers, **named}, (x,))
    return subject.loss(output, y)


def hessian(subject: Subject, at: Tensor, examples: int | None = None) -> np.ndarray:
    """Return the Hessian of the mean loss over evenly spaced examples, with eval semantics."""
    x, y = subject.data.train
    count = len(y) if examples is None else min(examples, len(y))
    where = [i * len(y) // count for i in range(count)]
    training = [m.training for m in subject.model.modules()]
    subject.model.eval()
    with torch.enable_grad():
        found = torch.autograd.functional.hessian(
            lambda v: loss_of(subject, v, x[where], y[where]), at
        )
    for module, mode in zip(subject.model.modules(), training, strict=True):
        module.training = mode
    return found.double().numpy()


def gradients(subject: Subject, at: Tensor) -> np.ndarray:
    """Return the gradient of each training example, ``[n, d]``, with eval semantics."""
    training = [m.training for m in subject.model.modules()]
    subject.model.eval()
    rows = []
    for x, y in zip(*subject.data.train, strict=True):
        v = at.clone().requires_grad_()
        with torch.enable_grad():
            rows.append(torch.autograd.grad(loss_of(subject, v, x[None], y[None]), v)[0])
    for module, mode in zip(subject.model.modules(), training, strict=True):
        module.training = mode
    return torch.stack(rows).double().numpy()


def top(matrix: np.ndarray) -> float:
    return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])


def at_start(moment: Moment) -> Tensor:
    return torch.cat([p.reshape(-1) for p in moment.before])
