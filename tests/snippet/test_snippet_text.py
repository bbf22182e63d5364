"""The text of snippets: clean, safe from odd names, and refused where it would be wrong."""

import ast
import copy
import py_compile
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from small_problem import example_of
from trained_by_sgdlab import config

from sgdlab.config.catalogue import members
from sgdlab.errors import InputError
from sgdlab.snippet import snippet
from sgdlab.snippet.source import inlined
from sgdlab.snippet.strip import stripped


def function(source: str, name: str) -> str:
    """Return the text of a function of a snippet."""
    found = next(n for n in ast.parse(source).body if getattr(n, "name", None) == name)
    return ast.unparse(found)


def test_the_common_case_is_short_and_says_what_it_is() -> None:
    source = snippet(config({"optimizer": "adamw", "lr": 0.003, "schedule": "constant"}))
    assert len(source.splitlines()) < 80
    assert "adamw with the constant schedule, as trained on wine/mlp." in source
    assert "LR = 0.003\nEPOCHS = 4\n" in source
    assert "\nimport torch\nfrom torch.optim.lr_scheduler import LambdaLR\n" in source
    assert (
        "    optimizer = torch.optim.AdamW(\n"
        "        parameter_groups(model),\n"
        "        lr=LR,\n"
        "        betas=(0.9, 0.999),\n"
        "        eps=1e-08,\n"
        "        weight_decay=0.01,\n"
        "        amsgrad=False,\n"
        "    )\n"
    ) in source


def test_the_example_of_a_plain_run_has_a_dozen_lines() -> None:
    source = snippet(config({"optimizer": "nesterov", "schedule": "cosine"}))
    assert len(example_of(source).strip().splitlines()) <= 12


def test_augmentation_is_said_and_left_to_the_batches() -> None:
    plain = {"optimizer": "nesterov", "schedule": "cosine"}
    assert "augmentation" not in snippet(config(plain))
    source = snippet(config({**plain, "augment.crop": 4, "augment.flip": 0.5}))
    assert "augmentation  crop=4, flip=0.5; left to the batches that you give" in source


def test_weights_and_frozen_parts_are_those_of_the_run() -> None:
    changes: dict[str, Any] = {"optimizer": "nesterov", "schedule": "cosine"}
    assert "freeze" not in snippet(config(changes))
    plain = config(changes) | {
        "weights": "/somewhere/w.pt", "relative_paths": {"weights": "$PWD/w.pt"},
        "weights_skip": ["2.*"], "freeze": ["0.*", "1.*"],
    }  # fmt: skip
    source = snippet(plain)
    assert "started from w.pt, without ['2.*']; load them into the model first" in source
    assert example_of(source).index("freeze(model, FREEZE)") < example_of(source).index("make_opt")
    module: dict[str, Any] = {}
    exec(source, module)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2)
    )
    module["freeze"](model, module["FREEZE"])
    assert not model.train()[1].training
    groups = module["make_optimizer"](model).param_groups
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model[2].parameters())


def test_a_rule_of_sgdlab_comes_without_what_only_sgdlab_needs() -> None:
    source = snippet(config({"optimizer": "kiefer_wolfowitz", "schedule": "cosine"}))
    code = "\n".join(line for line in source.splitlines() if not line.strip().startswith("#"))
    for word in ("require_number", "InputError", "decay_modes", "gradient_free", "type: ignore"):
        assert word not in code
    assert "import sgdlab" not in code
    assert "from sgdlab" not in code
    assert "count = " not in function(source, "KieferWolfowitz")


def test_comments_of_kept_lines_stay_and_those_of_removed_ones_go() -> None:
    lamb = snippet(config({"optimizer": "lamb", "schedule": "step"}))
    assert "# On the CPU whatever the device, as in torch: reading it waits for no kernel." in lamb
    assert "# Whatever the command line gave" not in lamb


