"""From the config.yaml that a run leaves to a snippet that ends at the same weights."""

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_problem import flat, train_by_example
from torch import Tensor

from sgdlab.results.configs import read_config
from sgdlab.results.write import write_config
from sgdlab.snippet import snippet
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import build_run
from sgdlab.training.loop import fit
from trainer_runs import Rows, config_of

COMMON = ("dataset=wine", "model=mlp", "model.hidden=[8]", "dtype=float64", "device=cpu")


class Epochs:
    """A run's own micro-batches in its own order, which changes from epoch to epoch."""

    def __init__(self, *overrides: str) -> None:
        run = build_run(config_of(*overrides))
        self._plan, self._train, self._seed = run.plan, run.data.train, run.config.seed
        self._epoch = 0

    def __len__(self) -> int:
        return -(-self._plan.examples // self._plan.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        split, epoch = self._train, self._epoch
        self._epoch += 1
        for update in self._plan.epoch(split, self._seed, epoch):
            yield from update


@pytest.mark.parametrize(
    "overrides",
    [
        ("optimizer=nesterov", "epochs=5", "batch_size=20", "clip_norm=0.5", "lr=0.1"),
        ("optimizer=lion", "schedule=one_cycle", "max_steps=17", "batch_size=16"),
        ("optimizer=adamw", "scaling=sqrt", "accumulate=3", "batch_size=16", "average=polyak"),
        ("optimizer=schedule_free_adamw", "schedule=constant", "batch_size=full", "epochs=20"),
        ("optimizer=nesterov", "schedule=plateau", "schedule.patience=0", "lr=0.5", "epochs=8"),
    ],
    ids=["clipped", "steps", "accumulated", "whole", "plateau"],
)
def test_the_snippet_of_a_run_ends_where_the_run_did(
    overrides: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = (*COMMON, *overrides)
    config, rows = config_of(*chosen), Rows()
    run, fresh = build_run(config), build_run(config)
    write_config(tmp_path, config.plain())
    outcome = fit(run, rows, NoDisplay())
    assert outcome.status == "completed"

    source = snippet(read_config(tmp_path))
    monkeypatch.setitem(sys.modules, "snippet", types.ModuleType("snippet"))
    losses = iter([row[6] for row in rows.evaluations if row[5] == "val"][1:])
    alone = train_by_example(source, fresh.model, Epochs(*chosen), run.objective.loss, losses)
    ours = torch.tensor([row[3] for row in rows.step_rows], dtype=torch.float64)
    theirs = torch.tensor([rates[0] for rates in alone["rates"]], dtype=torch.float64)
    torch.testing.assert_close(theirs, ours, rtol=1e-14, atol=0.0)
    torch.testing.assert_close(alone["weights"][-1], flat(run.model), rtol=1e-10, atol=1e-12)
