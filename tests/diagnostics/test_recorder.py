"""The recorder: cadences, what quantities are shown, that they change nothing, and resuming."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from cli.cli_runs import QUICK, Cli, write
from sgdlab.config.catalogue import conf_dir
from sgdlab.diagnostics.base import Moment, Quantity, Subject, flat
from sgdlab.diagnostics.recorder import Recorder
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import Run
from sgdlab.training.loop import fit
from trainer_runs import Rows, built, config_of, fit_from_checkpoint

SMALL = ("dataset=wine", "model.hidden=[8]", "batch_size=16", "epochs=3")
OPTIMIZERS = sorted(path.stem for path in (conf_dir() / "optimizer").glob("*.yaml"))


class Spy(Quantity):
    """Keeps what it is shown, counts, and draws from the global stream on purpose."""

    needs_previous = True

    def __init__(self, every: int | None = None) -> None:
        self.every = every
        self.moments: list[Moment] = []
        self.count = 0

    def begin(self, subject: Subject) -> tuple[str, ...]:
        self.initial = flat(subject.parameters)
        return ("spy.count", "spy.norm")

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        torch.rand(3)
        self.count += 1
        self.moments.append(moment)
        return torch.stack([torch.tensor(float(self.count)), moment.gradient.norm().cpu()])

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]


def watched(spy: Spy, *overrides: str) -> Run:
    run = built(*overrides)
    run.diagnostics.recorder = Recorder(run.diagnostics.subject, run.objective, {"spy": spy}, 5)
    return run


def trained(run: Run) -> Rows:
    rows = Rows()
    torch.manual_seed(3)
    fit(run, rows, NoDisplay())
    return rows


KINDS = ("nesterov", "adamw", "lbfgs", "kiefer_wolfowitz", "schedule_free_sgd")
"""Of each way to make an update one: quick enough for the default command."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in KINDS else pytest.mark.slow) for name in OPTIMIZERS],
)
def test_every_optimizer_shows_the_gradient_of_the_step_and_goes_on_as_alone(name: str) -> None:
    own = ("model.hidden=[2]",) if name == "kiefer_wolfowitz" else ()
    overrides = (*SMALL, f"optimizer={name}", "epochs=2", "diagnostics=off", *own)
    spy = Spy(every=1)
    run = watched(spy, *overrides)
    rows = trained(run)
    alone = trained(built(*overrides))
    assert [row[:7] for row in rows.step_rows] == alone.step_rows
    weights = [moment.start for moment in spy.moments]
    for moment, row, weight in zip(spy.moments, rows.step_rows, weights, strict=True):
        assert moment.gradient.norm().item() == pytest.approx(row[5], rel=1e-5)
        assert row[8] == pytest.approx(row[5], rel=1e-5)
        assert moment.loss.item() == row[4]
        assert torch.equal(moment.start, weight)
    for one, following in zip(spy.moments, spy.moments[1:], strict=False):
        after = flat(one.after)
        # Lookaheads and schedule-free methods put other weights in place between two steps.
        if name not in ("nesterov_lookahead",):
            torch.testing.assert_close(after, following.start)
        assert following.previous is not None
        assert torch.equal(following.previous, one.gradient)


@pytest.mark.parametrize("clip", ["null", "0.05"])
def test_the_gradient_is_that_before_clipping_of_the_whole_accumulated_batch(clip: str) -> None:
    spy = Spy(every=3)
    overrides = (*SMALL, "accumulate=3", "batch_size=14", f"clip_norm={clip}", "dtype=float64")
    run = watched(spy, *overrides, "optimizer=sgd", "diagnostics=off")
    trained(run)
    assert [moment.step for moment in spy.moments] == [1, 3, 6, 9]
    for moment in spy.moments:
        model = built(*overrides).model
        for p, value in zip(model.parameters(), moment.before, strict=True):
            p.data = value.clone()
        x, y = (torch.cat(parts) for parts in zip(*moment.update, strict=True))
        loss = nn.functional.cross_entropy(model(x), y)
        wanted = torch.autograd.grad(loss, list(model.parameters()))
        torch.testing.assert_close(moment.gradient, flat(wanted), rtol=1e-10, atol=1e-14)
        assert moment.loss.item() == pytest.approx(loss.item(), rel=1e-12)


