"""Metrics of language models against probabilities multiplied by hand, whatever the batch."""

import math

import pytest
import torch
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.losses.auto import auto as auto_loss
from sgdlab.metrics.auto import accuracy, auto
from sgdlab.metrics.base import Metric, Scale
from sgdlab.metrics.of_tokens import bits_per_byte, bits_per_token, perplexity

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 3 * torch.randn(12, 5, 7, generator=GENERATOR, dtype=torch.float64)
TOKENS = torch.randint(7, (12, 5), generator=GENERATOR)


def value_of(metric: Metric, size: int, target: Tensor = TOKENS, scale: float = 1.0) -> float:
    metric.begin(torch.device("cpu"))
    for o, y in zip(LOGITS.split(size), target.split(size), strict=True):
        metric.add(o * scale, y)
    return metric.value(0.0)


def probabilities() -> list[float]:
    found = []
    for window, targets in zip(LOGITS.tolist(), TOKENS.tolist(), strict=True):
        for scores, token in zip(window, targets, strict=True):
            found.append(math.exp(scores[token]) / math.fsum(map(math.exp, scores)))
    return found


@pytest.mark.parametrize("size", [1, 5, 12])
def test_token_metrics_are_the_likelihood_of_the_text(size: int) -> None:
    likelihood = math.prod(probabilities())
    expected = likelihood ** (-1 / 60)
    for metric in (perplexity("language"), auto("language", Scale(), 0.0)):
        assert (metric.name, metric.direction) == ("perplexity", "min")
        assert value_of(metric, size) == pytest.approx(expected, rel=1e-12)
    for metric in (bits_per_token("language"), bits_per_byte("language", "byte")):
        assert value_of(metric, size) == pytest.approx(-math.log2(likelihood) / 60, rel=1e-12)
    right = [row.index(max(row)) for window in LOGITS.tolist() for row in window]
    hits = sum(a == b for a, b in zip(right, TOKENS.flatten().tolist(), strict=True))
    assert value_of(accuracy("language"), size) == hits / 60


def test_the_loss_of_a_language_is_the_mean_over_tokens() -> None:
    loss = auto_loss("language")
    expected = -math.fsum(map(math.log, probabilities())) / 60
    assert float(loss(LOGITS, TOKENS)) == pytest.approx(expected, rel=1e-13)
    with pytest.raises(InputError, match=r"gives \[12, 7\] for tokens \[12, 5\]"):
        loss(LOGITS[:, 0], TOKENS)


def test_uniform_predictions_have_the_perplexity_of_the_vocabulary() -> None:
    assert value_of(perplexity("language"), 5, scale=0.0) == pytest.approx(7, rel=1e-14)
    assert value_of(perplexity("language"), 5, scale=1e6) == math.inf


def test_ignored_tokens_count_nowhere() -> None:
    target = TOKENS.clone()
    target[3:] = -100
    metric = perplexity("language")
    expected = math.prod(probabilities()[:15]) ** (-1 / 15)
    assert value_of(metric, 5, target) == pytest.approx(expected, rel=1e-12)


def test_token_metrics_are_refused_where_they_mean_nothing() -> None:
    with pytest.raises(InputError, match="metric=perplexity: is for language; for cl"):
        perplexity("classification")
    with pytest.raises(InputError, match="metric=bits_per_token: is for language; for cu"):
        bits_per_token("custom")
    with pytest.raises(InputError, match=r"a character stands for is not known; dataset\.tok"):
        bits_per_byte("language", "character")
    with pytest.raises(InputError, match=r"how many bytes a token stands .* Examples\(token_bytes"):
        bits_per_byte("language", None)
    with pytest.raises(InputError, match=r"outputs \[12, 5, 7\] do not fit targets \[12, 4\]"):
        perplexity("language").add(LOGITS, TOKENS[:, :4])