def test_ruff_and_the_compiler_find_nothing(tmp_path: Path) -> None:
    cases: list[dict[str, Any]] = [{"optimizer": name} for name in members("optimizer")]
    cases += [{"schedule": name, "optimizer": "sgd"} for name in members("schedule")]
    cases += [{"optimizer": "muon", "decay.mode": mode} for mode in ("coupled", "independent")]
    cases += [{"optimizer": "adam", "average": name} for name in ("swa", "ema", "polyak")]
    cases += [{"lr_multipliers": {"*.bias": 2.0}, "clip_norm": 1.0, "accumulate": 2}]
    cases += [{"optimizer": "nesterov_lookahead", "accumulate": 2, "precision": "bf16"}]
    for number, changes in enumerate(cases):
        path = tmp_path / f"case_{number}.py"
        path.write_text(snippet(config(changes)))
        py_compile.compile(str(path), doraise=True)
        compile(example_of(path.read_text()), "example", "exec")
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    options = ["--isolated", "--no-cache", "--line-length", "100", "--select", "E,F,W"]
    found = subprocess.run([ruff, "check", *options, str(tmp_path)], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_writing_a_snippet_imports_neither_torch_nor_hydra(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config({"optimizer": "muon", "scaling": "linear"})))
    program = (
        "import sys, yaml\n"
        "from sgdlab.snippet import snippet\n"
        f"assert 'class Muon' in snippet(yaml.safe_load(open({str(path)!r})))\n"
        "print([m for m in ('torch', 'hydra', 'omegaconf', 'numpy') if m in sys.modules])\n"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert out.stdout == "[]\n", out.stderr


def test_the_config_is_left_alone() -> None:
    given = config({"optimizer": "muon", "schedule": "one_cycle", "decay.mode": "coupled"})
    kept = copy.deepcopy(given)
    assert snippet(given) == snippet(given)
    assert given == kept


HOSTILE = '"""\n' + "import os\\\nos.abort()  # ' \u2028 \x00 é"


def test_names_and_texts_of_a_config_stay_data() -> None:
    given = config({"optimizer": "adamw", "schedule": "cosine", "decay.mode": "decoupled"})
    plain = ast.parse(snippet(given))
    given["names"] = dict.fromkeys(given["names"], HOSTILE)
    given["lr_multipliers"] = {"*.bias": 2.0}
    given["optimizer"]["own"] = HOSTILE
    source = snippet(given)
    assert "\x00" not in source
    tree = ast.parse(source)
    imports = [ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Import)]
    assert "import os" not in imports
    called = [ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)]
    assert "os.abort" not in called
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.keyword) and n.arg == "own"]
    assert ast.literal_eval(calls[0].value) == HOSTILE
    assert len(plain.body) < len(tree.body)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"staleness.delay": 2}, "staleness.delay=2: a simulation is no plain PyTorch"),
        ({"local_sgd.workers": 4}, "local_sgd.workers=4: a simulation is no plain PyTorch"),
        ({"parametrization": "mup"}, "parametrization=mup: its factors"),
        ({"average": "ema", "average._target_": "mine.Mean"}, "average=mine.Mean: .* polyak"),
        ({"average": "swa", "average.start": "late"}, "average.start=late: must be a number"),
        ({"scaling": "linear", "batch_size": "full"}, "batch_size=full: give the lr"),
        ({"scaling._target_": "mine.Rule"}, "scaling=mine.Rule: give the lr of summary.csv"),
        ({"scaling.unknown": 1}, "scaling: .*unknown"),
        ({"optimizer._target_": "sgdlab.optimizers.lion.Tiger"}, "has no such definition"),
        ({"optimizer._target_": "sgdlab.optimizers.tiger.Tiger"}, "has no such module"),
        ({"optimizer._target_": "Adam"}, "must name a module, too"),
        ({"optimizer._target_": "os; import x"}, "must name a class or function"),
        ({"optimizer._target_": None}, "must name a class or function"),
        ({"optimizer.inner": {"_target_": "torch.optim.SGD"}}, "optimizer.inner: .*plain settings"),
        ({"optimizer._partial_": True}, "optimizer._partial_: .*plain settings"),
        ({"optimizer.lambda": 1.0}, "optimizer.lambda: .*plain settings"),
        ({"optimizer.when": object()}, "plain settings only"),
        ({"schedule": "cosine", "schedule._target_": "x y"}, "schedule._target_=x y: must name"),
        ({"accumulate": "2"}, "accumulate=2: must be a whole number from 1"),
        ({"epochs": 0}, "epochs=0: must be a whole number from 1"),
        ({"clip_norm": "x"}, "clip_norm=x: must be a number"),
        ({"decay": []}, r"decay=\[\]: must be a section"),
    ],
)
def test_what_cannot_be_plain_torch_is_refused(changes: dict[str, Any], message: str) -> None:
    given = config({key: value for key, value in changes.items() if key in ("average", "scaling")})
    for key, value in changes.items():
        if "." in key:
            group, _, name = key.partition(".")
            given[group][name] = value
        elif key not in ("average", "scaling", "schedule"):
            given[key] = value
    with pytest.raises(InputError, match=message) as caught:
        snippet(given)
    assert "\n" not in str(caught.value)


