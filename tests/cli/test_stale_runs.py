"""What was run is what the id says: other data, code or files are noticed, and told."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runs import QUICK, Cli, Result, rows, same_run, summary, write

from sgdlab.training import dataset

PARTS = """
    import numpy as np
    import torch
    from torch import nn


    def table(path):
        a = np.loadtxt(path, delimiter=",")
        return a[:, :2], a[:, 2].astype(int)


    class Scaled(nn.Module):
        def __init__(self, num_outputs, weights):
            super().__init__()
            import own_helper
            from own_package.inner import offset

            self.head = nn.Linear(2, num_outputs)
            start = torch.load(f"{weights}/start.pt", weights_only=True)
            start = start + torch.from_numpy(np.load("hidden.npy"))
            self.register_buffer("start", start + own_helper.SHIFT + offset())

        def forward(self, x):
            return self.head(x + self.start)
"""
COMMON = ("dataset=own_table", "model=scaled", "max_steps=3", "batch_size=32", "eval.every=9")
SWEEP = ("lr=0.1,0.2", "study=s")
CHANGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "data": ("other data (fingerprint ", lambda parts: labels(parts, flipped=True)),
    "model": (
        "other code (own_stale.py changed)",
        lambda parts: write(parts / "own_stale.py", PARTS + "    MORE = 1\n"),
    ),
    "imported in a function": (
        "other code (own_helper.py changed)",
        lambda parts: write(parts / "own_helper.py", "SHIFT = 0.25\n"),
    ),
    "imported by what is imported": (
        "other code (own_package/deep.py changed)",
        lambda parts: write(parts / "own_package" / "deep.py", "OFFSET = -0.75\n"),
    ),
    "a file that no setting names": (
        "other files (hidden.npy changed)",
        lambda parts: np.save(parts.parent / "here" / "hidden.npy", np.ones(2, np.float32)),
    ),
    "weights": ("other files (", lambda parts: weights(parts, 0.5)),
}


def labels(parts: Path, flipped: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 2))
    y = (x.sum(1) > 0) ^ (flipped & (np.arange(90) % 3 == 0))
    np.savetxt(parts / "table.csv", np.column_stack([x, y]), delimiter=",")


def weights(parts: Path, value: float) -> None:
    (parts / "weights").mkdir(exist_ok=True)
    torch.save(torch.full((2,), value), parts / "weights" / "start.pt")


@pytest.fixture
def own(parts: Path) -> Path:
    write(parts / "own_stale.py", PARTS)
    write(parts / "own_helper.py", "SHIFT = 0\n")
    write(parts / "own_package" / "__init__.py", "")
    write(
        parts / "own_package" / "inner.py",
        "from . import deep\n\n\ndef offset():\n    return deep.OFFSET\n",
    )
    write(parts / "own_package" / "deep.py", "OFFSET = 0\n")
    write(parts / "beside.py", "NOBODY = 'imports this'\n")
    write(parts / "dataset" / "own_table.yaml", "_target_: own_stale.table\npath: ???\n")
    write(parts / "model" / "scaled.yaml", "_target_: own_stale.Scaled\nweights: ???\n")
    labels(parts, flipped=False)
    weights(parts, 0.0)
    (parts.parent / "here").mkdir(exist_ok=True)
    np.save(parts.parent / "here" / "hidden.npy", np.zeros(2, np.float32))
    return parts


def run(cli: Cli, own: Path, *arguments: str) -> Result:
    """Type a command as in a process of its own, which loads the data anew."""
    dataset.forget()
    places = (f"dataset.path={own}/table.csv", f"model.weights={own}/weights")
    return cli("train", "--config-dir", own, *QUICK[2:], *COMMON, *places, *arguments)


def swept(cli: Cli) -> dict[str, Path]:
    """Return the runs of the study by rate."""
    found = (path.parent for path in (cli.folder / "runs" / "s").glob("*/summary.csv"))
    return {summary(path)["base_lr"]: path for path in found}


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "kind",
    [k if k == "data" else pytest.param(k, marks=pytest.mark.slow) for k in CHANGES],
)
def test_a_sweep_is_made_anew_where_something_changed(kind: str, sgdlab: Cli, own: Path) -> None:
    assert run(sgdlab, own, "-m", *SWEEP).code == 0
    before = content(sgdlab.folder / "runs" / "s")
    again = run(sgdlab, own, "-m", *SWEEP)
    assert "2 of 2 runs are finished" in again.err
    assert content(sgdlab.folder / "runs" / "s") == before
    said, change = CHANGES[kind]
    change(own)
    refused = run(sgdlab, own, "-m", *SWEEP, "stale=refuse")
    assert (refused.code, said in refused.err) == (2, True), refused.err
    kept = run(sgdlab, own, "-m", *SWEEP, "stale=keep")
    assert said in kept.err
    assert "2 of 2 runs are finished" in kept.err
    assert content(sgdlab.folder / "runs" / "s") == before
    anew = run(sgdlab, own, "-m", *SWEEP)
    assert anew.code == 0, anew.err
    assert f"2 of 2 runs: finished with {said}" in anew.err
    assert "are finished; resume=false" not in anew.err
    alone = run(sgdlab, own, "lr=0.2", "hydra.run.dir=alone")
    assert alone.code == 0, alone.err
    assert same_run(swept(sgdlab)["0.2"], sgdlab.folder / "alone", "study")
    assert run(sgdlab, own, "-m", *SWEEP).err.count("2 of 2 runs are finished") == 1


def test_a_single_run_is_made_anew(sgdlab: Cli, own: Path) -> None:
    assert run(sgdlab, own, "hydra.run.dir=run").code == 0
    first = summary(sgdlab.folder / "run")["final_val_loss"]
    weights(own, 0.5)
    refused = run(sgdlab, own, "hydra.run.dir=run", "stale=refuse")
    assert (refused.code, "other files" in refused.err) == (2, True)
    done = run(sgdlab, own, "hydra.run.dir=run")
    assert "run finished with other files" in done.err
    assert summary(sgdlab.folder / "run")["final_val_loss"] != first


def test_what_a_run_does_not_use_may_change(sgdlab: Cli, own: Path) -> None:
    assert run(sgdlab, own, "hydra.run.dir=run").code == 0
    write(own / "beside.py", "NOBODY = 'imports this still'\n")
    write(own / "model" / "another.yaml", "_target_: beside.Another\n")
    again = run(sgdlab, own, "hydra.run.dir=run")
    assert "run is finished; resume=false runs it again" in again.err
    assert "other" not in again.err


def test_runs_of_earlier_versions_stay_valid(sgdlab: Cli, own: Path) -> None:
    assert run(sgdlab, own, "hydra.run.dir=run").code == 0
    path = sgdlab.folder / "run" / "environment.json"
    kept = json.loads(path.read_text())
    del kept["evidence"]
    path.write_text(json.dumps(kept))
    config = sgdlab.folder / "run" / "config.yaml"
    lines = config.read_text().splitlines(keepends=True)
    (sgdlab.folder / "run" / "manifest.json").unlink()
    later = ("stale:", "save_final:", "continue_from:", "  final:")
    config.write_text("".join(line for line in lines if not line.startswith(later)))
    again = run(sgdlab, own, "hydra.run.dir=run")
    assert "run is finished; resume=false" in again.err
    dataset.forget()
    repeated = sgdlab(
        "train", "--config-dir", sgdlab.folder / "run", "--config-name", "config",
        "hydra.run.dir=repeated",
    )  # fmt: skip
    assert repeated.code == 0, repeated.err
    assert same_run(sgdlab.folder / "run", sgdlab.folder / "repeated")
    labels(own, flipped=True)
    assert "other data (fingerprint" in run(sgdlab, own, "hydra.run.dir=run").err


def test_results_of_another_torch_stay_and_are_told(sgdlab: Cli, own: Path) -> None:
    assert run(sgdlab, own, "-m", *SWEEP).code == 0
    for folder in swept(sgdlab).values():
        path = folder / "environment.json"
        kept = json.loads(path.read_text())
        kept["evidence"]["versions"]["torch"] = "2.0.1"
        path.write_text(json.dumps(kept))
    again = run(sgdlab, own, "-m", *SWEEP)
    assert f"2 of 2 runs: finished with torch 2.0.1 (now {torch.__version__})" in again.err
    assert "2 of 2 runs are finished" in again.err


class TestCheckpoints:
    def failed(self, sgdlab: Cli, own: Path) -> Path:
        """Leave a run that failed in its last step, with a checkpoint."""
        write(
            own / "own_loss.py",
            """
            import os
            from torch import nn

            class Flaky(nn.Module):
                def __init__(self, flag):
                    super().__init__()
                    self.flag, self.steps = flag, 0

                def forward(self, outputs, y):
                    self.steps += self.training and outputs.requires_grad
                    if self.steps == 6 and os.path.exists(self.flag):
                        raise OSError("stale file handle")
                    return nn.functional.cross_entropy(outputs, y)
            """,
        )
        write(own / "loss" / "flaky.yaml", "_target_: own_loss.Flaky\nflag: ???\n")
        (sgdlab.folder / "flag").touch()
        result = self.typed(sgdlab, own)
        assert result.code == 1, result.err
        assert (sgdlab.folder / "run" / "checkpoint.pt").exists()
        (sgdlab.folder / "flag").unlink()
        return sgdlab.folder / "run"

    def typed(self, sgdlab: Cli, own: Path, *more: str) -> Result:
        return run(
            sgdlab, own, "loss=flaky", "loss.flag=flag", "max_steps=8", "checkpoint.every=2",
            "hydra.run.dir=run", *more,
        )  # fmt: skip

    def test_a_failed_run_goes_on(self, sgdlab: Cli, own: Path) -> None:
        folder = self.failed(sgdlab, own)
        again = self.typed(sgdlab, own)
        assert again.code == 0
        assert "made anew" not in again.err
        assert [row["step"] for row in rows(folder / "steps.csv")] == [str(n) for n in range(1, 9)]

    @pytest.mark.parametrize("kind", CHANGES)
    def test_it_does_not_go_on_with_something_else(self, kind: str, sgdlab: Cli, own: Path) -> None:
        folder = self.failed(sgdlab, own)
        before = content(folder)
        said, change = CHANGES[kind]
        change(own)
        refused = self.typed(sgdlab, own, "stale=refuse")
        assert (refused.code, said in refused.err) == (2, True), refused.err
        assert content(folder) == before
        anew = self.typed(sgdlab, own)
        assert said in anew.err
        assert "made anew" in anew.err
        fresh = self.typed(sgdlab, own, "hydra.run.dir=fresh")
        assert fresh.code == 0, fresh.err
        assert same_run(folder, sgdlab.folder / "fresh")

    def test_it_does_not_go_on_with_another_torch(self, sgdlab: Cli, own: Path) -> None:
        folder = self.failed(sgdlab, own)
        state = torch.load(folder / "checkpoint.pt", weights_only=True)
        state["evidence"]["versions"]["torch"] = "2.0.1"
        torch.save(state, folder / "checkpoint.pt")
        assert "of a run with torch 2.0.1 (now " in self.typed(sgdlab, own).err
