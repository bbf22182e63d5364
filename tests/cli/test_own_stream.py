"""A stream without an end is trained on for `max_steps` updates."""

import csv

import pytest
from cli_runs import Cli, refused, write

from sgdlab.datasets import torch_data
from sgdlab.training import dataset

STREAM = """
    import torch
    from torch.utils.data import IterableDataset

    class Words(IterableDataset):
        def __iter__(self):
            while True:
                x = torch.randn(4)
                yield x, int(x[0] + x[1] > 0)
"""

COMMON = ("dataset=words", "model=linear", "schedule=constant", "optimizer=sgd", "lr=0.5")


@pytest.fixture
def stream(parts, monkeypatch):
    monkeypatch.setattr(torch_data, "_LONGEST", 3000)
    monkeypatch.setattr(torch_data, "_ENOUGH", 1000)
    write(parts / "streams.py", STREAM)
    write(parts / "dataset" / "words.yaml", "_target_: streams.Words\n")
    yield parts
    dataset.forget()


def test_it_runs_for_max_steps_and_every_time_alike(sgdlab: Cli, stream):
    steps = []
    for name in ("one", "two"):
        dataset.forget()
        run = ("--config-dir", stream, *COMMON, "max_steps=60", f"hydra.run.dir={name}")
        result = sgdlab("train", *run)
        assert result.code == 0, result.err
        steps.append((sgdlab.folder / name / "steps.csv").read_text())
    assert steps[0] == steps[1]
    rows = list(csv.DictReader(steps[0].splitlines()))
    assert len(rows) == 60
    assert {row["epoch"] for row in rows} <= {"0", "1"}  # no example is seen twice
    with open(sgdlab.folder / "one" / "summary.csv") as file:
        (summary,) = csv.DictReader(file)
    assert float(summary["final_val_metric"]) > 0.95
    assert int(summary["examples"]) == 60 * 64


def test_without_max_steps_it_is_refused(sgdlab: Cli, stream):
    line = refused(sgdlab, "train", "--config-dir", str(stream), *COMMON, "epochs=1")
    assert "dataset=words: Words has no length and more than 2,816 examples" in line
    assert "set max_steps" in line


def test_a_sweep_of_batch_sizes_shares_what_is_read(sgdlab: Cli, stream):
    both = ("study=s", "max_steps=5", "batch_size=8,16", "split.val=0.1", "split.test=0.1")
    result = sgdlab("train", "-m", "--config-dir", stream, *COMMON, *both)
    assert result.code == 0, result.err
    found = [path.read_text() for path in (sgdlab.folder / "runs" / "s").rglob("environment.json")]
    assert len(found) == 2
    prints = {text.split('"dataset_fingerprint"')[1].split(",")[0] for text in found}
    assert len(prints) == 1