def test_no_config_of_a_run_is_refused() -> None:
    for given in ({}, {"optimizer": {}}, {"optimizer": {"_target_": "torch.optim.SGD"}}):
        with pytest.raises(InputError, match="not the config"):
            snippet(given)
    with pytest.raises(InputError, match="optimizer=SGD: must be a section"):
        snippet({"optimizer": "SGD"})


def test_a_config_with_little_in_it_will_do() -> None:
    """Configs of older versions lack keys."""
    schedule = {"_target_": "sgdlab.schedules.cosine.Cosine"}
    source = snippet(
        {"optimizer": {"_target_": "torch.optim.SGD", "lr": 0.5}, "schedule": schedule}
    )
    assert "torch.optim.SGD(parameter_groups(model), lr=LR)" in source


def test_the_rate_can_be_given_where_the_config_cannot_say_it() -> None:
    given = config({"scaling": "linear", "batch_size": "full", "optimizer": "sgd"})
    source = snippet(given, lr=0.375)
    assert "LR = 0.375\n" in source
    assert "lr=0.1," in function(source, "make_optimizer")
    with pytest.raises(InputError, match="lr=nan: must be a number above 0"):
        snippet(given, lr=float("nan"))


def loaded(source: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a snippet defines."""
    monkeypatch.setitem(sys.modules, "loaded", types.ModuleType("loaded"))
    names: dict[str, Any] = {"__name__": "loaded"}
    exec(compile(source, "snippet.py", "exec"), names)
    return names


def test_patterns_that_match_nothing_are_refused_by_the_snippet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With another model than the run's, a factor must not vanish in silence."""
    names = loaded(snippet(config({"lr_multipliers": {"layers.*": 2.0}})), monkeypatch)
    with pytest.raises(ValueError, match=r"layers\.\* matches no trainable parameter"):
        names["make_optimizer"](torch.nn.Linear(2, 2))


OWN = """
import torch

class Descent(torch.optim.SGD):
    def __init__(self, params, *, lr, momentum, sizes):
        assert sizes == (1, 2)
        super().__init__(params, lr=lr, momentum=momentum)

class Halving:
    def __init__(self, start):
        self.now = start
    def __call__(self, step, total_steps, steps_per_epoch):
        return self.now
    def momentum(self, step, total_steps, steps_per_epoch):
        return 0.5 + 0.01 * step
    def observe(self, value):
        self.now = self.now / 2
    def state_dict(self):
        return {"now": self.now}
    def load_state_dict(self, state):
        self.now = state["now"]
"""


def test_parts_of_the_users_own_are_imported_by_their_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_parts_of_a_snippet.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    given = config({"lr": 0.4})
    module = "my_parts_of_a_snippet"
    given["optimizer"] = {"_target_": f"{module}.Descent", "lr": 0.4, "momentum": 0.9}
    given["optimizer"]["sizes"] = [1, 2]
    given["schedule"] = {"_target_": f"{module}.Halving", "start": 0.5}
    source = snippet(given)
    assert f"The optimizer comes from the module {module}" in " ".join(source.split())
    names = loaded(source, monkeypatch)
    weight = torch.nn.Linear(1, 1, bias=False)
    optimizer = names["make_optimizer"](weight)
    scheduler = names["make_schedule"](optimizer, 10, 5)
    seen: list[tuple[float, float]] = []
    for _ in range(3):
        weight.weight.grad = torch.ones(1, 1)
        optimizer.step()
        scheduler.step()
        group = optimizer.param_groups[0]
        seen.append((group["lr"], group["momentum"]))
        scheduler.observe(1.0)
    assert seen == [(0.2, 0.5), (0.1, 0.51), (0.05, 0.52)]


def test_a_plateau_goes_on_from_its_saved_state(monkeypatch: pytest.MonkeyPatch) -> None:
    given = config({"schedule": "plateau", "lr": 0.4})
    given["schedule"] |= {"patience": 0, "gamma": 0.5}
    names = loaded(snippet(given), monkeypatch)
    make: Callable[[], Any] = lambda: names["make_optimizer"](torch.nn.Linear(1, 1))  # noqa: E731
    first, second = make(), make()
    scheduler = names["make_schedule"](first, 10, 5)
    first.step()
    scheduler.step()
    for value in (1.0, 1.0, 1.0):
        scheduler.observe(value)
    assert first.param_groups[0]["lr"] == 0.1
    state = scheduler.state_dict()
    assert all(isinstance(v, int | float | list | dict | bool | None) for v in state.values())
    resumed = names["make_schedule"](second, 10, 5)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(state)
    for each, optimizer in ((scheduler, first), (resumed, second)):
        optimizer.step()
        each.step()
        each.observe(1.0)
        assert optimizer.param_groups[0]["lr"] == 0.05
        assert each.last_epoch == 2


def test_two_definitions_of_one_name_are_not_mixed_up() -> None:
    both = [("sgdlab.averaging", "Exponential"), ("sgdlab.schedules.exponential", "Exponential")]
    with pytest.raises(ValueError, match="Exponential stands both in"):
        inlined(both)


CHECKED = """
@decorated
class Rule(Base):
    \"\"\"First line.

    Second paragraph::

        code

    Third.
    \"\"\"

    mup_family = 1
    decay_modes: ClassVar[tuple[str, ...]] = ()
    kept: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.low, 1
        require("x", low, high)

    def __init__(self, a, b):
        # About the check.
        require("a", a)
        if b is not None:
            most = 0.5
            require("b", b, most)
        for key in ("a", "b"):
            value = getattr(self, key)
            require(key, value)
        if a > b:
            raise InputError("a")
        if a < b:
            raise ValueError("b")
        limit = a + b
        limit = max(limit, 1)
        if limit > 3:
            hint = offer(limit)
            raise InputError(hint)
        # About c.
        c = a  # type: ignore[assignment]
        self.c = c
"""
STRIPPED = """@decorated
class Rule(Base):
    \"\"\"First line.

    Second paragraph::

        code
    \"\"\"

    mup_family = 1
    kept: int = 2

    def __init__(self, a, b):
        if a < b:
            raise ValueError("b")
        # About c.
        c = a
        self.c = c"""


def test_checks_go_with_all_that_serves_them_alone() -> None:
    node = ast.parse(CHECKED).body[0]
    assert stripped(node, CHECKED.splitlines(), checkers={"require"}) == STRIPPED
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    assert not names & {"require", "InputError", "ClassVar", "suggest", "limit"}
