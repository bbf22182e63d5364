"""Objects in place of YAML: named where a config can name them, and refused where it cannot."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from cli_runs import Cli, same_run

import sgdlab
from sgdlab.results import read_config

QUICKLY = {"schedule": "constant", "max_steps": 2}


def test_classes_functions_and_arrays_are_what_a_yaml_names(here: Path, sgdlab_typed: Cli):
    import own_parts

    run = sgdlab.train(
        model=functools.partial(own_parts.Net, width=3),
        dataset=own_parts.points(),
        loss=own_parts.own_loss,
        optimizer=torch.optim.Adam,
        lr=0.05,
        **QUICKLY,
    )
    assert run.config["model"] == {"_target_": "own_parts.Net", "width": 3}
    assert run.config["loss"] == {"_target_": "own_parts.own_loss"}
    assert run.config["optimizer"] == {"_target_": "torch.optim.Adam", "lr": 0.05}
    # The oracle: the same run by hand-written YAML, the data from the function itself.
    my = sgdlab_typed.folder / "my"
    for name, content in {
        "model/Net": {"_target_": "own_parts.Net", "width": 3},
        "loss/own_loss": {"_target_": "own_parts.own_loss"},
        "optimizer/Adam": {"_target_": "torch.optim.Adam", "lr": 0.001},
        "dataset/points": {"_target_": "own_parts.points"},
    }.items():
        (my / name).parent.mkdir(parents=True, exist_ok=True)
        (my / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (my / "own_parts.py").write_text((here / "own_parts.py").read_text())
    result = sgdlab_typed(
        "train", "--config-dir", "my", "model=Net", "loss=own_loss", "optimizer=Adam", "lr=0.05",
        "dataset=points", "schedule=constant", "max_steps=2", "hydra.run.dir=run",
    )  # fmt: skip
    assert result.code == 0, result.err
    other = sgdlab_typed.folder / "run"
    assert run.directory.joinpath("steps.csv").read_bytes() == (other / "steps.csv").read_bytes()
    assert same_run(run.directory, other, "run_id", "dataset", "other_settings")


def test_a_run_of_objects_repeats_from_its_folder(here: Path):
    import own_parts

    run = sgdlab.train(model=own_parts.Net, dataset=own_parts.points(), directory="a", **QUICKLY)
    again = Cli(here)("train", "--config-dir", "a", "--config-name", "config", "hydra.run.dir=b")
    assert again.code == 0, again.err
    assert same_run(run.directory, here / "b")


def test_arrays_are_written_once_and_their_place_is_no_part_of_the_id(here: Path):
    x = torch.arange(240.0).reshape(120, 2).numpy()
    y = np.arange(120) % 2
    one = sgdlab.train(dataset=(x, y), model="linear", directory="a", **QUICKLY)
    (file,) = here.rglob("arrays-*.npz")
    written = file.stat().st_mtime_ns
    sgdlab.train(dataset=(torch.from_numpy(x), y), model="linear", directory="b", **QUICKLY)
    assert [p.stat().st_mtime_ns for p in here.rglob("arrays-*.npz")] == [written]
    sweep = sgdlab.sweep(dataset=(x, y), model="linear", seed=[0, 1], study="s", **QUICKLY)
    assert one.run_id in set(sweep.runs["run_id"])
    assert len(list((here / "runs/s/parts").glob("*.npz"))) == 1
    other = sgdlab.train(dataset=(x + 1, y), model="linear", directory="c", **QUICKLY)
    assert other.run_id != one.run_id


@pytest.mark.slow
def test_a_sweep_of_classes_has_a_name_for_each(here: Path):
    import own_parts

    found = sgdlab.sweep(
        model=[own_parts.Net, "linear"], dataset=own_parts.points, optimizer="sgd", **QUICKLY
    )
    assert set(found.runs["model"]) == {"Net", "linear"}
    assert set(found.runs["dataset"]) == {"points"}
    assert set(found.runs["status"]) == {"completed"}


class Outside(torch.nn.Module):
    pass


def test_a_module_elsewhere_is_found_by_other_processes(tmp_path: Path, here: Path, monkeypatch):
    far = tmp_path / "far"
    far.mkdir()
    (far / "far_parts.py").write_text((here / "own_parts.py").read_text())
    monkeypatch.syspath_prepend(str(far))
    import far_parts

    run = sgdlab.train(model=far_parts.Net, dataset="wine", directory="run", **QUICKLY)
    assert read_config(run.directory)["import_from"] == [str(far)]


def local_class() -> type:
    class Local(torch.nn.Module):
        pass

    return Local


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"model": lambda num_outputs: torch.nn.Linear(2, num_outputs)},
         "model: a lambda, which no config can name; define it with def or class at the top of a "
         "file, parts.py, import it, and give model=parts.NAME"),
        ({"model": local_class()},
         "model: Local is defined inside a function, which no config can name"),
        ({"model": torch.nn.Linear(2, 2)},
         "model=Linear: an object; give the class or a function that makes it, since every run "
         "makes its own"),
        ({"model": functools.partial(torch.nn.Linear, 2)}, "a partial with arguments by position"),
        ({"model": functools.partial(torch.nn.Linear, bias=torch.zeros(1))},
         "model.bias=Tensor: no value that a config holds"),
        ({"dataset": ([1.0], [2.0], [3.0])}, "dataset=tuple of 3: must be (x, y)"),
        ({"dataset": (["a", "b"], [0, 1])}, "dataset: x holds <U1, not numbers"),
        ({"dataset": ([[1], [1, 2]], [0, 1])}, "dataset: x has rows of different lengths"),
    ],
)  # fmt: skip
def test_what_no_config_can_name_is_refused_with_what_to_do(settings: dict, line: str, here: Path):
    with pytest.raises(sgdlab.InputError) as refused:
        sgdlab.train(**settings)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (here / "runs").exists()


def test_what_a_notebook_defines_is_refused_with_what_to_do(here: Path, monkeypatch):
    monkeypatch.setattr(Outside, "__module__", "__main__")
    with pytest.raises(sgdlab.InputError, match=r"%%writefile parts.py\), import parts, and give "):
        sgdlab.train(model=Outside)


def test_optimizers_of_a_comparison_are_names(here: Path):
    with pytest.raises(sgdlab.InputError, match="Adam: give names; an optimizer of your own"):
        sgdlab.compare(optimizers=["sgd", torch.optim.Adam])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "cannot be read: No such file or directory"),
        ({"x": np.zeros((4, 1))}, "has no array x or no y"),
        ({"x": np.array([object()] * 4), "y": np.zeros(4)}, "Python objects, not of numbers"),
        ({"x": np.full((4, 1), np.nan), "y": np.zeros(4)}, "drop or fill them before the file"),
        (b"text", "no .npz file; numpy.savez"),
    ],
)
def test_a_file_of_arrays_that_is_none_is_refused(content: object, line: str, here: Path):
    if isinstance(content, bytes):
        (here / "data.npz").write_bytes(content)
    elif content is not None:
        np.savez(here / "data.npz", **content)
    with pytest.raises(sgdlab.InputError) as refused:
        sgdlab.train(dataset="arrays", dataset__path="data.npz", model="linear")
    assert line in str(refused.value)
