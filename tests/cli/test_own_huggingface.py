"""A dataset of Hugging Face in a run: by the command line, and by their own function."""

import sys

import numpy as np
import pytest
from cli_runs import Cli, refused, write

# By a part of it: without the package this folder's neighbour of that name is a namespace.
part = pytest.importorskip("datasets.arrow_dataset", reason="pip install 'sgdlab[huggingface]'")
hf = sys.modules[part.__package__]


def test_a_run_by_the_command_line_and_by_a_function_of_one_s_own_are_alike(sgdlab: Cli, parts):
    drawn = np.random.default_rng(0)
    columns = {"a": drawn.normal(size=60), "b": drawn.normal(size=60), "label": ["u", "v"] * 30}
    rows = hf.Dataset.from_dict(columns)
    hf.disable_progress_bars()
    rows.save_to_disk(sgdlab.folder / "data")
    write(parts / "dataset" / "mine.yaml", "_target_: datasets.load_from_disk\ndataset_path: ???\n")
    path = sgdlab.folder / "data"
    common = ("model=linear", "batch_size=8", "schedule=constant", "max_steps=4")
    runs = [
        sgdlab("train", *common, "dataset=huggingface", "dataset.path=data", "hydra.run.dir=one"),
        sgdlab("train", "--config-dir", parts, *common, "dataset=mine",
               f"dataset.dataset_path={path}", "hydra.run.dir=two"),
    ]  # fmt: skip
    assert [run.code for run in runs] == [0, 0], runs
    one, two = ((sgdlab.folder / name / "steps.csv").read_text() for name in ("one", "two"))
    assert one == two
    line = refused(sgdlab, "train", *common, "dataset=huggingface", "dataset.path=daten")
    assert "dataset.path=daten: no such folder" in line
