"""Ids of finished runs stay valid: ten of 2026-11, made before the modules were given rooms."""

import pytest

from sgdlab.config.compose.one import compose_run
from sgdlab.config.run_id import run_id

KNOWN = [
    ("", "r223be348c"),
    ("optimizer=adamw lr=0.003 model=cnn epochs=10", "r5d09feea0"),
    ("dataset=diabetes model=linear clip_norm=1.0 accumulate=2", "r8f0215e7b"),
    ("batch_size=full schedule=constant optimizer=lbfgs lr=1", "rcf5505b32"),
    ("optimizer=lion schedule=wsd seed=3 average=ema average.decay=0.99", "r4d2b80294"),
    ("dataset=rosenbrock optimizer=adam lr=0.02 schedule=constant dtype=float64", "r945a95789"),
    (
        "parametrization=mup model.hidden=[256,256] epochs=5 optimizer.weight_decay=0",
        "r042709a37",
    ),
    ("local_sgd.workers=4 local_sgd.steps=8 batch_size=16", "r55a29601a"),
    ("optimizer=tiger lr=1 decay.mode=independent lr_multipliers={*.bias:2}", "r4f260caec"),
    (
        "scaling=linear scaling.candidates=[0.5,1] zero_grad=false max_steps=7 "
        "diagnostics=business study=x phase=tune",
        "r93ac9eeb8",
    ),
    ("optimizer=muon lr=0.03 dataset=text model=gpt", "r93972a1a1"),
]


@pytest.mark.parametrize(("overrides", "known"), KNOWN)
def test_an_id_of_today_is_an_id_of_tomorrow(overrides: str, known: str) -> None:
    assert run_id(compose_run(*overrides.split(), "device=cpu")) == known


def test_a_resolved_config_is_read_only() -> None:
    config = compose_run("device=cpu")
    with pytest.raises(AttributeError, match="lr: a resolved config is read only"):
        config.lr = 1.0
    with pytest.raises(AttributeError, match="every: a resolved config is read only"):
        config.eval.every = 2
