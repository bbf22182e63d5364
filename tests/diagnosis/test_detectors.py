"""Each symptom in series of which it is known, on either side of its threshold."""

import numpy as np
import pytest
from hand_runs import alarms, config, diagnosed, notes, write_run

COUNT = 200
STEPS = np.arange(COUNT)
FALLING = 0.05 + 2.25 * np.exp(-STEPS / 25)
EVALUATED = [(float(v), float(v) + 0.02) for v in 0.05 + 2.25 * np.exp(-np.arange(0, 201, 20) / 25)]
EMPTY = np.full(COUNT, np.nan)


def sparse(values) -> np.ndarray:
    """Return values on every tenth step, as diagnostics write them."""
    column = EMPTY.copy()
    column[::10] = np.broadcast_to(values, COUNT)[::10]
    return column


def test_an_exponential_approach_is_healthy(tmp_path):
    run = write_run(tmp_path / "run", FALLING, evaluations=EVALUATED)
    assert not diagnosed(run).findings
    assert {name for name, _ in diagnosed(run).unchecked} == {
        "vanishing_gradient",
        "dead_units",
        "above_critical_batch",
    }


@pytest.mark.parametrize(("factor", "found"), [(1.8, False), (2.2, True)])
def test_a_loss_explodes_when_its_median_doubles(tmp_path, factor, found):
    loss = FALLING.copy()
    loss[20:30] = factor * 2.3
    run = write_run(tmp_path / "run", loss, evaluations=EVALUATED)
    assert ("explodes" in alarms(run)) is found


def test_two_wild_batches_are_no_explosion(tmp_path):
    loss = FALLING.copy()
    loss[[20, 60]] = 7.0
    assert "explodes" not in alarms(write_run(tmp_path / "run", loss, evaluations=EVALUATED))


def test_a_run_that_diverged_in_two_steps_exploded(tmp_path):
    reason = "loss 2000 at step 2 exceeds limits.loss_factor (230)"
    run = write_run(
        tmp_path / "run", [2.3, 2000.0], evaluations=[(2.3, 2.3)], status="diverged", reason=reason
    )
    (finding,) = diagnosed(run).alarms
    assert (finding.symptom, finding.severity) == ("explodes", "problem")
    assert "stopped: " + reason in finding.evidence


