"""Mean and variance of single examples' gradients of dense layers, from one backward pass."""

import torch
from torch import Tensor, nn

from sgdlab.diagnostics.base import Moment, Subject, flat
from sgdlab.diagnostics.placed import placed
from sgdlab.steps.closure import undisturbed
from sgdlab.steps.precision import autocast


def is_dense(subject: Subject) -> bool:
    """Say whether each parameter is that of one `torch.nn.Linear`, and no layer mixes examples."""
    modules = list(subject.model.modules())
    mixing = any("BatchNorm" in type(m).__name__ for m in modules)
    layers = [m for m in modules if type(m) is nn.Linear]
    # A layer under weight norm has a weight that is no parameter.
    held = [id(p) for layer in layers for p in (layer.weight, layer.bias) if p is not None]
    trained = {id(p) for p in subject.parameters}
    own = [place for place in held if place in trained]
    return bool(own) and not mixing and len(own) == len(trained) == len(set(own))


def dense_sums(subject: Subject, moment: Moment) -> tuple[Tensor, Tensor] | None:
    """Return sums of the examples' gradients and of their squares, ``[d]`` each.

    A dense layer with inputs ``a_i`` and derivatives ``δ_i`` of the loss of example ``i`` by its
    outputs has the gradient ``g_i = δ_i a_iᵀ``, so ``Σ_i g_i² = (δ²)ᵀ(a²)`` by element: a product
    of matrices, without any ``g_i``. Dropout is that of the step (on CPU).

    None where a layer was used more than once, or not on one vector an example.

    Source: Dangel, Kunstner and Hennig (2020), "BackPACK: packing more into backprop".
    """
    inputs: dict[nn.Module, list[Tensor]] = {}
    outputs: dict[nn.Module, list[Tensor]] = {}

    def keep(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        inputs.setdefault(module, []).append(arguments[0].detach())
        outputs.setdefault(module, []).append(output)

    layers = [m for m in subject.model.modules() if type(m) is nn.Linear]
    places = {id(p): index for index, p in enumerate(subject.parameters)}
    total = [torch.zeros_like(p) for p in subject.parameters]
    squares = [torch.zeros_like(p) for p in subject.parameters]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        with (
            undisturbed(subject.model, moment.random_state, subject.loss.module),
            placed(subject.parameters, moment.before),
            torch.enable_grad(),
        ):
            for batch in moment.update:
                inputs.clear()
                outputs.clear()
                with autocast(batch.y.device, subject.half_of_gradients):
                    # The mean over examples times their number: the sum of their losses.
                    loss = subject.loss.of(subject.model, batch) * len(batch.y)
                used = [m for m in layers if m in outputs and outputs[m][0].requires_grad]
                if any(len(outputs[m]) > 1 or outputs[m][0].dim() != 2 for m in used):
                    return None
                slopes = torch.autograd.grad(loss, [outputs[m][0] for m in used])
                for layer, slope in zip(used, slopes, strict=True):
                    a, slope = inputs[layer][0].to(layer.weight.dtype), slope.to(layer.weight.dtype)
                    parts = [(layer.weight, slope.T @ a, slope.square().T @ a.square())]
                    if layer.bias is not None:
                        parts.append((layer.bias, slope.sum(0), slope.square().sum(0)))
                    for parameter, first, second in parts:
                        if id(parameter) in places:
                            total[places[id(parameter)]] += first
                            squares[places[id(parameter)]] += second
    finally:
        for hook in hooks:
            hook.remove()
    return flat(total), flat(squares)
