"""Torchvision is imported beside a torch for CPU, whoever asks for it; each in a new process."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cli_runs import rows, write

pytestmark = pytest.mark.skipif(
    torch.version.cuda is not None, reason="torchvision's own operators load here"
)

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def output_of(code: str, folder: Path | None = None) -> list[str]:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split("\n")[:-1]


def test_a_script_that_imports_sgdlab_can_use_torchvision() -> None:
    code = """
import sgdlab
import torch, torchvision
from torchvision.transforms import v2
x = v2.functional.horizontal_flip(torch.arange(3.0)[None, None])
print(x.flatten().tolist(), torchvision.ops.MLP(3, [2])(x).shape[-1])
print(torchvision.models.resnet18(num_classes=4).fc.out_features)
try:
    torchvision.ops.nms(torch.zeros(1, 4), torch.ones(1), 0.5)
except RuntimeError as error:
    print("no nms")
"""
    assert output_of(code) == ["[2.0, 1.0, 0.0] 2", "4", "no nms"]


@pytest.mark.slow
def test_operators_that_exist_are_left_alone_and_declared_ones_still_fail() -> None:
    code = f"""
import sgdlab, torch
torch.library.define("torchvision::nms", "{SCHEMA}")
torch.library.impl("torchvision::nms", "cpu", lambda dets, scores, t: scores.long())
import torchvision.datasets
print(torch.ops.torchvision.nms(torch.tensor([[0., 0, 1, 1]]), torch.ones(1), 0.5).tolist())
try:
    torch.ops.torchvision.qnms(torch.zeros(1, 4), torch.ones(1), 0.5)
except NotImplementedError:
    print("no qnms")
"""
    assert output_of(code) == ["[1]", "no qnms"]


def test_nothing_is_imported_or_declared_for_those_who_need_no_torchvision() -> None:
    code = """
import sys
import sgdlab
print("torch" in sys.modules)
import torch
print("torchvision" in sys.modules, hasattr(torch.ops.torchvision, "nms"))
"""
    assert output_of(code) == ["False", "False False"]


def test_other_failures_of_torchvision_are_not_hidden(tmp_path: Path) -> None:
    write(tmp_path / "torchvision" / "__init__.py", "raise RuntimeError('disk on fire')")
    code = """
import sgdlab
try:
    import torchvision
except RuntimeError as error:
    print(error)
"""
    assert output_of(code, tmp_path) == ["disk on fire"]


PARTS = """
    import torch
    from torchvision.transforms import v2  # at the top, before sgdlab thinks of torchvision


    def photos():
        x = torch.rand(40, 3, 32, 32, generator=torch.manual_seed(0))
        return v2.functional.horizontal_flip(x), torch.arange(40) % 4
"""


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "stacked"])
def test_models_and_transforms_come_by_yaml_alone(tmp_path: Path, launcher: str) -> None:
    """In the process of the command, in workers, and where a stack is asked for."""
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    write(tmp_path / "my/photo_parts.py", PARTS)
    write(tmp_path / "my/dataset/photos.yaml", "_target_: photo_parts.photos\n")
    write(
        tmp_path / "my/model/resnet.yaml",
        "_target_: torchvision.models.resnet18\nweights: null\nnum_classes: 4\n",
    )
    arguments = [
        "train", "-m", "--config-dir", "my", "dataset=photos", "model=resnet", "batch_size=8",
        "max_steps=1", "schedule=constant", f"hydra/launcher={launcher}", "seed=0,1", "study=s",
    ]  # fmt: skip
    code = f"import sys\nfrom sgdlab.cli import main\nsys.argv = ['sgdlab', *{arguments!r}]\nmain()"
    output_of(code, tmp_path)
    table = rows(tmp_path / "runs/s/runs.csv")
    assert [row["status"] for row in table] == ["completed"] * 2
    assert {row["num_parameters"] for row in table} == {"11178564"}
