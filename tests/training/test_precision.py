"""precision=fp16 against a plain loop with GradScaler, and precision=tf32."""

import math
from pathlib import Path

import pytest
import torch
from test_checkpoint import check
from torch.nn import functional as F

from sgdlab.config.run_id import run_id
from sgdlab.config.validate import validate
from sgdlab.errors import InputError
from sgdlab.steps.precision import LossScale
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training import surroundings
from sgdlab.training.device import device_of
from sgdlab.training.run import train_run
from trainer_runs import built, config_of, train

SMALL = ("dataset=wine", "model.hidden=[8]", "batch_size=16", "precision=fp16", "schedule=cosine")
OVERFLOW = 2.0**40


def hand_loop(*overrides: str, scale: float) -> tuple[list[tuple], list[torch.Tensor], float]:
    """Train with a GradScaler, clipping, accumulation and a schedule by the step."""
    run = built(*overrides, "optimizer.fused=false")  # fused SGD keeps what overflowed in a buffer
    config, model, optimizer = run.config, run.model, run.optimizer
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=5)
    total, rows = run.total_steps, []
    updates = (u for e in range(config.epochs) for u in run.updates(e))
    for step, update in zip(range(total), updates, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = config.lr * run.schedule(step, total, run.plan.steps_per_epoch)
        size, whole = sum(len(b.y) for b in update), 0.0
        for batch in update:
            with torch.autocast("cpu", torch.float16):
                loss = F.cross_entropy(model(batch.x).float(), batch.y) * (len(batch.y) / size)
            scaler.scale(loss).backward()
            whole += loss.item()
        scaler.unscale_(optimizer)
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm))
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        rows.append((whole, norm))
    return rows, [p.detach() for p in model.parameters()], scaler.get_scale()


@pytest.fixture
def _large_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start at a scale that overflows, and grow it again soon."""

    def started(self: LossScale, device: torch.device) -> None:
        self._scaler = torch.amp.GradScaler(device.type, init_scale=OVERFLOW, growth_interval=5)
        self.skipped = 0

    monkeypatch.setattr(LossScale, "__init__", started)


@pytest.mark.usefixtures("_large_scale")
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("optimizer", ["adamw", "momentum"])
def test_it_is_the_loop_that_one_writes_with_a_grad_scaler(optimizer: str, accumulate: int) -> None:
    own = (
        *SMALL,
        f"optimizer={optimizer}",
        "clip_norm=0.5",
        f"accumulate={accumulate}",
        "epochs=8",
    )
    outcome, rows, run = train(*own)
    expected, weights, scale = hand_loop(*own, scale=OVERFLOW)
    assert run.objective.loss_scale is not None
    assert (outcome.status, run.objective.loss_scale.scale) == ("completed", scale)
    skipped = [not math.isfinite(norm) for _, norm in expected]
    assert 5 < sum(skipped) < len(skipped)
    assert run.objective.loss_scale.skipped == sum(skipped)
    assert [row[6] == 0 for row in rows.step_rows] == skipped
    assert [row[0] for row in rows.step_rows] == list(range(1, run.total_steps + 1))
    for row, (loss, norm) in zip(rows.step_rows, expected, strict=True):
        assert row[4] == pytest.approx(loss, rel=1e-6)
        assert math.isfinite(norm) == math.isfinite(row[5])
        if math.isfinite(norm):
            assert row[5] == pytest.approx(norm, rel=1e-6)
    for p, q in zip(run.model.parameters(), weights, strict=True):
        torch.testing.assert_close(p.detach(), q, rtol=1e-6, atol=1e-7)


@pytest.mark.usefixtures("_large_scale")
def test_a_left_out_step_leaves_no_trace_but_its_row() -> None:
    outcome, rows, run = train(*SMALL, "max_steps=3", "optimizer=adamw", "decay.mode=independent")
    before = built(*SMALL, "max_steps=3", "optimizer=adamw").model
    assert [row[6] for row in rows.step_rows] == [0.0, 0.0, 0.0]
    assert outcome.progress.step == 3
    assert not run.optimizer.state
    for p, q in zip(run.model.parameters(), before.parameters(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.usefixtures("_large_scale")
def test_a_run_in_float16_that_was_killed_ends_with_the_same_bits(tmp_path: Path) -> None:
    check(tmp_path, ["precision=fp16", "optimizer=adamw", "clip_norm=1.0", "epochs=4"])


def test_a_gradient_that_is_not_finite_at_any_scale_diverges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sgdlab.steps.objective as objective

    class Infinite(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * math.inf

    forward = objective.Objective._forward
    monkeypatch.setattr(
        objective.Objective, "_forward", lambda self, batch: Infinite.apply(forward(self, batch))
    )
    outcome, rows, _ = train(*SMALL, "epochs=9")
    assert (outcome.status, len(rows.step_rows)) == ("diverged", 17)  # from 2^16 down to 1
    assert "gradient norm is" in str(outcome.reason)


def test_the_summary_counts_left_out_steps(tmp_path: Path) -> None:
    config = config_of(*SMALL, "epochs=1", "diagnostics=economy")
    summary = train_run(config, tmp_path / "run", NoDisplay())
    assert summary["skipped_steps"] == 0
    plain = config_of(*SMALL[:-2], "epochs=1", "diagnostics=economy")
    assert "skipped_steps" not in train_run(plain, tmp_path / "plain", NoDisplay())


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("optimizer=lbfgs", "optimizer LBFGS"),
        ("staleness.delay=2", "staleness.delay"),
        ("local_sgd.workers=2", "local_sgd.workers"),
        ("zero_grad=false", "zero_grad=false"),
    ],
)
def test_what_does_not_go_with_left_out_steps_is_refused(key: str, what: str) -> None:
    with pytest.raises(InputError, match=f"precision=fp16 leaves out steps .*: not with {what}"):
        built(*SMALL, key)


def test_every_quantity_is_measured_in_float16() -> None:
    outcome, rows, _ = train(*SMALL, "epochs=1", "diagnostics=business", "diagnostics.every=3")
    assert outcome.status == "completed"
    assert all(value is not None for value in rows.step_rows[2][:11])


def test_tf32_is_refused_where_there_is_none() -> None:
    with pytest.raises(InputError, match="precision=tf32: only CUDA devices have it"):
        device_of(config_of("precision=tf32", "device=cpu"))


@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16"])
def test_lower_precision_of_float64_is_refused(precision: str) -> None:
    with pytest.raises(InputError, match=f"precision={precision} with dtype=float64"):
        validate(config_of("dtype=float64", f"precision={precision}"))


def test_tf32_is_on_for_the_run_and_off_after_it() -> None:
    def now() -> tuple:
        held = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        return torch.get_float32_matmul_precision(), *held

    before = now()
    with surroundings.restored(tf32=True):
        assert now() == ("high", True, True)
    assert now() == before
    with surroundings.restored():
        assert now() == ("highest", False, False)


def test_precision_is_part_of_the_id_of_a_run_and_compile_is_not() -> None:
    def of(*own: str) -> str:
        return run_id(config_of(*own))

    known = of()
    assert of("precision=fp32", "channels_last=false", "compile=true") == known
    assert of("compile=false") == known
    assert len({known, of("precision=fp16"), of("precision=bf16"), of("channels_last=true")}) == 4
