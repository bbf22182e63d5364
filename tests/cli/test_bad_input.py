"""Bad input: exit code 2, one line on stderr that names the key, and not a file anywhere."""

import pytest
import torch
from cli_runs import QUICK, Cli, refused, write

from sgdlab.config.catalogue import SEVERAL, groups, members

BAD_VALUES = [
    # arguments after `train`, what the line says
    ("optimizer=nestrov", "optimizer=nestrov", "did you mean optimizer=nesterov?"),
    ("optimiser=sgd", "optimiser=sgd", "did you mean optimizer=sgd?"),
    ("modle.hidden=[3]", "modle.hidden", "did you mean model.hidden=[3]?"),
    ("model.hiden=[3]", "model.hiden", "did you mean model.hidden=[3]?"),
    ("schedule.warmup_epoch=3", "schedule.warmup_epoch", "warmup_epochs"),
    ("dataset.root=here", "dataset=digits has no setting root", "dataset=cifar10, "),
    ("dataset.path=a", "dataset=digits has no setting path", "table, text take one"),
    ("optimizer.beta=0.9", "optimizer=nesterov has no setting beta (it has lr, mom", "tiger takes"),
    ("average.decay=0.9", "average=none has no setting decay", "average=ema takes one"),
    ("schedule.finl=0", "schedule=cosine has no setting finl", "did you mean schedule.final=0?"),
    ("+dataset.path=a", "digits has no setting path", "it has none"),
    ("schedule=none", "schedule=none", "did you mean schedule=constant?"),
    ("scheduler=none", "scheduler=none", "did you mean schedule=constant?"),
    ("experiment=lr_gap", "experiment=lr_gap", "did you mean experiment=lessons/lr_gap?"),
    ("experiment=lessons/lr_gapp", "experiment=lessons/lr_gapp", "=lessons/lr_gap?"),
    ("lr=-1", "lr=-1", "positive"),
    ("lr=abc", "lr=abc", "number"),
    ("lr=null", "lr is not set", "lr=0.01"),
    ("batch_size=0", "batch_size=0", "full"),
    ("batch_size=2.5", "batch_size=2.5", "whole number"),
    ("batch_size=1080", "batch_size=1080", "1079 examples"),
    ("accumulate=18", "accumulate=18", "at most accumulate=17"),
    ("optimizer.momentum=0", "optimizer=nesterov", "momentum"),
    ("lr=0.1 optimizer.lr=0.2", "lr=0.1 and optimizer.lr=0.2", "set only lr"),
    ("device=gpu", "device=gpu", "cuda"),
    ("device=cuda:x", "device=cuda:x", "cuda"),
    ("device=cuda:-1", "device=cuda:-1", "cuda"),
    ("epochs=1.5", "epochs=1.5", "whole number"),
    ("evaluate_test=perhaps", "evaluate_test=perhaps", "bool"),
    ("precision=bf16 dtype=float64", "precision=bf16", "float32"),
    ("precision=fp61", "precision=fp61", "did you mean fp16?"),
    ("precision=tf32 device=cpu", "precision=tf32", "use precision=fp32"),
    ("precision=fp16 optimizer=lbfgs", "precision=fp16", "not with optimizer LBFGS"),
    ("channels_last=true", "channels_last=true", "model=mlp has no convolution"),
    (
        "channels_last=true model=cnn optimizer=lbfgs model.channels=[2,2]",
        "optimizer=lbfgs",
        "leave out channels_last=true",
    ),
    ("channels_last=perhaps", "channels_last=perhaps", "bool"),
    ("compile=maybe", "compile=maybe", "true, false or auto"),
    ("split.val=0.9", "split.val=0.9", "training"),
    ("optimizer.momentum=big", "optimizer.momentum=big", "number"),
    ("optimizer.nesterov=3", "optimizer.nesterov=3", "true or false"),
    ("optimizer=adam optimizer.weight_decay=-1", "optimizer=adam", "weight_decay"),
    ("model.hidden=wide", "model.hidden=wide", "list"),
    ("model.hidden=[1000000000]", "model=mlp: its weights take", "room for"),
    ("threads=1000000000", "threads=1000000000", "at most 1024"),
    ("epochs=99999999999999999999", "epochs=99999999999999999999", "64 bits"),
    ("dataset=[1]", "dataset=[1]", "name of a member"),
    ("model=[null]", "model=[null]", "name of a member"),
    (f"lr={'[' * 50}{']' * 50}", "lr=[[[", "nested deeper"),
    ("=1", "=1", "KEY=VALUE"),
    ("--resolve", "--resolve", "--cfg job --resolve"),
    ("--cfg job --info all", "--cfg --info", "one of them"),
    ("--experimental-rerun x", "--experimental-rerun", "--config-name config"),
    ("--config-path x", "--config-path", "--config-dir"),
    ("--shell-completion", "--shell-completion", "install=bash"),
    ("-sc install=tcsh", "install=tcsh", "install=bash"),
    ("learning_rate=0.1", "learning_rate=0.1", "did you mean lr=0.1?"),
    ("+learning_rate=0.1", "learning_rate", "did you mean lr?"),
    ("+lr=0.1", "+lr=0.1", "write lr=0.1"),
    ("weight_decay=0.1", "weight_decay=0.1", "did you mean optimizer.weight_decay=0.1?"),
    ("weight_decay=0.1 optimizer=lbfgs", "weight_decay", "optimizer=lbfgs has no weight_decay"),
    ("my_rule=adam", "my_rule=adam", "did you mean optimizer=adam?"),
    ("model=MLP", "model=MLP", "did you mean model=mlp?"),
    ("model=adam", "model=adam", "did you mean optimizer=adam?"),
    ("lr=0,1", "lr=0,1", "lr=0.1"),
    ("--lr 0.1", "train --lr 0.1", "write lr=0.1"),
    ("lr = 0.1", "lr = 0.1", "write lr=0.1"),
    ("optimizer=caf\udce9", "caf", "not UTF-8"),
    ("-m seed=range(0,1000000000)", "1e+09 runs", "at most"),
    ("-m lr=range(0,1,0)", "lr=range(0,1,0)", "without end"),
    ("-m seed=0,1 hydra.sweeper._target_=os.path", "hydra.sweeper._target_", "hydra/sweeper=NAME"),
    ("model=cnn dataset=wine", "model=cnn", "images"),
    ("lr=0.1,0.2", "lr=0.1,0.2", "-m"),
    ("lr", "lr", "expected KEY=VALUE"),
    ("precision=fp32,bf16", "precision=fp32,bf16", "add -m to run each value\n"),
    ("model.hidden=64,64", "model.hidden=64,64", "or write model.hidden=[64,64] for a list"),
    ("optimizer=adam optimizer.betas=0.9,0.99", "optimizer.betas", "=[0.9,0.99] for a list"),
    ("optimizer=[adam]", "optimizer=[adam]", "takes one name; write optimizer=adam (several: -m"),
    ("-m optimizer=[adam],[sgd]", "optimizer=[adam]", "write optimizer=adam"),
    ("experiment=[lessons/lr_gap]", "experiment=[", "write experiment=lessons/lr_gap"),
    ("model=[]", "model=[]", "write model=NAME"),
    ("--frobnicate", "--frobnicate", "unrecognized"),
    ("--config-dir nowhere", "nowhere", "no such folder"),
    ("--config-name nowhere", "--config-name nowhere", "no such config"),
    ("-m lr=1,1.0", "lr=1.0 equals lr=1", "same run twice"),
    ("-m lr=0.1,-1", "lr=-1", "positive"),
    ("-m optimizer=sgd,adm", "optimizer=adm", "adam"),
    ("-m optimizer=nesterov,adam optimizer.momentum=0.5", "optimizer.momentum", "optimizer=adam"),
]

