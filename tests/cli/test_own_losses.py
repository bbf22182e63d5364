"""Losses, data and metrics of the user's own, end to end, against torch by hand."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runs import Cli, rows, summary, write

from sgdlab.datasets.split import prepare

PARTS = """
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional as F
    from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

    from sgdlab.datasets import Examples


    def draw(n=120):
        g = np.random.default_rng(0)
        x = g.standard_normal((n, 3))
        return x, g.poisson(np.exp(1 + 0.5 * x[:, 0])), (x @ [1, 2, 3] > 0).astype(int)


    def counts():
        x, y, _ = draw()
        return x, y.astype(float)


    def labels():
        x, _, _ = draw()
        return x, (x > [0.0, 0.5, 1.0]).astype(float)


    def two():
        x, _, y = draw()
        return x, y


    def rare():
        x, _, y = draw()
        return x, (x[:, 0] > 1.2).astype(int)


    def weighted():
        x, _, y = draw()
        return Examples(x, y, weight=1.0 + (np.arange(len(y)) % 3))


    def pairs():
        x, _, y = draw()
        x, y = torch.tensor(x), torch.tensor(y)
        return TensorDataset(x[:90], y[:90]), TensorDataset(x[90:], y[90:])


    class Named(Dataset):
        def __len__(self):
            return 120

        def __getitem__(self, index):
            x, _, y = draw()
            return {"inputs": x[index].astype("float32"), "labels": int(y[index])}


    class Random(Named):
        def __getitem__(self, index):
            x, _, y = draw()
            return x[index] + np.random.rand(3), int(y[index])


    class Stream(IterableDataset):
        def __iter__(self):
            x, _, y = draw()
            return zip(x.astype("float32"), y.tolist())


    def loader():
        return DataLoader(Stream(), batch_size=7)


    class ByName(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, inputs):
            return {"logits": self.head(inputs)}


    class OneLogit(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 1)

        def forward(self, x):
            return self.head(x)[:, 0]


    def logistic(output, target):
        return F.binary_cross_entropy_with_logits(output, target.to(output.dtype))


    def balanced(output, target):
        weight = torch.tensor([0.5, 10.0], dtype=output.dtype)
        return F.cross_entropy(output, target, weight=weight)


    class Uncertain(nn.Module):
        scale_free = True

        def __init__(self):
            super().__init__()
            self.log_var = nn.Parameter(torch.tensor(3.0))

        def forward(self, output, target):
            squares = (output - target.reshape(output.shape)).square()
            return 0.5 * (squares * torch.exp(-self.log_var) + self.log_var).mean()


    def step(model, batch):
        scores = model(batch["inputs"])["logits"]
        right = (scores.argmax(1) == batch["labels"]).float().mean()
        return F.cross_entropy(scores, batch["labels"]), {"right": right}


    def error_rate(output, target):
        return (output.argmax(1) != target).double().mean()