@pytest.mark.parametrize("column", ["loss", "grad_norm"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_found_with_its_step(tmp_path, column, value):
    columns = {"loss": FALLING[:50].copy(), "grad_norm": np.ones(50)}
    columns[column][-1] = value
    loss = columns.pop("loss")
    run = write_run(tmp_path / "run", loss, status="diverged", reason="no number", **columns)
    assert "not_finite" in alarms(run)
    finding = next(f for f in diagnosed(run).findings if f.symptom == "not_finite")
    assert finding.evidence[0].startswith("step 50:")
    assert "clip_norm=1.0" in finding.action


@pytest.mark.parametrize(
    ("steps", "said"), [(0, "it is so from the first step"), (50, "it comes suddenly")]
)
def test_a_loss_that_is_not_finite_between_steps_is_blamed_by_whether_there_were_any(
    tmp_path, steps, said
):
    reason = f"training loss is nan after step {steps}"
    evaluations = [(2.0, 2.0), (float("nan"), 2.0)] if steps else [(float("nan"), 2.0)]
    loss = np.linspace(2.0, 1.0, steps)
    run = write_run(
        tmp_path / "run", loss, status="diverged", reason=reason, per_epoch=max(steps, 1),
        evaluations=evaluations,
    )  # fmt: skip
    (finding,) = [f for f in diagnosed(run).findings if f.symptom == "not_finite"]
    assert finding.cause.startswith(said)


@pytest.mark.parametrize(("height", "found"), [(3.0, False), (20.0, True)])
def test_spikes_of_the_gradient(tmp_path, height, found):
    norm = np.exp(0.1 * np.sin(STEPS))
    norm[[50, 90, 130]] *= height
    run = write_run(tmp_path / "run", FALLING, evaluations=EVALUATED, grad_norm=norm)
    assert ("gradient_spikes" in alarms(run)) is found


def test_a_gradient_that_only_decays_has_no_spike(tmp_path):
    norm = np.exp(-STEPS / 4)
    run = write_run(tmp_path / "run", FALLING, evaluations=EVALUATED, grad_norm=norm)
    assert "gradient_spikes" not in alarms(run)


@pytest.mark.parametrize(("loss_grows", "found"), [(True, True), (False, False)])
def test_growth_of_the_gradient_is_an_alarm_unless_the_loss_falls(tmp_path, loss_grows, found):
    loss = 1 + 0.004 * STEPS if loss_grows else FALLING
    norm = np.exp(STEPS / 60)
    run = write_run(tmp_path / "run", loss, grad_norm=norm)
    assert ("gradient_grows" in alarms(run)) is found


@pytest.mark.parametrize(("rise", "found"), [(0.01, False), (0.3, True)])
def test_overfitting_needs_a_validation_that_rises_while_training_falls(tmp_path, rise, found):
    val = [2.3, 1.2, 0.7, 0.5, 0.4, *(0.4 + rise * k / 6 for k in range(1, 7))]
    train = [v for v, _ in EVALUATED]
    run = write_run(tmp_path / "run", FALLING, evaluations=list(zip(train, val, strict=True)))
    assert ("overfits" in alarms(run)) is found


def test_a_run_that_becomes_worse_as_a_whole_does_not_overfit(tmp_path):
    both = [2.3, 1.2, 0.7, 0.5, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7]
    run = write_run(tmp_path / "run", FALLING, evaluations=[(v, v) for v in both])
    assert "overfits" not in alarms(run)


def test_training_that_goes_up_and_down_oscillates(tmp_path):
    train = [2.3, 1.0, 0.6, 1.1, 0.5, 1.0, 0.5, 0.9, 0.4, 0.9, 0.5]
    run = write_run(tmp_path / "run", FALLING, evaluations=[(v, v) for v in train])
    assert "oscillates" in alarms(run)


def test_one_step_back_is_no_oscillation(tmp_path):
    train = [2.3, 1.0, 0.6, 0.5, 0.45, 0.47, 0.4, 0.35, 0.32, 0.3, 0.29]
    run = write_run(tmp_path / "run", FALLING, evaluations=[(v, v) for v in train])
    assert "oscillates" not in alarms(run)


@pytest.mark.parametrize(("cosine", "found"), [(-0.9, True), (0.0, False)])
def test_gradients_that_oppose_each_other_oscillate(tmp_path, cosine, found):
    columns = {"grad_cosine": sparse(cosine)}
    run = write_run(tmp_path / "run", FALLING, evaluations=EVALUATED, **columns)
    assert ("oscillates" in alarms(run)) is found


def test_a_straight_line_that_gets_nowhere_is_slow(tmp_path):
    line = 2.3 - 0.1 * STEPS / COUNT
    settings = config(names=config()["names"] | {"schedule": "constant"})
    evaluations = [(2.3 - 0.01 * k, 2.3 - 0.01 * k) for k in range(11)]
    run = write_run(
        tmp_path / "run", line, settings=settings, evaluations=evaluations, lr=np.full(COUNT, 0.1)
    )
    (finding,) = diagnosed(run).alarms
    assert finding.symptom == "slow"
    assert "lr=1.0" in finding.action


def test_rates_too_small_for_a_visible_fall_are_slow_not_a_plateau(tmp_path):
    run = write_run(
        tmp_path / "run",
        np.full(COUNT, 2.3),
        settings=config(names=config()["names"] | {"schedule": "constant"}),
        evaluations=[(2.3, 2.3)] * 11,
        lr=np.full(COUNT, 1e-8),
    )
    assert alarms(run) == {"slow"}


@pytest.mark.parametrize(("norm", "said"), [(0.0, "no gradient"), (1.0, "labels")])
def test_a_loss_that_stands_is_a_plateau(tmp_path, norm, said):
    run = write_run(
        tmp_path / "run",
        np.full(COUNT, 2.3),
        evaluations=[(2.3, 2.3)] * 11,
        grad_norm=np.full(COUNT, norm),
    )
    (finding,) = diagnosed(run).alarms
    assert finding.symptom == "plateau"
    assert said in finding.cause


def test_training_that_nothing_of_validation_follows_is_a_plateau(tmp_path):
    evaluations = [(2.3 - 0.04 * k, 2.31 - 0.001 * (k % 2)) for k in range(11)]
    run = write_run(tmp_path / "run", 2.3 - 0.4 * STEPS / COUNT, evaluations=evaluations)
    assert alarms(run) == {"plateau"}


@pytest.mark.parametrize(("fall", "learns"), [(0.4, True), (0.1, False)])
def test_what_is_learned_by_heart_shows_in_training(tmp_path, fall, learns):
    """0.1 of 2.3 is 4 %: too little to say that anything is learned."""
    evaluations = [(2.3 - fall * k / 10, 2.31 - 0.001 * (k % 2)) for k in range(11)]
    run = write_run(tmp_path / "run", 2.3 - fall * STEPS / COUNT, evaluations=evaluations)
    (finding,) = [f for f in diagnosed(run).alarms if f.symptom == "plateau"]
    assert ("by heart" in finding.cause) == learns


@pytest.mark.parametrize(("epochs", "found"), [(6.0, False), (4.0, True)])
def test_a_warm_up_of_more_than_half_the_run_excuses_it(tmp_path, epochs, found):
    run = write_run(
        tmp_path / "run",
        np.full(COUNT, 2.3),
        settings=config(schedule__warmup_epochs=epochs),
        evaluations=[(2.3, 2.3)] * 11,
    )
    assert ("plateau" in alarms(run)) == found


def test_a_loss_of_zero_throughout_is_no_error(tmp_path):
    zero = [(0.0, 0.0)] * 11
    run = write_run(tmp_path / "run", np.zeros(COUNT), evaluations=zero, grad_norm=np.zeros(COUNT))
    assert alarms(run) <= {"plateau"}


def test_a_negative_loss_that_falls_is_healthy(tmp_path):
    evaluations = [(v - 5, w - 5) for v, w in EVALUATED]
    assert not alarms(write_run(tmp_path / "run", FALLING - 5, evaluations=evaluations))


def test_a_fall_that_goes_on_to_the_end_could_go_on(tmp_path):
    rate = np.full(COUNT, 0.1)
    evaluations = [(2.3 - 0.15 * k, 2.3 - 0.15 * k) for k in range(11)]
    line = 2.3 - 1.5 * STEPS / COUNT
    settings = config(names=config()["names"] | {"schedule": "constant"})
    run = write_run(tmp_path / "run", line, settings=settings, evaluations=evaluations, lr=rate)
    assert alarms(run) == {"still_improving"}
    finding = diagnosed(run).alarms[0]
    assert "epochs=20" in finding.action


@pytest.mark.parametrize(("epochs", "severity"), [(4.0, None), (6.0, "warning"), (12.0, "problem")])
def test_a_warm_up_is_compared_with_the_run(tmp_path, epochs, severity):
    settings = config(schedule__warmup_epochs=epochs)
    run = write_run(tmp_path / "run", FALLING, settings=settings, evaluations=EVALUATED)
    found = {f.symptom: f.severity for f in diagnosed(run).findings}
    assert found.get("warmup_too_long") == severity


@pytest.mark.parametrize(("share", "found"), [(0.3, False), (0.5, True)])
def test_a_rate_that_is_gone_too_soon(tmp_path, share, found):
    lr = np.full(COUNT, 0.1)
    lr[int((1 - share) * COUNT) :] = 1e-4
    evaluations = [(v + 0.5, w + 0.5) for v, w in EVALUATED]
    run = write_run(tmp_path / "run", FALLING + 0.5, evaluations=evaluations, lr=lr)
    assert ("schedule_early" in alarms(run)) is found


def test_a_schedule_that_never_acts(tmp_path):
    settings = config(names=config()["names"] | {"schedule": "step"})
    run = write_run(
        tmp_path / "run",
        FALLING,
        settings=settings,
        evaluations=EVALUATED,
        lr=np.full(COUNT, 0.1),
    )
    assert alarms(run) == {"schedule_late"}


def test_a_constant_rate_is_a_note(tmp_path):
    settings = config(names=config()["names"] | {"schedule": "constant"})
    run = write_run(
        tmp_path / "run", FALLING, settings=settings, evaluations=EVALUATED, lr=np.full(COUNT, 0.1)
    )
    assert (alarms(run), notes(run)) == (set(), {"fixed_lr"})


@pytest.mark.parametrize("schedule", ["constant", "step"])
def test_an_optimizer_that_averages_itself_needs_no_falling_rate(tmp_path, schedule):
    section = {"_target_": "mine.Free", "lr": 0.1, "_traits_": {"averages_itself": True}}
    names = config()["names"] | {"schedule": schedule, "optimizer": "mine"}
    run = write_run(
        tmp_path / "run", FALLING, settings=config(names=names, optimizer=section),
        evaluations=EVALUATED, lr=np.full(COUNT, 0.1),
    )  # fmt: skip
    assert not {"fixed_lr", "schedule_late"} & (alarms(run) | notes(run))


@pytest.mark.parametrize(("decay", "found"), [(0.0, False), (1e-4, True)])
def test_decay_of_biases_counts_where_there_is_decay(tmp_path, decay, found):
    settings = config(decay__bias_and_norm=True, optimizer__weight_decay=decay)
    run = write_run(tmp_path / "run", FALLING, settings=settings, evaluations=EVALUATED)
    assert ("decayed_bias" in alarms(run)) is found


@pytest.mark.parametrize(("decay", "found"), [(1e-3, False), (0.1, True)])
def test_a_run_that_stalls_high_under_a_high_decay(tmp_path, decay, found):
    settings = config(optimizer__weight_decay=decay)
    evaluations = [(v + 1, v + 1) for v, _ in EVALUATED]
    run = write_run(tmp_path / "run", FALLING + 1, settings=settings, evaluations=evaluations)
    assert ("strong_decay" in alarms(run)) is found


def stalled_under_decay(folder, name: str, **optimizer):
    """Write a run that stalls high, of another optimizer than SGD."""
    settings = config(optimizer=optimizer)
    settings["names"] = settings["names"] | {"optimizer": name}
    evaluations = [(v + 1, v + 1) for v, _ in EVALUATED]
    return write_run(folder, FALLING + 1, settings=settings, evaluations=evaluations)


@pytest.mark.parametrize(("flag", "found"), [(True, False), (False, True)])
def test_the_flag_of_a_rule_says_what_decay_is_usual(tmp_path, flag, found):
    """Tiger's own default is 0.01, decoupled: ten times what is usual of a coupled decay."""
    tiger = {"_target_": "pytorch_optimizer.Tiger", "lr": 0.001, "weight_decay": 0.01}
    run = stalled_under_decay(tmp_path / "run", "tiger", **tiger, weight_decouple=flag)
    assert ("strong_decay" in alarms(run)) is found
    assert "strong_decay" not in dict(diagnosed(run).unchecked)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("sgdlab.optimizers.lamb.LAMB", "applies its decay in a way of its own"),
        ("mine.Own", "is not known: _traits_ in its YAML says it"),
    ],
)
def test_a_decay_of_which_nothing_is_usual_is_not_blamed(tmp_path, target, why):
    run = stalled_under_decay(tmp_path / "run", "it", _target_=target, lr=0.01, weight_decay=0.5)
    assert "strong_decay" not in alarms(run)
    assert why in dict(diagnosed(run).unchecked)["strong_decay"]


