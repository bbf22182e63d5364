"""A primary config of one's own: what is wrong with it is told before any file is left."""

import pytest
from cli_runs import Cli, refused, write

WRONG = {
    "no defaults": ("lrr: 0.1\n", "begin the file with the line 'defaults: [train, _self_]'"),
    "empty": ("", "begin the file with"),
    "no gate": (
        "defaults: [train, _self_]\nhydra: {callbacks: {gate: {check: os.getcwd}}}\n",
        "leave hydra.callbacks",
    ),
    "key": ("defaults: [train, _self_]\nlrr: 0.1\n", "did you mean lr?"),
    "value": ("defaults: [train, _self_]\nlr: high\n", "lr"),
    "word": ("train\n", "zz.yaml, line 1: 'train' alone"),
    "python": ("lr: !!python/name:os.system\n", "zz.yaml, line 1: the tag !!python/name"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("command", ["train", "train -m seed=0,1"])
def test_it_is_refused_without_a_trace(sgdlab: Cli, command: str, text: str, said: str):
    write(sgdlab.folder / "my" / "zz.yaml", text)
    typed = ("--config-dir", "my", "--config-name", "zz", "hydra.run.dir=out")
    assert said in refused(sgdlab, *command.split(), *typed)


def test_one_that_is_right_trains(sgdlab: Cli):
    text = "defaults: [train, _self_]\nmax_steps: 2\n"
    write(sgdlab.folder / "my" / "zz.yaml", text)
    typed = ("--config-dir", "my", "--config-name", "zz", "dataset=wine", "model=linear")
    result = sgdlab("train", *typed, "hydra.run.dir=out", "schedule=constant")
    assert result.code == 0, result.err
    assert (sgdlab.folder / "out" / "summary.csv").is_file()
