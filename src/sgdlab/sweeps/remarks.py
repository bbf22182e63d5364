"""What is legal in a run and probably not meant, said before it starts."""

from collections.abc import Sequence

from sgdlab.averaging import Exponential
from sgdlab.config.instantiate import call, where
from sgdlab.scaling import Linear
from sgdlab.steps.base import has_momentum
from sgdlab.training.build import Run
from sgdlab.training.build_loss import parameters_of, standardizes_targets

_FEW_NOTES = 3


def remarks(built: Run) -> list[str]:
    """Return what is legal and probably not meant, a line each.

    Args:
        built: A run as it is built, with its data or a stand-in of their shapes.
    """
    config = built.config
    warnings: list[str] = []
    if config.scaling.get("candidates"):
        warnings.append(
            "scaling.candidates counts under -m and in compare only: this run uses the rule alone"
        )
    warnings += _of_warmup(built)
    if (
        built.traits.adaptive
        and not built.traits.layerwise
        and isinstance(call(config.scaling, where(config, "scaling")), Linear)
        and built.lr != config.lr
    ):
        warnings.append(
            "scaling=linear with an adaptive optimizer overshoots as the batch grows; "
            "its rule is scaling=sqrt"
        )
    length = built.total_steps, built.plan.steps_per_epoch
    # From the end: an average takes in late weights, and a run may have millions of steps.
    from_the_end = range(length[0], 0, -1)
    if built.averager and not any(built.averager.rule.due(t, *length) for t in from_the_end):
        warnings.append(
            f"average={config.names.get('average')} takes in no weights of these {length[0]} steps:"
            " lower average.start or average.every, or train longer"
        )
    warnings += [*_of_length(built), *_of_loss(built)]
    name, schedule = config.names.get("optimizer"), config.names.get("schedule")
    moves = built.schedule.momentum(0, built.total_steps, 1) is not None
    if moves and not has_momentum(built.optimizer):
        warnings.append(
            f"schedule={schedule} moves the momentum, too, and optimizer={name} has none: "
            "only lr is scheduled"
        )
    if built.traits.averages_itself and _decays(built):
        warnings.append(
            f"optimizer={name} replaces the decay of the learning rate by an average: "
            "use schedule=constant"
        )
    return warnings


class UncomparableNote(str):
    """A remark on a run that would say nothing of its settings: a comparison refuses it."""


def _of_warmup(built: Run) -> list[UncomparableNote]:
    """Return what is said of a run that ends before its warm-up does."""
    config, per_epoch, total = built.config, built.plan.steps_per_epoch, built.total_steps
    steps = built.schedule.warmup(per_epoch)
    if steps < total:
        return []
    in_steps = config.schedule.get("warmup_steps") is not None
    key = "schedule.warmup_steps" if in_steps else "schedule.warmup_epochs"
    typed = f"{key}={config.schedule.get(key.rpartition('.')[2])}"
    shorter = total // 10 if in_steps else round(total / per_epoch / 10, 2)
    if config.max_steps is not None:
        length, longer = f"max_steps={config.max_steps}", f"max_steps={10 * steps}"
    else:
        length, longer = f"epochs={config.epochs}", f"epochs={-(-10 * steps // per_epoch)}"
    return [
        UncomparableNote(
            f"the warm-up of {steps} steps does not end within the run's {total} ({typed}, "
            f"{length}): lr never reaches its base value; set {key}={shorter:g}, or {longer}"
        )
    ]


def _of_length(built: Run) -> list[str]:
    """Return what needs a longer run than this one."""
    total, per_epoch = built.total_steps, built.plan.steps_per_epoch
    warnings: list[str] = []
    patience, every = built.config.stop.patience, built.config.eval.every
    evaluations = -(-total // (per_epoch * every))
    if patience is not None and patience + 1 >= evaluations:
        warnings.append(
            f"stop.patience={patience}: never reached in a run of {evaluations} evaluations; lower "
            "it or eval.every, or train longer"
        )
    rule = built.averager and built.averager.rule
    if isinstance(rule, Exponential) and (memory := rule.outlives(total)) is not None:
        warnings.append(
            f"average.decay={rule.decay:g}: its memory of {memory:,.0f} steps is long for a run of "
            f"{total}, the average stays near the first weights; average.decay=null follows the run"
        )
    return warnings


def _of_data(notes: Sequence[str]) -> list[str]:
    """Return few notes as they are; of many the first, which is their summary."""
    if len(notes) <= _FEW_NOTES:
        return list(notes)
    return [f"{notes[0]} (environment.json has all {len(notes)} lines)"]


def _of_loss(built: Run) -> list[str]:
    label, warnings = where(built.config, "loss"), _of_data(built.data.notes)
    if own := parameters_of(built.objective.loss):
        count = sum(p.numel() for p in own.values())
        warnings.append(
            f"{label}: {count} {'parameter' if count == 1 else 'parameters'} of its own, trained "
            "with the model's, without weight decay"
        )
    data, asked = built.data, built.config.standardize.targets
    raw = isinstance(data.target_scale, float) and data.target_scale == 1.0
    if (
        data.task == "regression"
        and asked == "auto"
        and raw
        and not standardizes_targets(built.config)
    ):
        warnings.append(
            f"{label} does not say that it is scale-free: targets are not standardised; "
            "standardize.targets=true does it, false says that this is meant"
        )
    return warnings


def _decays(built: Run) -> bool:
    total, per_epoch = built.total_steps, built.plan.steps_per_epoch
    return built.schedule(total, total, per_epoch) < 0.5