def test_a_users_yaml_says_what_its_optimizer_is(tmp_path):
    own = {"_target_": "mine.Own", "lr": 0.01, "weight_decay": 0.5}
    traits = {"decay": "coupled", "adaptive": True}
    run = stalled_under_decay(tmp_path / "run", "it", **own, _traits_=traits)
    assert "strong_decay" in alarms(run)
    command = next(f for f in diagnosed(run).findings if f.symptom == "strong_decay").action
    assert "_traits_" not in command


@pytest.mark.parametrize(("share", "found"), [(0.3, False), (0.8, True)])
def test_clipping_that_is_the_rule(tmp_path, share, found):
    factor = np.where(share * COUNT > STEPS, 0.1, 1.0)
    run = write_run(
        tmp_path / "run",
        FALLING,
        settings=config(clip_norm=0.1),
        evaluations=EVALUATED,
        clip_coef=factor,
    )
    assert ("clipping" in alarms(run)) is found


def batches(tmp_path, lr: float, end: float):
    """Return a run of batches of 64, and one of 256 at another rate that ends elsewhere."""
    rate = 0.05 * (1 + np.cos(np.pi * STEPS / COUNT))
    small = write_run(tmp_path / "small", FALLING, evaluations=EVALUATED, lr=rate)
    large = write_run(
        tmp_path / "large",
        FALLING + end,
        settings=config(batch_size=256),
        evaluations=[(v + end, w + end) for v, w in EVALUATED],
        lr=rate * lr / 0.1,
        examples=256 * (STEPS + 1),
    )
    return large, small