def test_rows_have_cells_where_due_and_none_elsewhere() -> None:
    rows = trained(watched(Spy(), *SMALL))
    wide = [row for row in rows.step_rows if len(row) == 7 + 4 + 2]
    assert len(wide) == len(rows.step_rows) == 21
    counts = {row[0]: row[-2] for row in rows.step_rows}
    assert {step: count for step, count in counts.items() if count is not None} == {
        1: 1.0, 5: 2.0, 10: 3.0, 15: 4.0, 20: 5.0,
    }  # fmt: skip


def test_queued_training_is_not_charged_to_diagnostics(monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA time is read where something is measured, once the device has done its work."""
    run, waited = watched(Spy(every=5), *SMALL), []
    recorder = run.diagnostics.recorder
    assert recorder is not None
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)

    class OnCuda:
        device = torch.device("cuda:0")

    for due in (["spy"], []):
        monkeypatch.setattr(recorder, "_due", due)
        monkeypatch.setattr(recorder, "subject", SimpleNamespace(parameters=[OnCuda()]))
        recorder._now()
    assert waited == [torch.device("cuda:0")]


def test_dropout_and_batch_norm_go_on_as_if_nobody_looked() -> None:
    overrides = (*SMALL, "model.dropout=0.3", "model.batch_norm=true", "diagnostics=off")
    spied, alone = watched(Spy(every=1), *overrides), built(*overrides)
    rows, expected = trained(spied), trained(alone)
    assert [row[:7] for row in rows.step_rows] == expected.step_rows
    for p, q in zip(
        spied.model.state_dict().values(), alone.model.state_dict().values(), strict=True
    ):
        assert torch.equal(p, q)


def test_a_killed_run_measures_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    overrides = (*SMALL, "checkpoint.every=9", "diagnostics.every=5")

    def go(path: Path, stop: bool) -> Rows:
        run, rows = watched(Spy(), *overrides), Rows()
        torch.manual_seed(5)
        path.mkdir(exist_ok=True)
        fit_from_checkpoint(run, rows, path, stop)
        return rows

    whole = go(tmp_path / "whole", stop=False)
    first = go(tmp_path / "part", stop=True)
    rest = go(tmp_path / "part", stop=False)
    assert len(first.step_rows) == 9
    assert [*first.step_rows, *rest.step_rows] == whole.step_rows


def test_measuring_is_no_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that only a measurement moves, by a second."""
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)

    class Slow(Spy):
        def measure(self, subject: Subject, moment: Moment) -> Tensor:
            nonlocal now
            now += 1.0
            return super().measure(subject, moment)

    run = watched(Slow(every=1), *SMALL)
    outcome = fit(run, Rows(), NoDisplay())
    assert run.diagnostics.recorder is not None
    assert run.diagnostics.recorder.seconds == 21
    assert outcome.progress.train_seconds == 0


def test_a_failing_quantity_fails_the_run_by_its_name(tmp_path: Path) -> None:
    sgdlab = Cli(tmp_path)
    write(
        tmp_path / "my" / "mine.py",
        """
        from sgdlab.diagnostics.base import Quantity

        class Broken(Quantity):
            def begin(self, subject):
                return ("broken",)

            def measure(self, subject, moment):
                if moment.step < 4:
                    return [1.0]
                raise ArithmeticError("no such root")
        """,
    )
    write(tmp_path / "my" / "diagnostics" / "own.yaml", """
        # Mine
        every: 2
        scalars: false
        quantities:
          broken:
            _target_: mine.Broken
        at_end: {}
    """)  # fmt: skip
    own = ("--config-dir", "my", *QUICK, "diagnostics=own", "epochs=2")
    result = sgdlab("train", *own, "hydra.run.dir=run")
    assert result.code == 1
    table = pd.read_csv(tmp_path / "run" / "summary.csv").iloc[0]
    assert table["status"] == "failed"
    assert "diagnostics.quantities.broken: ArithmeticError: no such root" in table["reason"]