BAD_COMPARISONS = [
    ("optimizers=[nestrov]", "optimizers=nestrov", "did you mean nesterov?"),
    ("optimizers=[sgd,sgd]", "optimizers", "once"),
    ("optimizers=[]", "optimizers=[]", "at least one"),
    ("optimizers=adam", "optimizers=adam", "write optimizers=[adam]"),
    ("optimizers=sgd,adam", "optimizers=sgd,adam", "write optimizers=[sgd,adam]"),
    ("lr=0.1", "lr=0.1", "search.NAME.lr.low"),
    ("seed=1,2", "seed=1,2: takes one value", "replicates=10"),
    ("workloads=digits/mlp,wine/mlp", "workloads", "write workloads=[digits/mlp,wine/mlp]"),
    ("protocol=[quick]", "protocol=[quick]", "takes one name; write protocol=quick\n"),
    ("workloads=[{digits/mlp:{schedule:[step]}}]", "schedule=[step]", "write schedule=step"),
    ("search.scientific=[{=", "search.scientific=[{=: [ has", "'search.scientific=…'"),
    ("optimizer=sgd", "optimizer=sgd", "optimizers=["),
    ("evaluate_test=true", "evaluate_test", "by itself"),
    ("trials=0", "trials=0", "whole number"),
    ("seeds=0", "seeds=0", "whole number"),
    ("search.nesterov.lr.low=-1", "search.nesterov.lr.low=-1", "positive"),
    ("search.nesterov.lr.low=5", "search.nesterov.lr", "below high=1.0"),
    ("search.nesterov.lr.hihg=1", "search.nesterov.lr.hihg", "high"),
    ("select_by=val_loss", "select_by=val_loss", "final_val_loss"),
    ("batch_size=0", "batch_size=0", "full"),
    (
        "epochs=2",
        "schedule.warmup_epochs=3.0, epochs=2",
        "schedule.warmup_epochs=0.2, or epochs=30",
    ),
    (
        "schedule.warmup_steps=40 max_steps=30",
        "schedule.warmup_steps=40, max_steps=30",
        "schedule.warmup_steps=3, or max_steps=400",
    ),
    (
        "+search.nesterov.schedule.warmup_epochs={low:1,high:90}",
        "epochs=20): lr never reaches",
        "set schedule.warmup_epochs=2",
    ),
]