def test_a_larger_batch_at_the_same_rate_that_ends_higher(tmp_path):
    large, small = batches(tmp_path, 0.1, 0.5)
    assert "batch_without_lr" in alarms(large, small)
    assert "batch_without_lr" not in alarms(small, large)
    finding = next(f for f in diagnosed(large, small).findings if f.symptom == "batch_without_lr")
    assert "lr=0.4" in finding.action


@pytest.mark.parametrize(("lr", "end"), [(0.4, 0.5), (0.1, 0.0)])
def test_a_larger_batch_with_its_own_rate_or_no_loss_is_no_alarm(tmp_path, lr, end):
    large, small = batches(tmp_path, lr, end)
    assert "batch_without_lr" not in alarms(large, small)


@pytest.mark.parametrize(("scale", "expected"), [(200.0, None), (40.0, "note"), (10.0, "warning")])
def test_a_batch_of_64_against_the_critical_one(tmp_path, scale, expected):
    columns = {"noise_scale": sparse(scale), "noise_trace": sparse(1.0)}
    run = write_run(tmp_path / "run", FALLING, evaluations=EVALUATED, **columns)
    found = {f.symptom: f.severity for f in diagnosed(run).findings}
    assert found.get("above_critical_batch") == expected


def test_too_much_noise_to_tell_counts_as_a_large_critical_batch(tmp_path):
    scale = sparse(10.0)
    scale[10:] = np.nan
    columns = {"noise_scale": scale, "noise_trace": sparse(1.0)}
    run = write_run(tmp_path / "run", FALLING, evaluations=EVALUATED, **columns)
    assert "above_critical_batch" not in alarms(run)


