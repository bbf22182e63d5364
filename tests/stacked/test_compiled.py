"""Compiled steps are the same steps."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stacked_runs import grouped, job, jobs, table, train_one_by_one, train_stacked

from sgdlab.stacked.compiled import compiler as compiling
from sgdlab.stacked.compiled import plan as planning
from sgdlab.stacked.compiled.chunks import Chunks
from sgdlab.stacked.compiled.graph import has_compiler
from sgdlab.stacked.compiled.plan import plan
from sgdlab.stacked.launch import torch_state
from sgdlab.stacked.memory import bytes_of_step
from sgdlab.stacked.runner import StackRunner
from sgdlab.steps.batches import BatchPlan

NEEDS_COMPILER = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")


@pytest.fixture(autouse=True)
def _has_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "has_compiler", lambda: True)


COMMON = ("dtype=float64", "dataset=wine", "batch_size=13", "stacked.compile=true", "threads=1")


@pytest.mark.parametrize(
    ("examples", "size", "accumulate"), [(100, 10, 1), (107, 10, 2), (9, 9, 1)]
)
@pytest.mark.parametrize("length", [1, 2, 4])
def test_chunks_cover_an_epoch_once_with_two_graphs(
    examples: int, size: int, accumulate: int, length: int
) -> None:
    cut = BatchPlan(examples, size, accumulate)
    chunks, step, found = Chunks(cut, length), 0, []
    while (sizes := chunks.at(step)) is not None:
        found.append(sizes)
        step += len(sizes)
    assert step == cut.steps_per_epoch
    assert sum(itertools.chain.from_iterable(itertools.chain.from_iterable(found))) == examples
    assert len(set(found)) <= 2
    assert length == 1 or chunks.at(1) is None


@pytest.mark.parametrize(
    ("count", "overrides", "expected"),
    [
        (4, ("stacked.compile=true",), (4, 0)),
        (5, ("stacked.compile=true", "threads=2"), (4, 0)),
        (1, ("stacked.compile=true",), (1, 0)),
        (4, ("stacked.compile=true", "model.dropout=0.1"), None),
        (4, ("stacked.compile=false", "max_steps=100000000"), None),
        (40, ("max_steps=2000",), None),
        (400, ("max_steps=100000",), (16, 0)),
        (400, ("max_steps=100000", "model=cnn"), None),
    ],
)
def test_what_is_compiled_follows_from_the_config(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    overrides: tuple[str, ...],
    expected: tuple[int, int] | None,
) -> None:
    monkeypatch.setattr(planning, "cache_bytes", lambda: 2**18)
    runs = jobs(tmp_path, ("threads=1", *overrides), [[f"seed={n}"] for n in range(count)])
    how = plan(grouped(runs)[1])
    assert (how and (how.width, how.first_step)) == expected


def test_stacks_fill_the_cache_of_a_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = jobs(tmp_path, ("stacked.compile=true", "threads=1"), [[f"seed={n}"] for n in range(99)])
    _, group = grouped(runs)
    widths: list[int] = []
    for size in (2**18, 15 * bytes_of_step(group), 2**26):
        monkeypatch.setattr(planning, "cache_bytes", lambda size=size: size)
        how = plan(group)
        assert how is not None
        widths.append(how.width)
    assert widths == [16, 32, 64]


def test_stacks_that_all_train_at_once_do_not_wait_for_the_code(tmp_path: Path) -> None:
    runs = jobs(tmp_path, ("threads=1", "max_steps=10000000"), [["seed=0"], ["seed=1"]])
    _, group = grouped(runs)
    how = plan(group)
    assert how is not None
    assert 0 < how.first_step < group.total_steps / 10
    assert how.first_step % group.plan.steps_per_epoch == 0


def _same(folder: Path, common: tuple[str, ...], varied: list[list[str]], within: float) -> None:
    runs = jobs(folder / "stacked", common, varied)
    train_stacked(runs)
    for ours, theirs in zip(runs, train_one_by_one(folder / "alone", runs), strict=True):
        for name in ("steps.csv", "evals.csv"):
            own, other = table(ours, name), table(theirs, name)
            assert list(own) == list(other)
            numbers = own.select_dtypes("number").columns.drop("train_seconds", errors="ignore")
            np.testing.assert_allclose(own[numbers], other[numbers], rtol=within, atol=1e-12)


SIX = [["seed=0"], ["seed=1", "lr=0.02"], ["seed=2", "optimizer.weight_decay=0.01"]]


@pytest.mark.slow
@NEEDS_COMPILER
def test_a_line_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = compiling.Compiler.steps

    def counted(self, form, flat):
        calls.append(len(form.steps))
        made = real(self, form, flat)
        assert made is not None
        return made

    monkeypatch.setattr(compiling.Compiler, "steps", counted)
    common = (*COMMON, "model=linear", "optimizer=momentum", "max_steps=36", "batch_size=14")
    _same(tmp_path, common, SIX[:2], 1e-9)
    assert calls == [8, 8, 8]  # of five epochs; not in the first, whose first step is made alone


@pytest.mark.slow
@NEEDS_COMPILER
@pytest.mark.parametrize(
    "own",
    [
        ("optimizer=nesterov", "clip_norm=0.5"),
        ("optimizer=adamw", "accumulate=2", "model.activation=gelu"),
        # 13 would leave a batch of 2, whose variance amplifies rounding.
        ("optimizer=sgd", "model.batch_norm=true", "batch_size=16", "max_steps=60"),
        ("optimizer=lamb", "loss=mse"),
        ("optimizer=adam", "dataset=digits", "model=cnn", "model.channels=[4,8]", "max_steps=24"),
    ],
    ids=" ".join,
)
def test_two_hundred_steps_are_those_of_the_ordinary_engine(
    tmp_path: Path, own: tuple[str, ...]
) -> None:
    _same(tmp_path, (*COMMON, "model.hidden=[9,16]", "max_steps=200", *own), SIX, 1e-9)


@pytest.mark.slow
@NEEDS_COMPILER
def test_a_run_that_goes_on_ends_with_the_same_bytes(tmp_path: Path) -> None:
    common = (*COMMON, "model.hidden=[16]", "checkpoint.every=17", "dataset=digits")
    whole = jobs(tmp_path / "whole", (*common, "max_steps=150"), SIX)
    train_stacked(whole)
    first = jobs(tmp_path / "parts", (*common, "max_steps=150"), SIX)
    planner, group = grouped(first)
    with torch_state(group), compiling.compilers_of([group]) as (compiler,):
        StackRunner(planner, group, first, compiler).advance(100)
    again = jobs(tmp_path / "parts", (*common, "max_steps=150", "resume=true"), SIX)
    train_stacked(again)
    for one, other in zip(whole, again, strict=True):
        assert (one.directory / "steps.csv").read_bytes() == (
            other.directory / "steps.csv"
        ).read_bytes()


def _fails(*_: object) -> None:
    raise RuntimeError("no compiler\nat all")


def _errs(steps: Any, _: object) -> Any:
    return lambda *flat: [value * 1.1 for value in steps(*flat)]


@pytest.mark.parametrize(
    ("compiled", "reason"),
    [
        (_fails, "RuntimeError: no compiler"),
        (_errs, "ArithmeticError: its steps are not those of uncompiled code"),
    ],
)
def test_where_the_compiler_fails_or_errs_the_same_steps_run_uncompiled(
    compiled: Callable[..., Any],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(compiling, "compiled", compiled)
    common = ("dataset=wine", "batch_size=14", "max_steps=19", "threads=1")
    runs = jobs(tmp_path / "a", (*common, "stacked.compile=true"), SIX[:2])
    train_stacked(runs)
    plain = jobs(tmp_path / "b", (*common, "stacked.compile=false"), SIX[:2])
    train_stacked(plain)
    for one, other in zip(runs, plain, strict=True):
        assert table(one, "steps.csv").equals(table(other, "steps.csv"))
    said = capsys.readouterr().err
    assert said.count(f"stacked.compile: {reason}; going on uncompiled") == 1


def test_a_single_run_is_compiled_without_a_copy(tmp_path: Path) -> None:
    how = plan(grouped([job(tmp_path, "stacked.compile=true", "threads=2")])[1])
    assert how is not None
    assert how.width == 1