@pytest.mark.parametrize(("typed", "key", "advice"), BAD_VALUES, ids=[b[0] for b in BAD_VALUES])
def test_a_bad_run_is_refused_in_one_line(sgdlab: Cli, typed: str, key: str, advice: str):
    line = refused(sgdlab, "train", *typed.split())
    assert key in line
    assert advice in line


@pytest.mark.parametrize(
    ("typed", "key", "advice"), BAD_COMPARISONS, ids=[b[0] for b in BAD_COMPARISONS]
)
def test_a_bad_comparison_is_refused_in_one_line(sgdlab: Cli, typed: str, key: str, advice: str):
    line = refused(sgdlab, "compare", *typed.split())
    assert key in line
    assert advice in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_cuda_is_refused(sgdlab: Cli):
    assert "device=cpu" in refused(sgdlab, "train", "device=cuda")


def test_an_unknown_command_is_offered_the_nearest(sgdlab: Cli):
    assert "did you mean train?" in refused(sgdlab, "tran")


def test_list_of_an_unknown_group_is_offered_the_nearest(sgdlab: Cli):
    assert "did you mean optimizer?" in refused(sgdlab, "list", "optimisers")


def test_no_command_shows_the_help_and_fails(sgdlab: Cli):
    result = sgdlab()
    assert result.code == 2
    assert "usage: sgdlab COMMAND" in result.out


def test_report_of_a_missing_an_empty_and_a_foreign_folder_is_refused(sgdlab: Cli):
    assert "nowhere" in refused(sgdlab, "report", "nowhere")
    (sgdlab.folder / "empty").mkdir()
    assert "empty" in refused(sgdlab, "report", "empty")
    write(sgdlab.folder / "foreign" / "config.yaml", "lr: 1\n")
    write(sgdlab.folder / "foreign" / "results.csv", "a,b\n1,2\n")
    assert "foreign" in refused(sgdlab, "report", "foreign")