@pytest.mark.parametrize(
    ("ratio", "expected"), [(0.1, None), (0.005, "warning"), (1e-4, "problem")]
)
def test_a_gradient_that_vanishes_on_its_way(tmp_path, ratio, expected):
    columns = {f"grad_norm.{k}": sparse(ratio ** ((5 - k) / 4)) for k in (1, 3, 5)}
    run = write_run(tmp_path / "run", FALLING, evaluations=EVALUATED, **columns)
    found = {f.symptom: f.severity for f in diagnosed(run).findings}
    assert found.get("vanishing_gradient") == expected


@pytest.mark.parametrize(("share", "expected"), [(0.2, None), (0.6, "warning"), (0.95, "problem")])
def test_units_that_are_dead(tmp_path, share, expected):
    run = write_run(tmp_path / "run", FALLING, evaluations=EVALUATED, dead_units=sparse(share))
    found = {f.symptom: f.severity for f in diagnosed(run).findings}
    assert found.get("dead_units") == expected


def test_noise_about_a_falling_mean_is_a_note(tmp_path):
    noise = np.random.default_rng(0).normal(size=COUNT)
    loss = np.abs(FALLING * (1 + 0.5 * noise))
    run = write_run(tmp_path / "run", loss, evaluations=EVALUATED)
    assert (alarms(run), notes(run)) == (set(), {"noisy_but_falling"})


@pytest.mark.parametrize("count", [0, 1, 2, 5, 10])
@pytest.mark.parametrize("status", ["completed", "failed", None])
def test_short_runs_are_read_and_not_judged(tmp_path, count, status):
    run = write_run(tmp_path / "run", FALLING[:count] if count else [], status=status)
    assert alarms(run) <= {"still_improving"}


def test_a_run_with_one_evaluation_is_judged_by_its_steps(tmp_path):
    run = write_run(tmp_path / "run", FALLING, evaluations=[(2.3, 2.3)])
    assert not alarms(run)
    assert ("overfits", "fewer than 4 evaluations") in diagnosed(run).unchecked


def test_a_long_run_is_judged_like_a_short_one(tmp_path):
    count = 30_000
    loss = 0.05 + 2.25 * np.exp(-np.arange(count) / 3000)
    run = write_run(tmp_path / "run", loss, evaluations=EVALUATED)
    assert not alarms(run)