"""

MEMBERS = {
    "dataset/counts": "_target_: shop_losses.counts",
    "dataset/labels": "_target_: shop_losses.labels",
    "dataset/two": "_target_: shop_losses.two",
    "dataset/rare": "_target_: shop_losses.rare",
    "dataset/weighted": "_target_: shop_losses.weighted",
    "dataset/pairs": "_target_: shop_losses.pairs",
    "dataset/named": "_target_: shop_losses.Named",
    "dataset/random": "_target_: shop_losses.Random",
    "dataset/loaded": "_target_: shop_losses.loader",
    "model/byname": "_target_: shop_losses.ByName",
    "model/onelogit": "_target_: shop_losses.OneLogit",
    "loss/logistic": "_target_: shop_losses.logistic",
    "loss/balanced": "_target_: shop_losses.balanced",
    "loss/uncertain": "_target_: shop_losses.Uncertain",
    "loss/stepped": "_target_: shop_losses.step",
    "loss/rounded": "_target_: torch.nn.functional.huber_loss\ndelta: 0.5",
    "loss/summed": "_target_: torch.nn.CrossEntropyLoss\nreduction: sum",
    "loss/weights": (
        "_target_: torch.nn.CrossEntropyLoss\n"
        "weight:\n  _target_: torch.tensor\n  data: [0.5, 10.0]"
    ),
    "metric/errors": "_target_: shop_losses.error_rate\n_traits_: {direction: min}",
    "metric/f1": "_target_: torchmetrics.classification.MulticlassF1Score\nnum_classes: 2",
}


@pytest.fixture
def shop(parts: Path) -> Path:
    write(parts / "shop_losses.py", PARTS)
    for name, content in MEMBERS.items():
        write(parts / f"{name}.yaml", content + "\n")
    return parts


LONG = ("optimizer=lbfgs", "batch_size=full", "lr=1", "schedule=constant", "epochs=40")


def test_counts_reach_the_optimum_of_the_poisson_model(sgdlab: Cli, shop: Path) -> None:
    from sklearn.linear_model import PoissonRegressor

    run = sgdlab.train(
        "run", "dataset=counts", "task=counts", "model=linear", *LONG, "dtype=float64", parts=shop
    )
    g = np.random.default_rng(0)
    x = g.standard_normal((120, 3))
    y = g.poisson(np.exp(1 + 0.5 * x[:, 0])).astype(float)
    data = prepare((x, y), name="counts", seed=0, val=0.2, test=0.2, task="counts")
    train, counted = data.train.x.numpy(), data.train.y[:, 0].numpy()
    best = PoissonRegressor(alpha=0, tol=1e-12, max_iter=1000).fit(train, counted).predict(train)
    found = float(summary(run)["final_train_loss"])
    assert found == pytest.approx(float((best - counted * np.log(best)).mean()), abs=1e-6)
    assert found < 0
    assert summary(run)["metric"] == "deviance"


def test_labels_of_0_and_1_are_asked_for_and_never_standardised(sgdlab: Cli, shop: Path) -> None:
    own = ("--config-dir", shop, "dataset=labels", "model=linear", "hydra.run.dir=run")
    result = sgdlab("train", *own)
    assert result.code == 2
    assert "set task=multilabel or task=regression" in result.err
    run = sgdlab.train("several", "dataset=labels", "task=multilabel", "model=linear", parts=shop)
    losses = [float(row["loss"]) for row in rows(run / "steps.csv")]
    assert min(losses) > 0
    assert float(summary(run)["final_val_metric"]) > 0.5


@pytest.mark.parametrize("loss", ["bce", "logistic"])
def test_one_logit_is_judged_by_its_sign(sgdlab: Cli, shop: Path, loss: str) -> None:
    model = ["model=linear"] if loss == "bce" else ["model=onelogit"]
    run = sgdlab.train("run", "dataset=two", f"loss={loss}", *model, *LONG, parts=shop)
    assert float(summary(run)["final_val_metric"]) > 0.9
    assert float(summary(run)["final_train_loss"]) < 0.1


def test_a_loss_that_is_no_mean_is_told_and_refused_with_accumulation(
    sgdlab: Cli, shop: Path
) -> None:
    own = ("--config-dir", shop, "dataset=rare", "model=linear", "loss=balanced", "max_steps=2")
    told = sgdlab("train", *own, "hydra.run.dir=one")
    assert told.code == 0
    assert "loss=balanced: not a mean over examples" in told.err
    refused = sgdlab("train", *own, "batch_size=10", "accumulate=3", "hydra.run.dir=three")
    assert refused.code == 2
    assert "weight_of(target), or reduction=none" in refused.err
    assert not (sgdlab.folder / "three").exists()
    summed = sgdlab("train", *own, "loss=summed", "hydra.run.dir=four")
    assert summed.code == 2
    assert "loss=summed: reduction=sum: a loss has to be a mean" in summed.err


def first(run: Path, column: str) -> float:
    return float(rows(run / "steps.csv")[0][column])


@pytest.mark.parametrize("data", ["dataset=rare", "dataset=weighted"])
def test_class_weights_and_weights_of_examples_accumulate_exactly(
    sgdlab: Cli, shop: Path, data: str
) -> None:
    common = (data, "model=linear", "loss=weights", "dtype=float64", "max_steps=4")
    one = sgdlab.train("one", *common, "batch_size=60", parts=shop)
    ragged = sgdlab.train(
        "ragged", *common, "batch_size=10", "accumulate=6", "eval.batch_size=5", parts=shop
    )
    assert first(ragged, "loss") == pytest.approx(first(one, "loss"), rel=1e-12)
    assert first(ragged, "grad_norm") == pytest.approx(first(one, "grad_norm"), rel=1e-12)
    a, b = (rows(run / "evals.csv")[0]["loss"] for run in (one, ragged))
    assert float(b) == pytest.approx(float(a), rel=1e-12)


def test_parameters_of_a_loss_are_trained_and_said(sgdlab: Cli, shop: Path) -> None:
    own = ("dataset=diabetes", "model=linear", "loss=uncertain", "lr=0.1", "epochs=60")
    result = sgdlab("train", "--config-dir", shop, *own, "hydra.run.dir=run")
    assert result.code == 0
    assert "loss=uncertain: 1 parameter of its own, trained" in result.err
    assert float(summary(sgdlab.folder / "run")["final_train_loss"]) < 0.3


def test_a_loss_of_a_package_is_named_by_its_function(sgdlab: Cli, shop: Path) -> None:
    own = ("dataset=diabetes", "model=linear", "loss=rounded", "lr=0.1", "epochs=2")
    result = sgdlab("train", "--config-dir", shop, *own, "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert "loss=rounded does not say that it is scale-free" in result.err
    asked = sgdlab(
        "train", "--config-dir", shop, *own, "standardize.targets=true", "hydra.run.dir=asked"
    )
    assert "scale-free" not in asked.err
    at_zero = float(rows(sgdlab.folder / "asked" / "evals.csv")[0]["loss"])
    assert at_zero < 1.0  # in deviations, not in the units of the data


@pytest.mark.parametrize("data", ["pairs", "loaded"])
def test_datasets_of_torch_are_read(sgdlab: Cli, shop: Path, data: str) -> None:
    run = sgdlab.train("run", f"dataset={data}", "model=linear", "epochs=1", parts=shop)
    examples = {"pairs": 72, "loaded": 72}[data]
    assert int(summary(run)["examples"]) == examples


def test_a_mapping_reaches_the_model_and_a_step_by_its_names(sgdlab: Cli, shop: Path) -> None:
    own = ("dataset=named", "model=byname", "epochs=2", "dtype=float64")
    plain = sgdlab.train("plain", *own, parts=shop)
    stepped = sgdlab.train(
        "stepped", *own, "loss=stepped", "metric=reported", "metric.name=right",
        "metric.direction=max", parts=shop,
    )  # fmt: skip
    a, b = ([row["loss"] for row in rows(run / "steps.csv")] for run in (plain, stepped))
    assert a == b
    assert float(summary(stepped)["final_val_metric"]) == pytest.approx(
        float(summary(plain)["final_val_metric"]), abs=1e-7
    )
    assert summary(stepped)["metric"] == "right"


def test_an_example_that_changes_is_read_anew_and_follows_the_seed(sgdlab: Cli, shop: Path) -> None:
    own = ("dataset=random", "model=linear", "epochs=2")
    first, second = (sgdlab.train(name, *own, parts=shop) for name in ("first", "second"))
    assert (first / "steps.csv").read_bytes() == (second / "steps.csv").read_bytes()
    other = sgdlab.train("other", *own, "seed=1", parts=shop)
    assert (first / "steps.csv").read_bytes() != (other / "steps.csv").read_bytes()


def test_a_metric_of_ones_own_ranks_and_selects(sgdlab: Cli, shop: Path) -> None:
    own = ("--config-dir", shop, "dataset=two", "model=linear", "metric=errors")
    result = sgdlab("train", "-m", *own, "lr=0.0001,0.5", "epochs=2", "hydra.sweep.dir=out")
    assert result.code == 0, result.err
    with (sgdlab.folder / "out" / "runs.csv").open() as file:
        table = list(csv.DictReader(file))
    assert {(row["metric"], row["metric_direction"]) for row in table} == {("errors", "min")}
    f1 = sgdlab.train("f1", *own[2:4], "metric=f1", *LONG[:4], "epochs=5", parts=shop)
    assert summary(f1)["metric_direction"] == "max"
    assert 0.5 < float(summary(f1)["final_val_metric"]) <= 1
    assert torch.tensor(float(summary(f1)["final_val_metric"])).isfinite()
