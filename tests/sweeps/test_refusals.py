"""Techniques asked for where they make no sense: one line that says what would."""

import pytest

from sgdlab.errors import InputError
from sgdlab.sweeps.preflight import check
from trainer_runs import built, config_of


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["decay.mode=loose"], r"decay.mode=loose: "),
        (["average=ema", "average.decay=1.5"], r"average.decay=1.5: must be a number from 0"),
        (["average=swa", "average.every=0"], r"average.every=0: must be a whole number of epochs"),
        (["lr_multipliers={*.bais:2}"], r"lr_multipliers: \*.bais matches no .*bias"),
        (["lr_multipliers=2"], r"lr_multipliers=2: must map patterns of names to factors"),
        (["parametrization=mu"], r"parametrization=mu: valid: mup, standard"),
        (["parametrization=mup", "model=cnn"], r"parametrization=mup: .*model=mlp"),
        (["parametrization=mup", "optimizer=lamb"], r"parametrization=mup: no rule for L"),
        (["local_sgd.workers=0"], r"local_sgd.workers=0: must be a whole number from 1"),
        (["local_sgd.workers=2", "optimizer=lbfgs"], r"local_sgd.workers: LBFGS evaluates"),
        (["staleness.delay=2", "optimizer=lbfgs"], r"staleness.delay: LBFGS evaluates"),
        (["staleness.delay=2", "optimizer=schedule_free_sgd"], r"staleness.delay: Sch.* evaluates"),
        (["decay.mode=coupled", "optimizer=schedule_free_sgd"], r"decay.mode=coupled: not poss"),
        (["average=ema", "optimizer=schedule_free_sgd"], r"average=ema: .*average=none"),
        (
            ["dataset=quadratic", "dataset.projection=ball", "optimizer=schedule_free_sgd"],
            r"optimizer=schedule_free_sgd: its average would leave the set",
        ),
        (["clip_value=1", "optimizer=kiefer_wolfowitz"], r"clip_value=1.0: .* has no gradient"),
        (["clip_value=0"], r"clip_value=0.0: must be positive, or null"),
        (["clip_norm=1", "optimizer=kiefer_wolfowitz"], r"clip_norm=1.0: .* has no gradient"),
        (["dataset=quadratic", "model=mlp"], r"model=mlp: dataset=quadratic is a function"),
        (["dataset=quadratic", "loss=mse"], r"loss=mse: dataset=quadratic gives the loss itself"),
        (["dataset=rosenbrock", "loss=perceptron"], r"loss=perceptron"),
        (["local_sgd.workers=2", "optimizer=soap"], r"local_sgd.workers: how to average .* SOAP"),
        (["local_sgd.workers=2", "optimizer=swats"], r"local_sgd.workers: how to average .* SWATS"),
        (["optimizer=swats", "decay.mode=decoupled"], r"decay.mode=decoupled: not possible"),
        (["lr_multipliers={9:2}"], r"lr_multipliers: 9 matches no trainable parameter"),
        (["model=problem"], r"model=problem goes with a test problem"),
        (["loss=perceptron", "dataset=diabetes"], r"loss=perceptron"),
    ],
)
def test_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        built(*overrides)


@pytest.mark.parametrize(
    ("overrides", "doubt"),
    [
        (["schedule=one_cycle", "optimizer=sgd"], "only lr is scheduled"),
        (["optimizer=schedule_free_adamw"], "use schedule=constant"),
        (["optimizer=lion", "scaling=linear", "batch_size=128"], "scaling=sqrt"),
        (["average=swa", "average.every=50"], "average=swa takes in no weights"),
        (
            ["epochs=2"],
            "the warm-up of 51 steps does not end within the run's 34 (schedule.warmup",
        ),
    ],
)
def test_doubted(overrides: list[str], doubt: str) -> None:
    (found,) = check(config_of(*overrides))
    assert doubt in found


@pytest.mark.parametrize(
    "overrides",
    [
        ["schedule=one_cycle"],
        ["schedule=one_cycle", "optimizer=adamw"],
        ["optimizer=schedule_free_adamw", "schedule=constant"],
        ["optimizer=momentum", "scaling=linear", "batch_size=128"],
    ],
)
def test_not_doubted(overrides: list[str]) -> None:
    assert check(config_of(*overrides)) == []
