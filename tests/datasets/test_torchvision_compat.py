import subprocess
import sys
from typing import Any

import pytest
import torch

from sgdlab.datasets.torchvision_compat import import_torchvision

HALF_DECLARED = """
import sys, torch
schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
torch.library.define("torchvision::nms", schema)
torch.library.impl("torchvision::nms", "cpu", lambda dets, scores, t: scores.long())
from sgdlab.datasets.torchvision_compat import import_torchvision
datasets = import_torchvision()
assert datasets is import_torchvision() is sys.modules["torchvision.datasets"]
boxes, scores = torch.tensor([[0., 0, 1, 1]]), torch.ones(1)
print(torch.ops.torchvision.nms(boxes, scores, 0.5).tolist())
try:
    torch.ops.torchvision.qnms(boxes, scores, 0.5)
except NotImplementedError:
    print("no qnms")
"""


@pytest.mark.skipif(torch.version.cuda is not None, reason="torchvision's own operators load here")
def test_operators_that_exist_are_left_alone_and_declared_ones_still_fail() -> None:
    ran = subprocess.run([sys.executable, "-c", HALF_DECLARED], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split("\n")[:2] == ["[1]", "no qnms"]


def test_other_failures_of_torchvision_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("disk on fire")

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("builtins.__import__", broken)
    with pytest.raises(RuntimeError, match="disk on fire"):
        import_torchvision()
