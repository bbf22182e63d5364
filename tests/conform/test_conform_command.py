"""``sgdlab conform``: what may be typed, what is printed, the exit codes, and what is refused."""

import json
from pathlib import Path

import pytest
from cli_runs import Cli, refused, write

STEPS = ("--steps", "6")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "work")


def test_the_same_is_said_and_exits_with_0(cli: Cli) -> None:
    result = cli("conform", "adamw", "torch.optim.AdamW", *STEPS)
    assert result.code == 0
    assert "A and B are the same: after each of 6 steps in 10 cases" in result.out
    assert not list(cli.folder.rglob("*"))


def test_a_difference_is_said_where_it_begins_and_exits_with_3(cli: Cli) -> None:
    """Adam's first step is lr · g / (|g| + eps): another eps is seen at once."""
    result = cli("conform", "adam", "adam eps=1e-7", *STEPS)
    assert result.code == 3
    assert "A and B differ, first in step 1 of 'no decay'" in result.out
    assert "Cause: eps is 1e-08 in A, 1e-07 in B. With that changed, they agree" in result.out


def test_json_has_every_case_and_the_cause(cli: Cli) -> None:
    """At a constant rate torch's heavy ball and Keras's are one; with a schedule they are two."""
    result = cli("conform", "momentum", "keras_sgd", "--json", *STEPS)
    found = json.loads(result.out)
    assert result.code == 3
    assert found["answer"] == "differ"
    apart = {case["case"] for case in found["cases"] if not case["same"]}
    assert apart == {"schedule", "decay, schedule"}
    first = next(case for case in found["cases"] if not case["same"])
    assert first["step"] == 4  # warm-up has ended before; the drop comes after the third step
    assert found["how"] == "family"
    (cause,) = found["causes"]
    assert "B has lr inside of the momentum buffer (Keras's form)" in cause


def test_settings_that_are_not_typed_can_be_shared(cli: Cli) -> None:
    code = [
        cli("conform", "momentum", "torch.optim.SGD", *more, *STEPS).code
        for more in ((), ("--same-settings",))
    ]
    assert code == [3, 0]
    typed = cli("conform", "momentum", "torch.optim.SGD nesterov=true", "--same-settings", *STEPS)
    assert "nesterov is false in A, true in B" in typed.out


@pytest.mark.slow
def test_a_users_class_yaml_and_run_can_be_typed(cli: Cli) -> None:
    write(
        cli.folder / "own_rules.py",
        """
        import torch

        class Steepest(torch.optim.SGD):
            pass
        """,
    )
    own = "_target_: own_rules.Steepest\nlr: 0.1\nweight_decay: 1.0e-4\n"
    write(cli.folder / "optimizer" / "steepest.yaml", own)
    by_class = cli("conform", "sgd", "own_rules.Steepest lr=0.1 weight_decay=1e-4", *STEPS)
    assert by_class.code == 0, by_class
    assert cli("conform", "sgd", "optimizer/steepest.yaml", *STEPS).code == 0
    assert cli("conform", "-cd", ".", "sgd", "steepest", *STEPS).code == 0
    run = cli.train("run", "max_steps=2", "optimizer=adam", "optimizer.weight_decay=0.1")
    other = cli.train("other", "max_steps=2", "optimizer=adam", "optimizer.weight_decay=0.1",
                      "decay.mode=decoupled")  # fmt: skip
    assert cli("conform", str(run), str(run / "config.yaml"), *STEPS).code == 0
    apart = cli("conform", str(run), str(other), *STEPS)
    assert apart.code == 3
    assert "B shrinks the weights by lr · weight_decay beside the step (decoupled)" in apart.out


@pytest.mark.slow
def test_optimizers_that_evaluate_the_function_get_it(cli: Cli) -> None:
    same = cli("conform", "lbfgs", "torch.optim.LBFGS", "--same-settings", "--steps", "2")
    assert same.code == 0, same.out
    apart = cli("conform", "kiefer_wolfowitz", "kiefer_wolfowitz width=0.1", "--steps", "1")
    assert "width is 0.01 in A, 0.1 in B" in apart.out


