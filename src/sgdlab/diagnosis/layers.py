"""What the columns by layer tell: gradients that vanish, units that are dead."""

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import curve
from sgdlab.diagnosis.words import number, percent

VANISHING = 0.01
"""Gradient norm of the first layer over that of the last. With an initialisation made for the
activation the ratio is between 0.1 and 10; every sigmoid layer costs a factor of 4 or more."""

DEAD = 0.4
"""Share of hidden units that are 0 or saturated for a whole batch: twice what was seen in healthy
networks, 5 to 10 % of an MLP's and up to 23 % of a small convolutional one's."""

PREFIX = "grad_norm."


def vanishing(run: RunRecord) -> Finding | None:
    """Return the finding that hardly any gradient reaches the first layer."""
    layers = layers_of(run)
    if len(layers) < 3:
        return None
    first, last = (run.steps[PREFIX + layers[at]] for at in (0, -1))
    good = np.isfinite(first) & np.isfinite(last) & (last > 0)
    if good.sum() < 3:
        return None
    # Later, a fitted run has small gradients everywhere; the start tells the architecture.
    early = np.flatnonzero(good)[: max(3, int(good.sum()) // 2)]
    ratio = float(np.median(first[early] / last[early]))
    if ratio >= VANISHING:
        return None
    medians = [float(np.nanmedian(run.steps[PREFIX + layer][early])) for layer in layers]
    shown = ", ".join(f"{layer}: {number(m, 2)}" for layer, m in zip(layers, medians, strict=True))
    activation = run.setting("model.activation")
    saturating = activation in ("sigmoid", "tanh")
    changes: dict[str, object] = {}
    if saturating:
        changes["model.activation"] = "relu"
    if run.setting("model.batch_norm") is False:
        changes["model.batch_norm"] = True
    return Finding(
        "vanishing_gradient",
        "problem" if ratio < VANISHING / 10 else "warning",
        "The gradient vanishes on its way to the first layers",
        [
            f"gradient norm of layer {layers[0]} over that of layer {layers[-1]}: "
            f"{number(ratio, 2)}, median of the first half",
            f"by layer: {shown}",
        ],
        f"{len(layers)} layers"
        + (f" with {activation}" if saturating else "")
        + ": each multiplies the gradient by less than 1",
        improved(run, changes)
        if changes
        else "another activation, normalisation, or connections around the layers",
        "norms of the same order in all layers, and a loss that leaves its plateau",
        Picture(
            tuple(curve(f"layer {layer}", run.step[good], run.steps[PREFIX + layer][good])
                  for layer in (layers[0], layers[-1])),
            "gradient norm",
            log_y=True,
        ),
        explains=("plateau", "slow", "still_improving"),
    )  # fmt: skip


def layers_of(run: RunRecord) -> list[str]:
    """Return the layers whose gradients were measured, from the input on."""
    return [name.removeprefix(PREFIX) for name in run.steps if name.startswith(PREFIX)]


def dead_units(run: RunRecord) -> Finding | None:
    """Return the finding that most hidden units do nothing."""
    share = run.steps.get("dead_units")
    if share is None:
        return None
    good = np.isfinite(share)
    if good.sum() < 3:
        return None
    late = share[good][int(good.sum()) // 2 :]
    level = float(np.median(late))
    if level < DEAD:
        return None
    at_first = float(share[good][0])
    died = at_first < level / 2
    changes: dict[str, object] = {"model.activation": "leaky_relu"}
    if run.setting("model.activation") is None:
        changes = {}
    if died:
        changes["lr"] = rounded(float(run.config["lr"]) / 3)
    return Finding(
        "dead_units",
        "problem" if level >= 0.9 else "warning",
        f"{percent(level)} of the hidden units are dead",
        [
            f"{percent(level)} of the hidden units are 0 or saturated on a whole batch "
            "(median of the second half)",
            f"{percent(at_first)} at the first measurement (step {int(run.step[good][0]):,})",
        ],
        "a step that was too large pushed them where their slope is 0"
        if died
        else "they start where their slope is 0: biases far below 0, or inputs of the wrong scale",
        improved(run, changes)
        if changes
        else "start the biases at 0 and standardise the inputs, or take an activation with a slope",
        "the share stays below a fifth, and the loss falls further",
        Picture((curve("dead units", run.step[good], share[good]),), "share"),
        explains=("vanishing_gradient", "plateau", "slow"),
    )
