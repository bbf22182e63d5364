"""An optimizer of another package, from a user's own YAML and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import QUICK, rows, summary, write


@pytest.mark.slow
def test_a_yaml_in_a_config_dir_brings_in_a_class_of_another_package(
    parts: Path, tmp_path: Path
) -> None:
    """In a process of its own, as a user would run it."""
    pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    write(
        parts / "optimizer" / "aggmo.yaml",
        "_target_: pytorch_optimizer.AggMo\nlr: 0.05\nbetas: [0.0, 0.9]\nweight_decay: 0.01\n",
    )
    command = [sys.executable, "-m", "sgdlab", "train", "--config-dir", str(parts), *QUICK]
    settings = ["optimizer=aggmo", "optimizer.weight_decay=0.001", "epochs=4"]
    done = subprocess.run(
        [*command, *settings, f"hydra.run.dir={tmp_path / 'run'}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = summary(tmp_path / "run")
    assert found["optimizer"] == "aggmo"
    assert found["optimizer.weight_decay"] == "0.001"
    assert found["optimizer.betas"] == "[0.0, 0.9]"
    assert found["status"] == "completed"
    train = [r for r in rows(tmp_path / "run" / "evals.csv") if r["split"] == "train"]
    assert float(train[-1]["loss"]) < 0.5 * float(train[0]["loss"])
    # The biases form a group without decay, as with any optimizer.
    assert 0 < int(found["num_decayed"]) < int(found["num_parameters"])