def test_an_optimizer_that_draws_is_itself(cli: Cli) -> None:
    write(
        cli.folder / "noisy_rule.py",
        """
        import torch

        class Noisy(torch.optim.SGD):
            def step(self, closure=None):
                super().step()
                for group in self.param_groups:
                    for p in group["params"]:
                        p.data += 0.01 * torch.randn_like(p)
        """,
    )
    assert cli("conform", "noisy_rule.Noisy", "noisy_rule.Noisy", *STEPS).code == 0
    apart = cli("conform", "noisy_rule.Noisy", "noisy_rule.Noisy lr=0.01", *STEPS)
    assert "lr is 0.001 in A, 0.01 in B" in apart.out


def test_an_optimizer_with_modes_is_put_into_that_of_training(cli: Cli) -> None:
    """As those of schedulefree, which refuse to step otherwise; lists of numbers are read, too."""
    write(
        cli.folder / "moody_rule.py",
        """
        import torch

        class Moody(torch.optim.Adam):
            trains = False

            def train(self):
                self.trains = True

            def step(self, closure=None):
                assert self.trains
                return super().step()
        """,
    )
    assert cli("conform", "adam", "moody_rule.Moody betas=[9e-1,0.999]", *STEPS).code == 0


def test_a_weight_that_is_no_number_differs(cli: Cli) -> None:
    """At such a rate squares overflow: NaN in one and not in the other is a difference."""
    result = cli("conform", "sgd", "sgd lr=1e308", "--json", *STEPS)
    found = json.loads(result.out)
    assert result.code == 3
    assert found["causes"] == ["lr is 0.1 in A, 1e+308 in B"]
    assert cli("conform", "sgd lr=1e308", "sgd lr=1e308", *STEPS).code == 0


def test_tensors_of_one_kind_can_be_compared_alone(cli: Cli) -> None:
    """torch's Muon takes matrices only."""
    assert "Muon only supports 2D" in refused(cli, "conform", "muon", "torch.optim.Muon", *STEPS)
    options = ("--same-settings", "--only", "matrix", *STEPS)
    assert cli("conform", "muon", "torch.optim.Muon", *options).code == 0


@pytest.mark.slow
def test_what_differs_otherwise_is_said_to_have_no_known_cause(cli: Cli) -> None:
    result = cli("conform", "lion", "signsgd", *STEPS)
    assert result.code == 3
    assert "No cause was found among what was tried: " in result.out
    assert "Settings that differ: " in result.out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("adamm", "adam"), "adamm: no optimizer; did you mean adam"),
        (("adam", "adam esp=1"), "has no setting esp; did you mean eps"),
        (("adam", "adam eps"), "eps is no key=value"),
        (("adam", "torch.optim.Adm"), "cannot import torch.optim.Adm"),
        (("adam", "torch.nn.Linear"), "torch.nn.Linear"),
        (("adam", "lr=3"), "name an optimizer first"),
        (("adam", "adam lr=-1"), "adam lr=-1: Invalid learning rate"),
        (("adam", "nosuch.yaml"), "nosuch.yaml: no such file"),
        (("adam", "adam decay.mod=coupled"), "no key decay.mod; it may have decay.mode"),
        (("adam", "adam decay.mode=odd"), "decay.mode"),
        (("adam", "adam 'x"), "No closing quotation"),
        (("adam", "adam", "--steps", "0"), "--steps 0: must be 1 or more"),
        (("adam", "adam", "--tolerance", "2"), "--tolerance 2: must be between 0 and 1"),
        (("adam", "adam", "--only", "matrx"), "--only matrx: did you mean matrix"),
        (("adam",), "see sgdlab conform --help"),
    ],
)
def test_bad_input_is_refused_in_a_line(cli: Cli, typed: tuple[str, ...], said: str) -> None:
    assert said in refused(cli, "conform", *typed)


def test_an_optimizer_that_fails_says_where(cli: Cli) -> None:
    write(
        cli.folder / "broken_rule.py",
        """
        import torch

        class Broken(torch.optim.SGD):
            def step(self, closure=None):
                raise RuntimeError("no good")
        """,
    )
    result = cli("conform", "sgd", "broken_rule.Broken", *STEPS)
    assert result.code == 2
    assert "broken_rule.Broken: step 1 of the case 'no decay': no good" in result.err