def test_a_run_goes_on_with_other_diagnostics_than_it_had(tmp_path: Path) -> None:
    from sgdlab.results import RunWriter, write_config

    write_config(tmp_path, {})
    scalars = (0.1, 2.0, 1.0, 1.0)
    writer = RunWriter(tmp_path, "accuracy", ("a", "b"))
    writer.steps([(1, 1, 8, *scalars, 5.0, 6.0), (2, 1, 16, *scalars, None, 7.0)])
    writer.close()
    writer = RunWriter(tmp_path, "accuracy", ("b", "c"), append_after=1)
    writer.steps([(2, 1, 16, *scalars, 8.0, 9.0)])
    writer.close()
    steps = pd.read_csv(tmp_path / "steps.csv")
    assert list(steps.columns[7:]) == ["b", "c"]
    np.testing.assert_array_equal(steps[["b", "c"]], [[6.0, np.nan], [8.0, 9.0]])


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("diagnostics.every=0", "diagnostics.every=0: must be a whole number of steps from 1"),
        ("+diagnostics.evry=5", "diagnostics.evry: no such key; did you mean every"),
        ("diagnostics.scalars=3", "diagnostics.scalars=3"),
        ("+diagnostics.quantities.x.y=3", "diagnostics.quantities.x={'y': 3}: needs a _target_"),
        ("diagnostics=busines", "business"),
    ],
)
def test_a_wrong_section_is_refused_before_any_file(
    override: str, line: str, tmp_path: Path
) -> None:
    result = Cli(tmp_path)("train", *QUICK, override, "hydra.run.dir=run")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert line in result.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "simulation",
    ["staleness.delay=2", "local_sgd.workers=2", "zero_grad=false"],
)
def test_quantities_are_refused_where_updates_are_not_ordinary(
    simulation: str, tmp_path: Path
) -> None:
    sgdlab = Cli(tmp_path)
    result = sgdlab("train", *QUICK, simulation, "diagnostics=business", "hydra.run.dir=run")
    assert result.code == 2
    assert "diagnostics=business: looks inside ordinary updates" in result.err
    sgdlab.train("economy", simulation, "epochs=1")


def test_forgetting_to_zero_applies_the_sum_of_all_gradients() -> None:
    run = built(
        "dataset=quadratic", "optimizer=sgd", "lr=0.01", "schedule=constant", "max_steps=6",
        "optimizer.weight_decay=0.0", "zero_grad=false", "dtype=float64",
    )  # fmt: skip
    reference = built("dataset=quadratic", "dtype=float64").model
    parameters = list(reference.parameters())
    total = [torch.zeros_like(p) for p in parameters]
    for _ in range(6):
        x = run.data.train.x[:1]
        gradients = torch.autograd.grad(reference.eval()(x).mean(), parameters)
        for p, g, s in zip(parameters, gradients, total, strict=True):
            s += g
            p.data -= 0.01 * s
    fit(run, Rows(), NoDisplay())
    torch.testing.assert_close(
        flat(list(run.model.parameters())), flat(parameters), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("other", ["optimizer=lbfgs", "staleness.delay=1", "local_sgd.workers=2"])
def test_forgetting_to_zero_is_a_plain_loops_fault(other: str, tmp_path: Path) -> None:
    result = Cli(tmp_path)("train", *QUICK, "zero_grad=false", other)
    assert result.code == 2
    assert "zero_grad=false shows the fault of a plain loop" in result.err


def test_neither_diagnostics_nor_the_default_of_zero_grad_count_for_the_run_id() -> None:
    from sgdlab.config.run_id import run_id
    from sgdlab.results import determining

    counting = {key.partition(".")[0] for key in determining(config_of().plain())}
    assert not counting & {"diagnostics", "zero_grad", "lesson"}
    assert run_id(config_of("diagnostics=off")) == run_id(config_of())
    assert run_id(config_of("zero_grad=false")) != run_id(config_of())


def test_the_config_of_an_older_run_repeats_it(tmp_path: Path) -> None:
    sgdlab = Cli(tmp_path)
    run = sgdlab.train("run", "epochs=1", "diagnostics=off")
    path = run / "config.yaml"
    import yaml

    content = yaml.safe_load(path.read_text())
    for key in ("diagnostics", "zero_grad", "lesson"):
        content.pop(key, None)
    write(tmp_path / "old" / "config.yaml", yaml.safe_dump(content, sort_keys=False))
    result = sgdlab(
        "train", "--config-dir", "old", "--config-name", "config", "hydra.run.dir=again"
    )
    assert result.code == 0, result.err
    assert (tmp_path / "again" / "steps.csv").read_bytes() == (run / "steps.csv").read_bytes()
