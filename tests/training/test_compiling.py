"""compile=true: the same run in compiled code, or uncompiled with a line where that fails."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from sgdlab.results import read_steps
from sgdlab.stacked import refusals
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training import compiling
from sgdlab.training.run import train_run
from trainer_runs import built, config_of

SMALL = (
    "dataset=wine", "model.hidden=[8]", "model.batch_norm=true", "model.dropout=0.2",
    "batch_size=16", "epochs=2", "diagnostics=business", "diagnostics.every=5", "save_final=true",
    "optimizer=adamw", "decay.multipliers={1.*:0.5}", "lr_multipliers={*.bias:2}",
)  # fmt: skip


class Compiler:
    """Stands for `torch.compile`: calls the function itself, and counts."""

    def __init__(self, result: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss) -> None:
        self.result = result
        self.sizes: list[int] = []

    def __call__(self, function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
        def compiled(x: Any, y: Any, weight: Any) -> Any:
            self.sizes.append(len(y))
            return self.result(function(x, y, weight))

        return compiled


def fails(_: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("no C++ compiler found\nand more")


def trained(folder: Path, *own: str) -> tuple[str, dict[str, torch.Tensor]]:
    train_run(config_of(*SMALL, *own), folder, NoDisplay())
    return (folder / "steps.csv").read_text(), torch.load(folder / "final.pt", weights_only=True)


def check_same(tmp_path: Path, *own: str) -> None:
    steps, weights = trained(tmp_path / "plain", "compile=false")
    found, compiled = trained(tmp_path / "compiled", "compile=true", *own)
    assert found == steps
    assert list(compiled) == list(weights)  # no prefix
    assert all(torch.equal(compiled[name], weights[name]) for name in weights)


def test_whole_batches_are_compiled_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", compiler := Compiler())
    check_same(tmp_path)
    assert set(compiler.sizes) == {16}
    assert len(compiler.sizes) == 1 + 2 * (built(*SMALL).plan.steps_per_epoch - 1)
    config = yaml.safe_load((tmp_path / "compiled" / "config.yaml").read_text())
    assert config["compile"] is True


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (fails, "compile: RuntimeError: no C++ compiler found; going on uncompiled"),
        (lambda loss: 2 * loss, "uncompiled; going on uncompiled"),
    ],
)
def test_what_fails_or_differs_is_given_up_with_a_line(
    result: Callable[[torch.Tensor], torch.Tensor],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch, "compile", Compiler(result))
    check_same(tmp_path)
    err = capsys.readouterr().err
    assert err.count("sgdlab: note: compile: ") == 1
    assert said in err


def test_auto_compiles_nothing_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", compiler := Compiler())
    trained(tmp_path / "auto")
    assert compiler.sizes == []


@pytest.mark.parametrize(("steps", "compiles"), [(1, False), (10**13, True)])
def test_auto_compiles_long_runs_on_cuda(steps: int, compiles: bool) -> None:
    run = built(*SMALL, f"max_steps={steps}")
    run.device = torch.device("cuda")
    assert compiling._is_worth(run) is compiles


def test_a_stack_leaves_it_to_the_ordinary_engine() -> None:
    assert refusals.of_config(config_of("compile=true", "diagnostics=off")) == "compile=true"
    assert refusals.of_config(config_of("diagnostics=off")) is None
    channels = config_of("channels_last=true", "model=cnn", "diagnostics=off")
    assert refusals.of_config(channels) == "channels_last=true"


@pytest.mark.slow
@pytest.mark.parametrize("own", [("precision=fp32",), ("precision=bf16", "accumulate=2")])
def test_compiled_code_trains_the_same_run(own: tuple[str, ...], tmp_path: Path) -> None:
    for name in ("false", "true"):
        train_run(config_of(*SMALL, f"compile={name}", *own), tmp_path / name, NoDisplay())
    plain, compiled = (read_steps(tmp_path / name)["loss"].tolist() for name in ("false", "true"))
    most = 1e-4 if own == ("precision=fp32",) else 0.05
    assert max(abs(a - b) for a, b in zip(plain, compiled, strict=True)) < most


@pytest.mark.slow
def test_a_machine_without_a_compiler_trains_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch._inductor.config as inductor

    monkeypatch.setattr(inductor.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    check_same(tmp_path)
    err = capsys.readouterr().err
    assert err.count("sgdlab: note: compile: ") == 1
    assert "going on uncompiled" in err
