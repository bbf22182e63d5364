"""The example of a training loop, and what must be known about it."""

from collections.abc import Mapping
from typing import Any

from sgdlab.snippet.optimizer import evaluates_average, is_unknown, needs_closure, takes_values
from sgdlab.snippet.schedule import observes
from sgdlab.snippet.values import section, target, whole

_AUTOCAST = "torch.autocast(device, torch.bfloat16)"


def example(config: Mapping[str, Any], averaged: bool) -> list[str]:
    """Return the lines of a loop that trains as the run did.

    Args:
        config: The config of the run.
        averaged: Whether the snippet has an average of the weights.
    """
    several = whole(config, "accumulate", 1) > 1
    steps = "math.ceil(len(batches) / ACCUMULATE)" if several else "len(batches)"
    max_steps = config.get("max_steps")
    total = "MAX_STEPS" if max_steps else "EPOCHS * steps_per_epoch"
    epochs = "math.ceil(MAX_STEPS / steps_per_epoch)" if max_steps else "EPOCHS"
    lines = [
        *(["import math"] if several or max_steps else []),
        *(["from itertools import islice"] if several else []),
        "optimizer = make_optimizer(model)",
        f"steps_per_epoch = {steps}",
        f"total_steps = {total}",
        "scheduler = make_schedule(optimizer, total_steps, steps_per_epoch)",
        *(["average = make_average(model)"] if averaged else []),
        *(["device = next(model.parameters()).device.type"] if _is_bf16(config) else []),
        "model.train()",
        f"for epoch in range({epochs}):",
    ]
    if several:
        lines += ["    left = iter(batches)", "    while update := list(islice(left, ACCUMULATE)):"]
    else:
        lines += ["    for x, y in batches:"]
    lines += _indented(_indented(_step(config, several)))
    lines += ["        scheduler.step()", "        optimizer.zero_grad()"]
    if averaged:
        lines += [
            "        if enters_average(scheduler.last_epoch, total_steps, steps_per_epoch):",
            "            average.update_parameters(model)",
        ]
    if max_steps:
        lines += ["        if scheduler.last_epoch == total_steps:", "            break"]
    return [*lines, *_evaluation(config)]


def _step(config: Mapping[str, Any], several: bool) -> list[str]:
    """Return the lines of an optimizer's step."""
    size = ["size = sum(len(y) for _, y in update)"] if several else []
    if not needs_closure(config):
        return [*size, *_gradient(config, several), *_clipping(config), "optimizer.step()"]
    gradient = [*_gradient(config, several, adds_up=True), *_clipping(config)]
    body = ["optimizer.zero_grad()", *gradient, "return loss"]
    head = ["def closure():"]
    if takes_values(config):
        head = ["def closure(gradient=True):"]
        body = ["if not gradient:", *_indented(_value(config, several)), *body]
    return [*size, *head, *_indented(body), "optimizer.step(closure)"]


def _gradient(config: Mapping[str, Any], several: bool, adds_up: bool = False) -> list[str]:
    """Return the lines that leave the gradient in the parameters, and ``loss`` if it adds up."""
    if not several:
        return [*_forward(config, "loss = loss_fn(model(x), y)"), "loss.backward()"]
    body = [*_forward(config, "part = loss_fn(model(x), y) * (len(y) / size)"), "part.backward()"]
    if adds_up:
        body.append("loss = loss + part.detach()")
    return [*(["loss = 0.0"] if adds_up else []), "for x, y in update:", *_indented(body)]


def _value(config: Mapping[str, Any], several: bool) -> list[str]:
    """Return the lines that return the loss alone."""
    value = "loss_fn(model(x), y)"
    if several:
        value = f"sum({value} * (len(y) / size) for x, y in update)"
    autocast = f", {_AUTOCAST}" if _is_bf16(config) else ""
    return [f"with torch.no_grad(){autocast}:", f"    return {value}"]


def _forward(config: Mapping[str, Any], line: str) -> list[str]:
    return [f"with {_AUTOCAST}:", f"    {line}"] if _is_bf16(config) else [line]


def _is_bf16(config: Mapping[str, Any]) -> bool:
    return config.get("precision", "fp32") == "bf16"


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _clipping(config: Mapping[str, Any]) -> list[str]:
    if config.get("clip_norm") is None:
        return []
    return ["torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)"]


def _evaluation(config: Mapping[str, Any]) -> list[str]:
    """Return the lines at the end of an epoch."""
    lines: list[str] = []
    if evaluates_average(config):
        lines += [
            "    optimizer.eval()  # the model now holds the average: evaluate or save it here",
            "    optimizer.train()",
        ]
    if observes(config):
        every = whole(section(config, "eval"), "every", 1)
        due = "" if every == 1 else f"if (epoch + 1) % {every} == 0: "
        lines.append(f"    {due}scheduler.observe(validation_loss(model))")
    return lines


def notes(config: Mapping[str, Any], averaged: bool) -> list[str]:
    """Return what the example does not show, a sentence or two each."""
    batch = config.get("batch_size", 64)
    size = "the whole training split" if batch == "full" else f"{batch} examples"
    several = whole(config, "accumulate", 1) > 1
    found = [
        f"``batches`` is a `torch.utils.data.DataLoader` or a list of (x, y): {size} each, every "
        "example once in an epoch, in a new order; the last batch may be smaller. ``loss_fn`` "
        "returns the mean over the examples of a batch."
    ]
    if several:
        found.append(
            "A step takes the gradient of ACCUMULATE batches, each weighted by its examples: that "
            "of the one large batch, where no layer has batch statistics or dropout."
        )
    if config.get("dtype", "float32") != "float32":
        found.append(f"The run computed in {config['dtype']}: model.to(torch.{config['dtype']}).")
    if needs_closure(config):
        found.append(
            "The closure is called several times a step. sgdlab gives every call the same random "
            "numbers (dropout) and lets only the first change running statistics; the loop above "
            "does not."
        )
    if evaluates_average(config):
        found.append(
            "Between optimizer.eval() and optimizer.train() the running statistics of batch "
            "normalisation belong to other weights: recompute them in a copy of the model, "
            "torch.optim.swa_utils.update_bn, before evaluating it."
        )
    if is_unknown(config):
        found.append(
            "The loop calls optimizer.step() without a closure and never optimizer.eval(): whether "
            f"{target(config, 'optimizer')[1]} wants these is not known."
        )
    if averaged:
        found.append(
            "Evaluate ``average.module``. Where it has batch normalisation, call "
            "torch.optim.swa_utils.update_bn on it with the training inputs first."
        )
    if observes(config):
        found.append("``validation_loss(model)`` is yours; sgdlab also calls it at the very end.")
    for group, what in (("optimizer", "optimizer"), ("schedule", "schedule")):
        module = target(config, group)[0]
        package = module.split(".")[0]
        if package not in ("torch", "sgdlab"):
            found.append(
                f"The {what} comes from the module {module}, which must be installed or "
                "importable where this file is used."
            )
    if target(config, "schedule")[0].split(".")[0] != "sgdlab":
        found.append(
            "A schedule of one's own that follows the validation loss is told it with "
            "scheduler.observe(value) after each evaluation."
        )
    return found
