"""The example of a training loop, and what must be known about it."""

from collections.abc import Mapping
from typing import Any

from sgdlab.snippet.average import follows_length
from sgdlab.snippet.optimizer import evaluates_average, is_unknown, needs_closure, takes_values
from sgdlab.snippet.schedule import observes
from sgdlab.snippet.values import section, target, whole

_AUTOCAST = {
    "bf16": "torch.autocast(device, torch.bfloat16)",
    "fp16": "torch.autocast(device, torch.float16)",
}


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
    made_of = "model, total_steps" if follows_length(config) else "model"
    lines = [
        *(["import math"] if several or max_steps else []),
        *(["from itertools import islice"] if several else []),
        *(["freeze(model, FREEZE)"] if config.get("freeze") else []),
        "optimizer = make_optimizer(model)",
        f"steps_per_epoch = {steps}",
        f"total_steps = {total}",
        "scheduler = make_schedule(optimizer, total_steps, steps_per_epoch)",
        *([f"average = make_average({made_of})"] if averaged else []),
        *(["device = next(model.parameters()).device.type"] if _autocast(config) else []),
        *(["scaler = torch.amp.GradScaler(device)"] if _is_scaled(config) else []),
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
        unscale, step = [], ["optimizer.step()"]
        if _is_scaled(config):
            unscale = ["scaler.unscale_(optimizer)"]
            step = ["scaler.step(optimizer)", "scaler.update()"]
        return [*size, *_gradient(config, several), *unscale, *_clipping(config), *step]
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
        return [*_forward(config, "loss = loss_fn(model(x), y)"), _backward(config, "loss")]
    forward = _forward(config, "part = loss_fn(model(x), y) * (len(y) / size)")
    body = [*forward, _backward(config, "part")]
    if adds_up:
        body.append("loss = loss + part.detach()")
    return [*(["loss = 0.0"] if adds_up else []), "for x, y in update:", *_indented(body)]


def _value(config: Mapping[str, Any], several: bool) -> list[str]:
    """Return the lines that return the loss alone."""
    value = "loss_fn(model(x), y)"
    if several:
        value = f"sum({value} * (len(y) / size) for x, y in update)"
    autocast = _autocast(config)
    return [f"with torch.no_grad(){f', {autocast}' if autocast else ''}:", f"    return {value}"]


def _forward(config: Mapping[str, Any], line: str) -> list[str]:
    autocast = _autocast(config)
    return [f"with {autocast}:", f"    {line}"] if autocast else [line]


def _backward(config: Mapping[str, Any], loss: str) -> str:
    return f"scaler.scale({loss}).backward()" if _is_scaled(config) else f"{loss}.backward()"


def _autocast(config: Mapping[str, Any]) -> str | None:
    return _AUTOCAST.get(config.get("precision", "fp32"))


def _is_scaled(config: Mapping[str, Any]) -> bool:
    return config.get("precision") == "fp16"


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _clipping(config: Mapping[str, Any]) -> list[str]:
    return [
        f"torch.nn.utils.clip_grad_{kind}_(model.parameters(), CLIP_{kind.upper()})"
        for kind in ("value", "norm")
        if config.get(f"clip_{kind}") is not None
    ]


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
    if config.get("precision") == "tf32":
        found.append("The run let in TF32: torch.set_float32_matmul_precision('high') before it.")
    if config.get("channels_last"):
        found.append(
            "Images and weights had the channels last: model.to and x.to take "
            "memory_format=torch.channels_last."
        )
    if config.get("compile") is True:
        found.append("The run was compiled, which changes the last bits: torch.compile(model).")
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
    module, name = target(config, "optimizer")
    if module.split(".")[0] != "sgdlab" and "weight_decay" not in section(config, "optimizer"):
        found.append(
            f"If {name} has a weight_decay by itself, the run left biases and norms out of it, and "
            "this file does not: write weight_decay into the YAML of the optimizer."
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
