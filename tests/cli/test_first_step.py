"""Nothing starts that cannot end: one line, exit code 2, and no folder."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, rows, summary, write

PARTS = """
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional as F


    class Head(nn.Module):
        def __init__(self, num_outputs):
            super().__init__()
            self.head = nn.Linear(13, num_outputs)

        def forward(self, x):
            return self.shaped(self.head(x))

        def shaped(self, scores):
            return scores


    class Auxiliary(Head):
        def shaped(self, scores):
            return (scores, scores) if self.training else scores


    class Logits(Head):
        def shaped(self, scores):
            return {"logits": scores, "hidden": scores}


    class TooFew(Head):
        def __init__(self):
            super().__init__(2)


    class TooMany(Head):
        def __init__(self):
            super().__init__(5)


    class Squeezed(Head):
        def shaped(self, scores):
            return scores.squeeze()


    class Float32(Head):
        def forward(self, x):
            return self.head(x) @ torch.eye(3)


    class Sparse(nn.Module):
        def __init__(self, num_outputs):
            super().__init__()
            self.rows = nn.EmbeddingBag(8, num_outputs, sparse=True)

        def forward(self, x):
            return self.rows(torch.zeros(len(x), 2, dtype=torch.long))


    class Detached(Head):
        def shaped(self, scores):
            return scores.detach()


    class Constant(Head):
        def shaped(self, scores):
            return torch.ones(len(scores), 3, requires_grad=True)


    class Broken(Head):
        def shaped(self, scores):
            raise ArithmeticError("no such root")


    class BrokenInEvaluation(Head):
        def shaped(self, scores):
            if not self.training and len(scores) < 10:
                raise ArithmeticError("too few")
            return scores


    def several(output, target):
        return F.cross_entropy(output, target, reduction="none")[:3]


    def text(output, target):
        return "low"


    def raising(output, target):
        raise ArithmeticError("no such loss")


    class Needy(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            assert closure is not None, "needs a closure"
            with torch.enable_grad():
                closure()
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.add_(p.grad, alpha=-group["lr"])


    class Second(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self):
            ps = [p for group in self.param_groups for p in group["params"]]
            torch.autograd.grad([p.grad.sum() for p in ps], ps)


    def twin(name):
        return globals()[name]
"""


@pytest.fixture
def shop(parts: Path) -> Path:
    write(parts / "shop_first.py", PARTS)
    for name in (
        "Auxiliary", "Logits", "TooFew", "TooMany", "Squeezed", "Float32", "Sparse", "Detached",
        "Constant", "Broken", "BrokenInEvaluation",
    ):  # fmt: skip
        write(parts / "model" / f"{name.lower()}.yaml", f"_target_: shop_first.{name}\n")
    for name in ("several", "text", "raising"):
        content = f"_target_: shop_first.twin\nname: {name}\n"
        write(parts / "loss" / f"{name}_loss.yaml", content)
    for name in ("Needy", "Second"):
        content = f"_target_: shop_first.{name}\nlr: 0.1\n"
        write(parts / "optimizer" / f"{name.lower()}.yaml", content)
    closure = "_target_: shop_first.Needy\nlr: 0.1\n_traits_: {takes_closure: true}\n"
    write(parts / "optimizer" / "closed.yaml", closure)
    return parts


REFUSED = {
    "model=auxiliary": ["model=auxiliary", "returned, a tuple of 2", "step(model, batch)"],
    "model=toofew": ["model=toofew", "gives 2 outputs, the data have 3 classes", "num_outputs"],
    "model=squeezed batch_size=107": ["last batch", "of 1 example (106 = n·105 + 1)"],
    "model=sparse": ["model=sparse", "the gradient of rows.weight is sparse"],
    "model=detached": ["model=detached and loss=auto", "no gradient"],
    "model=constant": ["model=constant", "depends on none of its trainable parameters"],
    "model=broken": ["model=broken", "ArithmeticError: no such root"],
    "model=brokeninevaluation eval.batch_size=34": [
        "model=brokeninevaluation or metric=auto: fails in evaluation on [2, 13]", "too few",
    ],
    "loss=several_loss": ["loss=several_loss", "has to return one number", "[3]"],
    "loss=text_loss": ["loss=text_loss", "has to return one number", "str"],
    "loss=raising_loss": ["loss=raising_loss", "ArithmeticError: no such loss"],
    "optimizer=needy": ["optimizer=needy", "needs a closure", "takes_closure: true"],
    "optimizer=second": ["optimizer=second", "create_graph=True"],
    "model=mlp model.batch_norm=true batch_size=105": [
        "the last batch of an epoch, of 1 example", "last_batch=drop or last_batch=merge",
    ],
}  # fmt: skip


@pytest.mark.parametrize("typed", REFUSED)
@pytest.mark.parametrize("command", ["train", "sweep"])
def test_what_cannot_end_is_refused_in_a_line(
    sgdlab: Cli, shop: Path, typed: str, command: str
) -> None:
    typed_at = typed.replace("batch_size=107", "batch_size=105")
    settings = ["--config-dir", shop, *QUICK, "epochs=1", *typed_at.split()]
    if command == "sweep":
        result = sgdlab("train", "-m", *settings, "seed=0,1", "hydra.sweep.dir=out")
    else:
        result = sgdlab("train", *settings, "hydra.run.dir=out")
    assert result.code == 2, result.err
    line = result.err.strip().splitlines()[-1]
    for part in REFUSED[typed]:
        assert part in line, line
    assert "Traceback" not in result.err
    assert not (sgdlab.folder / "out").exists()


def test_outputs_by_name_and_a_closure_that_is_said_train(sgdlab: Cli, shop: Path) -> None:
    plain = sgdlab.train("plain", "epochs=2")
    named = sgdlab.train("named", "model=logits", "epochs=2", parts=shop)
    assert summary(named)["status"] == "completed"
    assert len(rows(named / "steps.csv")) == len(rows(plain / "steps.csv"))
    closed = sgdlab.train("closed", "optimizer=closed", "epochs=2", parts=shop)
    assert summary(closed)["gradient_evaluations"] == summary(closed)["steps"]


def test_outputs_that_stand_for_nothing_are_said(sgdlab: Cli, shop: Path) -> None:
    own = ("--config-dir", shop, *QUICK, "epochs=1")
    result = sgdlab("train", *own, "model=toomany", "hydra.run.dir=run")
    assert result.code == 0
    said = "model=toomany: gives 5 outputs, the data have 3 classes: 2 of them stand for nothing"
    assert f"{said}; let it take num_outputs" in result.err


@pytest.mark.parametrize(("last", "steps", "examples"), [("drop", 1, 105), ("merge", 1, 106)])
def test_a_batch_of_one_is_dropped_or_merged(
    sgdlab: Cli, last: str, steps: int, examples: int
) -> None:
    run = sgdlab.train(
        "run", "model=mlp", "model.batch_norm=true", "batch_size=105", "epochs=3",
        f"last_batch={last}",
    )  # fmt: skip
    assert summary(run)["status"] == "completed"
    made = rows(run / "steps.csv")
    assert len(made) == 3 * steps
    assert [int(row["examples"]) for row in made] == [examples, 2 * examples, 3 * examples]


def test_the_first_step_leaves_no_trace(sgdlab: Cli) -> None:
    """A run that is checked, and one whose check found nothing new, have the same bytes."""
    first = sgdlab.train("first", "model=mlp", "model.dropout=0.5", "epochs=2")
    second = sgdlab.train("second", "model=mlp", "model.dropout=0.5", "epochs=2")
    assert (first / "steps.csv").read_bytes() == (second / "steps.csv").read_bytes()
