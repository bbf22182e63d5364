"""Turns the config of a run into the text of a Python file."""

import sys
import textwrap
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from sgdlab import scaling
from sgdlab.checks import require_number
from sgdlab.errors import InputError, one_line
from sgdlab.snippet.average import average_part
from sgdlab.snippet.freezing import freezing_part, start
from sgdlab.snippet.optimizer import optimizer_part
from sgdlab.snippet.schedule import schedule_part
from sgdlab.snippet.source import Import, Part
from sgdlab.snippet.usage import example, notes
from sgdlab.snippet.values import (
    WIDTH,
    literal,
    member,
    prose,
    section,
    settings,
    target,
    whole,
)


def snippet(config: Mapping[str, Any], lr: float | None = None) -> str:
    """Return a Python file with a run's optimizer, parameter groups and schedule, without sgdlab.

    It defines ``parameter_groups(model)``, ``make_optimizer(model)`` and
    ``make_schedule(optimizer, total_steps, steps_per_epoch)``, a learning-rate scheduler of torch
    to be called once per optimizer step; its docstring has the training loop that goes with them,
    with clipping, accumulation and precision as the run had them. It imports torch, and the
    packages of optimizers that sgdlab does not define itself. Rules that torch lacks are copied
    from the source of this installation.

    Same model, batches and loss: same learning rates and weights as the run's, up to rounding.

    Args:
        config: The content of a run's ``config.yaml``.
        lr: The learning rate before scheduling, scaled (column ``lr`` of ``summary.csv``); None
            works it out from the config.

    Raises:
        InputError: The config is no run's, or has what plain PyTorch cannot do: simulated
            staleness, local SGD, ``parametrization=mup``, an average or a scaling of one's own.
    """
    _refuse_simulations(config)
    for group in ("optimizer", "schedule"):
        if "_target_" not in section(config, group):
            raise InputError(f"{group}: no _target_; not the config.yaml of a run")
    rate = _rate_of(config) if lr is None else lr
    require_number("lr", rate, 0, open_low=True)
    average = average_part(config)
    parts = [
        freezing_part(config),
        optimizer_part(config, rate),
        schedule_part(config),
        average or Part(),
    ]
    texts = [
        _header(config, rate, average is not None),
        _imports(set[Import]().union(*(part.imports for part in parts))),
        _constants(config, rate),
        *(f"\n{part.text}" for part in parts if part.text),
    ]
    return "\n\n".join(texts) + "\n"


def _rate_of(config: Mapping[str, Any]) -> float:
    """Return the learning rate of a run before scheduling, scaled by its batch.

    Raises:
        InputError: It has none, or only the run itself knows it.
    """
    lr = config.get("lr")
    if lr is None:
        lr = section(config, "optimizer").get("lr")
    lr = require_number("lr", lr, open_low=True)
    if not section(config, "scaling"):
        return lr
    module, name = target(config, "scaling")
    rule = getattr(scaling, name, None) if module == "sgdlab.scaling" else None
    if rule is None:
        raise InputError(
            f"scaling={module}.{name}: give the lr of summary.csv, since only the run knows it"
        )
    batch, accumulate = config.get("batch_size"), whole(config, "accumulate", 1)
    if rule is scaling.Unscaled:
        batch = 1  # any will do
    if not isinstance(batch, int):
        raise InputError(
            f"batch_size={batch}: give the lr of summary.csv, since scaling needs the size"
        )
    try:
        return float(rule(**settings(config, "scaling"))(lr, batch * accumulate))
    except TypeError as error:
        raise InputError(f"scaling: {one_line(error)}") from error


def _refuse_simulations(config: Mapping[str, Any]) -> None:
    delay = section(config, "staleness").get("delay", 0)
    workers = section(config, "local_sgd").get("workers", 1)
    for key, value, plain in (("staleness.delay", delay, 0), ("local_sgd.workers", workers, 1)):
        if value != plain:
            raise InputError(f"{key}={value}: a simulation is no plain PyTorch; use {key}={plain}")
    how = section(config, "distributed").get("algorithm", "sync")
    if how != "sync":
        raise InputError(
            f"distributed.algorithm={how}: its workers are no plain loop; use "
            "distributed.algorithm=sync"
        )


def _header(config: Mapping[str, Any], lr: float, averaged: bool) -> str:
    names = [member(config, group) for group in ("optimizer", "schedule", "dataset", "model")]
    optimizer, schedule, dataset, model = map(prose, names)
    lines = [
        f"{optimizer} with the {schedule} schedule, as trained on {dataset}/{model}.",
        "",
        f"Written by sgdlab {version('sgdlab')} from a run's config.yaml. Runs without sgdlab.",
        "",
        *_settings(config, lr),
        "",
        "A training loop, for a model, batches and loss_fn of yours::",
        "",
        *(f"    {line}" for line in example(config, averaged)),
    ]
    for note in notes(config, averaged):
        lines += ["", *textwrap.wrap(note, WIDTH - 2, break_on_hyphens=False)]
    return "\n".join(['"""' + lines[0], *(line.rstrip() for line in lines[1:]), '"""'])


