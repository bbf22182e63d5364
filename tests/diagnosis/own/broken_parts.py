"""Data, losses and models with a fault, as a user might write them by accident."""

import numpy as np
import torch
from torch import nn

from sgdlab.datasets.classification import classification
from sgdlab.datasets.digits import digits


def shuffled_digits(seed=0):
    """Digits whose labels no longer belong to their images."""
    x, y = _pair(digits())
    return x, y[np.random.default_rng(seed).permutation(len(y))]


def shuffled_classes(n=1000, seed=0):
    """Clusters with labels from a list in another order."""
    x, y = _pair(
        classification(
            n_samples=n,
            n_features=20,
            n_informative=10,
            n_redundant=4,
            n_classes=4,
            n_clusters_per_class=2,
            class_sep=1.0,
            flip_y=0.01,
            random_state=0,
        )
    )
    return x, y[np.random.default_rng(seed).permutation(len(y))]


def few_measurements(n=80, features=60, seed=0):
    """Hardly more examples than features, and noise: all of it can be learned by heart."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, features)).astype("float32")
    y = (x[:, :3].sum(1) + 2.0 * rng.normal(size=n)).astype("float32")
    return x, y


def wild_measurements(n=1000, share=0.004, size=60.0, seed=0):
    """A regression in which some examples have a wrong unit."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10)).astype("float32")
    y = x @ rng.normal(size=10) + 0.1 * rng.normal(size=n)
    wrong = rng.random(n) < share
    x[wrong] *= size
    return x.astype("float32"), y.astype("float32")


def _pair(loaded):
    x, y = (loaded.x, loaded.y) if hasattr(loaded, "x") else loaded
    return np.asarray(x), np.asarray(y)


class LogOfSoftmax(nn.Module):
    """Cross-entropy written as the logarithm of a probability that may round to 0."""

    def __init__(self):
        super().__init__()

    def forward(self, output, target):
        chosen = torch.softmax(output, 1).gather(1, target[:, None])
        return -chosen.log().mean()


class RootError(nn.Module):
    """A root whose slope is infinite where the prediction is exact; rounding makes it so."""

    def __init__(self, digits=1):
        super().__init__()
        self.scale = 10.0**digits

    def forward(self, output, target):
        error = (output.reshape(target.shape) - target).abs()
        exact = (error * self.scale).round() / self.scale
        return (error * (exact > 0)).sqrt().mean()


class Level(nn.Module):
    """A loss that does not look at the output."""

    def __init__(self, level=1.0):
        super().__init__()
        self.level = level

    def forward(self, output, target):
        return self.level + 0 * output.sum()


class Margin(nn.Module):
    """The mean margin: without a bound, so that larger weights are always better."""

    def __init__(self):
        super().__init__()

    def forward(self, output, target):
        return -output.gather(1, target[:, None]).mean() + output.mean()


class Detached(nn.Module):
    """Features that are cut off from the loss, and a readout that is multiplied by 0."""

    def __init__(self, num_outputs, width=16):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.ReLU())
        self.readout = nn.Linear(width, num_outputs)

    def forward(self, x):
        return 0 * self.readout(self.body(x).detach())


class Asleep(nn.Module):
    """An MLP whose hidden biases start so low that hardly a unit fires."""

    def __init__(self, num_outputs, width=32, bias=-8.0):
        super().__init__()
        self.first = nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.ReLU())
        self.second = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.readout = nn.Linear(width, num_outputs)
        self.bias = bias
        self.ready = False

    def forward(self, x):
        if not self.ready:
            self.first(x)
            with torch.no_grad():
                self.first[1].bias.fill_(self.bias)
            self.ready = True
        return self.readout(self.second(self.first(x)))