def test_a_yaml_of_the_users_with_a_shipped_name_is_refused(sgdlab: Cli, parts):
    write(parts / "optimizer" / "adam.yaml", "_target_: torch.optim.Adam\n")
    line = refused(sgdlab, "train", "--config-dir", str(parts))
    assert str(parts / "optimizer" / "adam.yaml") in line
    assert "adam_mine.yaml" in line


GROUPS_OF_ONE_NAME = [name for name in groups() if name not in SEVERAL]


@pytest.mark.parametrize("group", GROUPS_OF_ONE_NAME)
def test_a_group_takes_one_name(sgdlab: Cli, group: str):
    name = next(iter(members(group)))
    line = refused(sgdlab, "train", f"{group}=[{name}]")
    assert f"{group}=[{name}]: takes one name; write {group}={name} (several" in line


def test_a_list_of_names_in_a_file_of_the_users_is_refused_with_its_line(sgdlab: Cli, parts):
    text = "# @package _global_\ndefaults:\n  - override /optimizer: [adam]\n"
    write(parts / "experiment" / "mine.yaml", text)
    line = refused(sgdlab, "train", "--config-dir", str(parts), "experiment=mine")
    assert "mine.yaml, line 3: override /optimizer: [adam]: takes one name" in line
    assert line.endswith("write optimizer: adam\n")


def test_a_target_that_does_not_import_is_refused(sgdlab: Cli, parts):
    write(parts / "model" / "gone.yaml", "_target_: no_such_package.Model\n")
    line = refused(sgdlab, "train", "--config-dir", str(parts), "model=gone")
    assert "model=gone" in line
    assert "no_such_package" in line


def test_a_wrong_argument_of_a_part_of_the_users_is_refused(sgdlab: Cli, parts):
    write(parts / "optimizer" / "odd.yaml", "_target_: torch.optim.SGD\nlr: 0.1\nmomentun: 0.9\n")
    line = refused(sgdlab, "train", "--config-dir", str(parts), "optimizer=odd")
    assert "optimizer=odd" in line
    assert "momentun" in line


def test_a_yaml_without_a_target_is_refused(sgdlab: Cli, parts):
    write(parts / "loss" / "untold.yaml", "weight: 1\n")
    line = refused(sgdlab, "train", "--config-dir", str(parts), "loss=untold")
    assert "loss=untold: no _target_" in line


def test_an_optimizer_without_a_search_space_is_refused_by_compare(sgdlab: Cli, parts):
    write(parts / "optimizer" / "plain.yaml", "_target_: torch.optim.SGD\nlr: 0.1\n")
    line = refused(sgdlab, "compare", "--config-dir", str(parts), "optimizers=[plain,sgd]")
    assert "optimizers=plain" in line
    assert "search/plain.yaml" in line


def test_a_folder_that_holds_another_run_is_refused(sgdlab: Cli):
    sgdlab.train("taken", "max_steps=1")
    line = refused(sgdlab, "train", *QUICK, "hydra.run.dir=taken", "max_steps=2")
    assert "taken holds another run" in line
    assert "hydra.run.dir" in line


def test_the_traceback_appears_on_request_before_the_line(sgdlab: Cli, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    result = sgdlab("train", "lr=-1")
    assert result.code == 2
    assert "Traceback (most recent call last)" in result.err
    assert result.err.splitlines()[-1].startswith("sgdlab: lr=-1")


def test_a_truncated_csv_is_named_with_its_line_and_the_other_runs_are_reported(sgdlab: Cli):
    damaged = sgdlab.train("all/damaged", "optimizer=adam", "max_steps=3")
    sgdlab.train("all/sound", "optimizer=sgd", "max_steps=3")
    steps = damaged / "steps.csv"
    steps.write_bytes(steps.read_bytes()[:-20])
    (damaged / "manifest.json").unlink()  # as in a run of an older version
    result = sgdlab("report", "all")
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert "damaged/steps.csv, line 4: truncated" in line
    assert "Traceback" not in result.out
    assert "sgd" in (sgdlab.folder / "all" / "report" / "comparison.csv").read_text()
