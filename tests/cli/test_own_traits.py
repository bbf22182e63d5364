"""What the YAML of a user's optimizer says of it is believed, and is no setting."""

import json
from pathlib import Path

import pytest
import yaml
from cli_runs import QUICK, Cli, rows, summary, write

OWN = """
    import torch


    class Sign(torch.optim.Optimizer):
        def __init__(self, params, lr, weight_decay=0.0):
            super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(p.grad.sign(), alpha=-group["lr"])
"""
SILENT = "_target_: own_rules.Sign\nlr: 0.01\nweight_decay: 0.01\n"
TOLD = "_traits_: {family: adam, adaptive: true, decay: decoupled, tensor_state: true}\n"


@pytest.fixture
def shop(parts: Path) -> Path:
    """A --config-dir with one optimizer, with and without what it is."""
    write(parts / "own_rules.py", OWN)
    write(parts / "optimizer" / "silent.yaml", SILENT)
    write(parts / "optimizer" / "told.yaml", SILENT + TOLD)
    return parts


def test_traits_are_no_settings(sgdlab: Cli, shop: Path) -> None:
    told = sgdlab.train("told", "optimizer=told", "epochs=2", parts=shop)
    silent = sgdlab.train("silent", "optimizer=silent", "epochs=2", parts=shop)
    assert summary(told)["run_id"] == summary(silent)["run_id"]
    assert summary(told)["other_settings"] == summary(silent)["other_settings"]
    assert list(summary(told)) == list(summary(silent))
    assert (told / "steps.csv").read_bytes() == (silent / "steps.csv").read_bytes()
    content = yaml.safe_load((told / "config.yaml").read_text())
    assert content["optimizer"]["_traits_"]["decay"] == "decoupled"
    assert "_traits_:" not in (silent / "config.yaml").read_text()
    again = sgdlab("train", "--config-dir", "told", "--config-name", "config", "hydra.run.dir=2")
    assert again.code == 0, again.err
    assert summary(sgdlab.folder / "2")["run_id"] == summary(told)["run_id"]


def test_traits_of_ours_stay_out_of_the_config_of_a_run(sgdlab: Cli) -> None:
    run = sgdlab.train("run", "optimizer=adam", "epochs=1")
    assert "_traits_:" not in (run / "config.yaml").read_text()


def test_local_sgd_averages_what_says_that_it_can_be_averaged(sgdlab: Cli, shop: Path) -> None:
    local = ("local_sgd.workers=2", "epochs=1")
    run = sgdlab.train("run", "optimizer=told", *local, parts=shop)
    assert summary(run)["status"] == "completed"
    refused = sgdlab("train", "--config-dir", shop, *QUICK, "optimizer=silent", *local)
    assert refused.code == 2
    assert "the state of Sign is not known" in refused.err
    assert "_traits_: {tensor_state: true}" in refused.err


def test_mup_takes_what_says_its_family(sgdlab: Cli, shop: Path) -> None:
    wide = ("model=mlp", "model.hidden=[8]", "parametrization=mup", "epochs=1")
    run = sgdlab.train("run", "optimizer=told", *wide, parts=shop)
    assert summary(run)["status"] == "completed"
    refused = sgdlab("train", "--config-dir", shop, *QUICK, "optimizer=silent", *wide)
    assert refused.code == 2
    assert "no rule for Sign, whose family is not known; write _traits_: {family:" in refused.err


def test_diagnose_knows_what_the_yaml_said(sgdlab: Cli, shop: Path) -> None:
    unchecked = {}
    for name in ("told", "silent"):
        run = sgdlab.train(name, f"optimizer={name}", "epochs=6", parts=shop)
        found = sgdlab("diagnose", run, "--json", "-")
        assert found.code == 0, found.err
        unchecked[name] = json.dumps(json.loads(found.out))
    assert "how silent applies its decay is not known" in unchecked["silent"]
    assert "is not known" not in unchecked["told"]


def test_wrong_traits_are_refused_in_one_line(sgdlab: Cli, shop: Path) -> None:
    write(shop / "optimizer" / "wrong.yaml", SILENT + "_traits_: {adaptiv: true}\n")
    refused = sgdlab("train", "--config-dir", shop, *QUICK, "optimizer=wrong", "epochs=1")
    assert refused.code == 2
    assert "optimizer._traits_.adaptiv: no such trait; did you mean adaptive?" in refused.err
    assert refused.err.count("\n") == 1
    assert not list(sgdlab.folder.rglob("steps.csv"))


def test_a_sweep_of_an_optimizer_with_traits_resumes(sgdlab: Cli, shop: Path) -> None:
    command = ("train", "-m", "--config-dir", shop, *QUICK, "study=s", "optimizer=told", "epochs=1")
    for _ in range(2):
        done = sgdlab(*command, "lr=0.01,0.02,0.03")
        assert done.code == 0, done.err
    assert len(rows(sgdlab.folder / "runs" / "s" / "runs.csv")) == 3


def test_a_class_that_sgdlab_ships_has_no_traits_of_the_users(sgdlab: Cli, parts: Path) -> None:
    own = "_target_: torch.optim.Adam\nlr: 0.1\n_traits_: {family: sgd, adaptve: true}\n"
    write(parts / "optimizer" / "mine.yaml", own)
    result = sgdlab("train", "--config-dir", parts, *QUICK, "optimizer=mine")
    assert result.code == 2
    said = "optimizer._traits_: sgdlab knows what torch.optim.Adam is; leave it out"
    assert result.err == f"sgdlab: {said}\n"
    assert not list(sgdlab.folder.iterdir())


def test_an_unknown_key_within_a_section_is_named_itself(sgdlab: Cli) -> None:
    result = sgdlab("train", *QUICK, "optimizer=adam", "optimizer._traits_={nosuch: 3}")
    assert result.code == 2
    assert "optimizer._traits_.nosuch: no such key in optimizer._traits_" in result.err
