"""Errors keep their subject: the key, the variable, the file; one line, and no file is left."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, refused, write

LOAD = """
    import numpy as np


    def load(n, path=None, other=None):
        x = np.random.default_rng(0).standard_normal((n, 3))
        return x, (x[:, 0] > 0).astype(int)
"""
PATHS = {
    "env": "${oc.env:NO_SUCH_VARIABLE}/a", "typo": "${nosuchkey}/a", "near": "${dataset.nn}",
    "resolver": "${nosuch:3}", "circle": "${.path}", "late": "${hydra:job.num}/a",
    "folder": "${hydra:runtime.output_dir}/a", "itself": "${run_id:}", "open": "???",
    "cwd": "${hydra:runtime.cwd}/a", "choice": "${hydra:runtime.choices.optimizer}",
}  # fmt: skip


@pytest.fixture
def own(parts: Path) -> Path:
    """Datasets whose path cannot be resolved, each in its way, and other broken files."""
    write(parts / "own_load.py", LOAD)
    for name, text in PATHS.items():
        write(parts / f"dataset/{name}.yaml", f"_target_: own_load.load\nn: 60\npath: {text}\n")
    write(parts / "dataset/scan.yaml", "a: ${oc.env:\nb: 1\n")
    write(parts / "dataset/list.yaml", "- a\n")
    head = "# @package _global_\n"
    write(parts / "experiment/typo.yaml", f"{head}split: {{vall: 0.1}}\n")
    write(parts / "experiment/inner.yaml", f"{head}model: {{hiden: [3]}}\n")
    write(parts / "experiment/root.yaml", f"{head}epoch: 3\n")
    write(parts / "experiment/group.yaml", f"{head}defaults:\n  - override /optimiser: adam\n")
    write(parts / "experiment/bare.yaml", "lr: 0.1\n")
    return parts


IN_FILES = [
    ("dataset=env", "dataset.path=${oc.env:NO_SUCH_VARIABLE}/a", "NO_SUCH_VARIABLE is not set"),
    ("dataset=typo", "dataset.path=${nosuchkey}/a", "nosuchkey: no such key"),
    ("dataset=near", "dataset.path", "dataset.nn: no such key in dataset; valid: n, path"),
    ("dataset=resolver", "dataset.path", "no resolver nosuch"),
    ("dataset=circle", "dataset.path", "refers to itself"),
    ("dataset=late", "dataset.path", "hydra.job.num has no value"),
    ("dataset=folder", "dataset.path", "hydra.runtime.output_dir has no value"),
    ("dataset=itself", "dataset.path", "run_id is made from this value"),
    ("dataset=open", "dataset=open", "needs dataset.path="),
    ("dataset=scan", "scan.yaml, line ", "not valid YAML"),
    ("dataset=list", "dataset/list.yaml", "a list; must be keys and values"),
    ("experiment=typo", "experiment/typo.yaml: split.vall", "val"),
    ("experiment=inner", "model=mlp", "MLP has no setting hiden; did you mean hidden?"),
    ("experiment=root", "experiment/root.yaml: epoch", "did you mean epochs"),
    ("experiment=group", "experiment/group.yaml: override /optimiser", "did you mean optimizer?"),
    ("experiment=bare", "experiment/bare.yaml", "@package _global_"),
]


@pytest.mark.parametrize(("typed", "subject", "advice"), IN_FILES, ids=[b[0] for b in IN_FILES])
def test_what_is_wrong_in_a_file_is_named(
    sgdlab: Cli, own: Path, typed: str, subject: str, advice: str
):
    for command in (("train",), ("train", "-m", "seed=0,1"), ("compare",)):
        line = refused(sgdlab, *command, "--config-dir", str(own), typed)
        assert subject in line
        assert advice in line


TYPED = [
    ("split.vall=0.1", "split.vall", "val"),
    ("+split.vall=0.1", "split.vall: no such key in split", "val"),
    ("++eval.evry=1", "eval.evry: no such key in eval", "every"),
    ("+learning_rate=0.1", "learning_rate: no such key", "did you mean lr?"),
    ("+seeed=1", "seeed: no such key", "did you mean seed"),
    ("+optimizer.momentun=0.9", "has no setting momentun", "did you mean momentum?"),
    ("+model.hiden=[3]", "MLP has no setting hiden", "did you mean hidden?"),
    ("+loss.reductoin=sum", "loss=auto", "has no setting reductoin"),
    ("+diagnostics.evry=3", "diagnostics.evry", "every"),
    ("diagnostics=full diagnostics.quantities.sharpnes.every=3", "sharpnes", "sharpness"),
    ("+names.optimiser=x", "names.optimiser: no such key in names", "did you mean optimizer?"),
    ("+hydra.run.dri=x", "hydra.run.dri: no such key in hydra.run", "dir"),
    ("hydra.run.dri=x", "hydra.run.dri: no such key", "dir"),
    ("hydra.jbo.name=x", "hydra.jbo.name: no such key", "did you mean hydra.job.name?"),
    ("~lr", "~lr", "leave it in"),
    ("~optimizer", "optimizer: no member is chosen", "optimizer=NAME"),
    ("~nosuch", "~nosuch: no such key", "valid"),
    ("+optimizer=adam", "optimizer: has a member already", "optimizer=NAME"),
    ("optimizer.maximize=true", "optimizer.maximize=true", "minimised"),
    ("study=${oc.env:NO_SUCH}", "study=${oc.env:NO_SUCH}", "NO_SUCH is not set"),
    ("model.hidden=[${nosuch}]", "model.hidden.0=${nosuch}", "no such key"),
]


@pytest.mark.parametrize(("typed", "subject", "advice"), TYPED, ids=[b[0] for b in TYPED])
def test_what_is_typed_wrongly_is_named_in_every_command(
    sgdlab: Cli, typed: str, subject: str, advice: str
):
    for command in (("train",), ("train", "-m", "seed=0,1"), ("compare",), ("lr-find",)):
        if command[0] == "compare" and typed.startswith(("~lr", "+optimizer=", "~optimizer")):
            continue  # a comparison has an answer of its own
        if command[0] == "lr-find" and "diagnostics" in typed:
            continue  # measures nothing
        line = refused(sgdlab, *command, *typed.split())
        assert subject in line
        assert advice in line


@pytest.mark.parametrize(
    "typed", ["+split.vall=0.1,0.2", "+nosuch=1,2", "+optimizer.nosuch=1,2", "lr=${nosuch},0.1"]
)
def test_what_is_swept_and_read_by_nobody_is_named(sgdlab: Cli, typed: str):
    line = refused(sgdlab, "train", "-m", typed)
    assert "vall" in line or "nosuch" in line


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("hydra.sweep.subdir=${hydra.job.num}", "hydra.job.num has no value"),
        ("hydra.sweep.subdir=${hydra:job.num}", "hydra.job.num has no value"),
        ("hydra.sweep.subdir=${oc.env:NO_SUCH}", "NO_SUCH is not set"),
        ("hydra.sweep.dir=${nosuch}/x", "nosuch: no such key"),
        ("hydra.sweep.subdir=same", "same: two runs of the sweep would write there"),
        ("+hydra.sweeper.nosuch=3", "hydra.sweeper.nosuch: no such key"),
    ],
)
def test_folders_of_a_sweep_that_cannot_be_are_named(sgdlab: Cli, typed: str, said: str):
    assert said in refused(sgdlab, "train", "-m", *QUICK, "seed=0,1", typed)


@pytest.mark.parametrize(
    "command",
    [
        ("train", "hydra.run.dir=out/run"),
        ("train", "-m", "seed=0,1", "hydra.sweep.dir=out"),
        ("train", "-m", "seed=0,1", "hydra.sweep.dir=out", "hydra/launcher=stacked"),
        ("train", "-m", "seed=0,1", "hydra.sweep.dir=out", "hydra/sweeper=basic"),
        pytest.param(("train", "-m", "seed=0,1", "hydra.sweep.dir=out", "hydra/launcher=joblib"),
                     marks=pytest.mark.slow),
        pytest.param(("compare", "hydra.run.dir=out", "protocol=quick", "optimizers=[sgd,adam]"),
                     marks=pytest.mark.slow),
    ],
    ids=" ".join,
)  # fmt: skip
def test_hydras_own_values_are_seen_by_every_command(sgdlab: Cli, own: Path, command: tuple):
    name, *rest = (word.replace("dir=out", f"dir={sgdlab.folder}/out") for word in command)
    quick = ("max_steps=2", "batch_size=16", "schedule=constant", "model=linear")
    result = sgdlab(name, "--config-dir", own, "dataset=cwd", *quick, *rest)
    assert result.code == 0, result.err
    out = sgdlab.folder / "out"
    # That of a whole comparison keeps the expression: it may be repeated elsewhere.
    found = [path for path in out.rglob("config.yaml") if path.parent != out]
    assert found
    for path in found:
        assert f"path: {sgdlab.folder}/a\n" in path.read_text()
