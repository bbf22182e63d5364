"""The LSTM against its recurrence, gate by gate."""

import math

import pytest
import torch
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.models.lstm import LSTM
from sgdlab.optimizers.kinds import kinds_of
from sgdlab.optimizers.roles import roles_of

TOKENS = torch.randint(11, (3, 6), generator=torch.Generator().manual_seed(0))


def lstm(depth: int = 2, dropout: float = 0.0) -> LSTM:
    torch.manual_seed(0)
    model = LSTM(input_shape=(6,), num_outputs=11, width=5, depth=depth, dropout=dropout)
    return model.double()


def by_hand(model: LSTM, depth: int) -> Tensor:
    p = dict(model.named_parameters())

    def sigmoid(z: Tensor) -> Tensor:
        return 1 / (1 + torch.exp(-z))

    states = [(torch.zeros(3, 5, dtype=torch.float64),) * 2 for _ in range(depth)]
    outputs = []
    for t in range(6):
        h = p["embedding.weight"][TOKENS[:, t]]
        for layer, (before, cell) in enumerate(states):
            wx, wh, bx, bh = (
                p[f"layers.{n}_l{layer}"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            i, f, g, o = (h @ wx.T + bx + before @ wh.T + bh).chunk(4, dim=1)
            cell = sigmoid(f) * cell + sigmoid(i) * g.tanh()
            h = sigmoid(o) * cell.tanh()
            states[layer] = h, cell
        outputs.append(h @ p["head.weight"].T + p["head.bias"])
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("depth", [1, 2])
def test_an_lstm_equals_its_recurrence_and_its_gradient(depth: int) -> None:
    model = lstm(depth)
    found, expected = model(TOKENS), by_hand(model, depth)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    parameters = list(model.parameters())
    gradients = (
        torch.autograd.grad(logits.square().sum(), parameters) for logits in (found, expected)
    )
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-10)
    size = 11 * 5 + depth * (2 * 4 * 5 * 5 + 2 * 4 * 5) + 5 * 11 + 11
    assert sum(p.numel() for p in parameters) == size
    recurrent = dict(model.named_parameters())["layers.weight_hh_l0"].detach()
    assert float(recurrent.abs().max()) <= 1 / math.sqrt(5)


def test_kinds_and_roles_of_an_lstm_are_known() -> None:
    model = lstm()
    kinds, roles = kinds_of(model), roles_of(model, TOKENS)
    assert kinds["embedding.weight"] == roles["embedding.weight"] == "embedding"
    assert (kinds["head.weight"], roles["head.weight"]) == ("weight", "output")
    assert roles["layers.weight_hh_l1"] == "hidden"
    assert roles["layers.bias_ih_l0"] == "bias"


@pytest.mark.parametrize("depth", [1, 2])
def test_dropout_of_an_lstm_acts_in_training_alone(depth: int) -> None:
    model = lstm(depth, dropout=0.5)
    assert not torch.equal(model(TOKENS), model(TOKENS))
    model.eval()
    assert torch.equal(model(TOKENS), model(TOKENS))


def test_an_lstm_refuses_what_are_no_tokens() -> None:
    with pytest.raises(InputError, match=r"needs tokens \[context\], the inputs are \[8, 8\]"):
        LSTM(input_shape=(8, 8), num_outputs=3)
    with pytest.raises(InputError, match=r"needs tokens \[n, context\]"):
        lstm()(torch.zeros(2, 6))
    with pytest.raises(InputError, match=r"model\.depth=0"):
        lstm(depth=0)