def _settings(config: Mapping[str, Any], lr: float) -> list[str]:
    """Return the numbers of the run, a line or more each."""
    decay, batch = section(config, "decay"), config.get("batch_size", "?")
    rows = {
        "workload": f"{member(config, 'dataset')}/{member(config, 'model')}, "
        f"loss {member(config, 'loss')}",
        "optimizer": _listed(config, "optimizer"),
        "schedule": _listed(config, "schedule"),
        "lr": f"{lr!r} before scheduling",
        "batch": f"{batch} examples" if batch != "full" else "the whole training split",
        "length": f"MAX_STEPS = {config['max_steps']}"
        if config.get("max_steps")
        else f"EPOCHS = {config.get('epochs', '?')}",
    }
    if whole(config, "accumulate", 1) > 1:
        rows["batch"] += f", {config['accumulate']} accumulated in a step"
    if member(config, "scaling") not in ("none", "Unscaled", "scaling"):
        base = section(config, "scaling").get("base_batch_size", "?")
        rows["lr"] += f", scaled ({member(config, 'scaling')}) from {config.get('lr')} at {base}"
    if section(config, "optimizer").get("weight_decay") is not None:
        rows["weight decay"] = f"{decay.get('mode') or 'in the form of the optimizer'}; "
        left_out = [] if decay.get("bias_and_norm") else ["biases", "norms"]
        left_out += [] if decay.get("embeddings", True) else ["embeddings"]
        rows["weight decay"] += f"not {' and '.join(left_out)}" if left_out else "all parameters"
    if (half_life := config.get("half_life_tokens")) is not None:
        rows["beta2"] = f"a half-life of {half_life:g} tokens at this batch size, or examples"
    augment = {key: value for key, value in section(config, "augment").items() if value}
    if augment:
        given = ", ".join(f"{key}={literal(value)}" for key, value in augment.items())
        rows["augmentation"] = f"{given}; left to the batches that you give"
    clips = [
        f"{what} of the gradient at most {config[key]!r}"
        for key, what in (("clip_value", "each element"), ("clip_norm", "global norm"))
        if config.get(key) is not None
    ]
    if clips:
        rows["clipping"] = ", then ".join(clips)
    rows |= start(config)
    rows["numbers"] = f"{config.get('dtype', 'float32')}, {config.get('precision', 'fp32')}"
    if member(config, "average") not in ("none", "average"):
        rows["average"] = _listed(config, "average")
    wide = {"initial_indent": "    ", "subsequent_indent": " " * 18, "break_on_hyphens": False}
    found: list[str] = []
    for key, value in rows.items():
        found += textwrap.wrap(f"{key:<14}{prose(value)}", WIDTH - 2, **wide)  # type: ignore[arg-type]
    return found


def _listed(config: Mapping[str, Any], group: str) -> str:
    given = {k: v for k, v in settings(config, group).items() if v is not None and v is not False}
    if group == "average" and "decay" in given:
        given.pop("horizon", None)  # without effect
    pairs = ", ".join(f"{key}={literal(value)}" for key, value in given.items())
    return f"{member(config, group)} {pairs}".strip()


def _imports(needed: Iterable[Import]) -> str:
    """Return import statements: the standard library, then the rest."""
    plain = {module for module, name in needed if name is None and not _is_torch(module)}
    if any(_is_torch(module) for module, name in needed if name is None):
        plain.add("torch")
    names: dict[str, set[str]] = {}
    for module, name in needed:
        if name is not None:
            names.setdefault(module, set()).add(name)
    statements = [(module, f"import {module}") for module in sorted(plain)]
    for module in sorted(names):
        ordered = sorted(names[module], key=lambda name: (not name[0].isupper(), name))
        statements.append((module, f"from {module} import {', '.join(ordered)}"))
    standard = [s for module, s in statements if module.split(".")[0] in sys.stdlib_module_names]
    others = [s for _, s in statements if s not in standard]
    return "\n\n".join("\n".join(block) for block in (standard, others) if block)


def _is_torch(module: str) -> bool:
    return module == "torch" or module.startswith("torch.optim")


def _constants(config: Mapping[str, Any], lr: float) -> str:
    lines = [f"LR = {literal(lr)}"]
    length = "max_steps" if config.get("max_steps") else "epochs"
    lines.append(f"{length.upper()} = {whole(config, length, 1)}")
    if (accumulate := whole(config, "accumulate", 1)) > 1:
        lines.append(f"ACCUMULATE = {accumulate}")
    if patterns := config.get("freeze"):
        lines.append(f"FREEZE = {literal(list(map(str, patterns)))}")
    for key in ("clip_value", "clip_norm"):
        if (most := config.get(key)) is not None:
            require_number(key, most, 0, open_low=True)
            lines.append(f"{key.upper()} = {literal(most)}")
    return "\n".join(lines)
