"""GPT against its formulas, written with exponentials and einsum alone, and its properties."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.losses.auto import auto
from sgdlab.models.attention import Rotary
from sgdlab.models.gpt import GPT
from sgdlab.optimizers.kinds import kinds_of
from sgdlab.optimizers.roles import roles_of

CONTEXT, VOCABULARY = 6, 11
MODERN = {
    "positions": "rotary", "norm": "rms", "activation": "swiglu", "tied": False, "qk_norm": True,
}  # fmt: skip
FORMS: list[dict[str, Any]] = [{}, MODERN, {"positions": "rotary"}, {"tied": False}]


def gpt(**settings: Any) -> GPT:
    torch.manual_seed(0)
    small = {"width": 12, "heads": 2, "depth": 2}
    return GPT(input_shape=(CONTEXT,), num_outputs=VOCABULARY, **{**small, **settings}).double()


def tokens(n: int = 4, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCABULARY, (n, CONTEXT), generator=generator)


class ByHand:
    """The same model from a mapping of its tensors."""

    def __init__(self, model: GPT, heads: int = 2) -> None:
        self.p = {name: t.detach().clone() for name, t in model.named_parameters()}
        self.depth = 1 + max(int(n.split(".")[1]) for n in self.p if n.startswith("blocks"))
        self.heads = heads
        for tensor in self.p.values():
            tensor.requires_grad_()

    def affine(self, name: str, h: Tensor) -> Tensor:
        found = torch.einsum("nti,oi->nto", h, self.p[f"{name}.weight"])
        return found + self.p[f"{name}.bias"] if f"{name}.bias" in self.p else found

    def norm(self, name: str, h: Tensor) -> Tensor:
        if f"{name}.bias" in self.p:
            h = h - h.mean(-1, keepdim=True)
        h = h / ((h * h).mean(-1, keepdim=True) + 1e-5) ** 0.5 * self.p[f"{name}.weight"]
        return h + self.p[f"{name}.bias"] if f"{name}.bias" in self.p else h

    def turned(self, x: Tensor) -> Tensor:
        half = x.shape[-1] // 2
        angles = torch.tensor(
            [[t * 10000 ** (-2 * i / x.shape[-1]) for i in range(half)] for t in range(CONTEXT)],
            dtype=torch.float64,
        )
        z = torch.complex(x[..., :half], x[..., half:]) * torch.exp(1j * angles)
        return torch.cat((z.real, z.imag), -1)

    def attention(self, name: str, h: Tensor) -> Tensor:
        _, t, width = h.shape
        found = []
        for head in range(self.heads):
            size = width // self.heads
            own = slice(head * size, (head + 1) * size)
            q, k, v = (self.affine(f"{name}.{x}", h)[..., own] for x in ("query", "key", "value"))
            if f"{name}.query_norm.weight" in self.p:
                q, k = self.norm(f"{name}.query_norm", q), self.norm(f"{name}.key_norm", k)
            if "positions.weight" not in self.p:
                q, k = self.turned(q), self.turned(k)
            weights = torch.exp(torch.einsum("nid,njd->nij", q, k) / math.sqrt(size))
            weights = weights * torch.ones(t, t, dtype=torch.float64).tril()
            found.append(torch.einsum("nij,njd->nid", weights / weights.sum(-1, True), v))
        return self.affine(f"{name}.out", torch.cat(found, -1))

    def network(self, name: str, h: Tensor) -> Tensor:
        up = self.affine(f"{name}.up", h)
        if f"{name}.gate.weight" in self.p:
            gate = self.affine(f"{name}.gate", h)
            up = gate / (1 + torch.exp(-gate)) * up
        else:
            up = up * (1 + torch.erf(up / math.sqrt(2))) / 2
        return self.affine(f"{name}.out", up)

    def logits(self, x: Tensor) -> Tensor:
        h = self.p["embedding.weight"][x]
        if "positions.weight" in self.p:
            h = h + self.p["positions.weight"]
        for block in (f"blocks.{i}" for i in range(self.depth)):
            h = h + self.attention(f"{block}.attention", self.norm(f"{block}.attention_norm", h))
            h = h + self.network(f"{block}.network", self.norm(f"{block}.network_norm", h))
        head = self.p.get("head.weight", self.p["embedding.weight"])
        return torch.einsum("nti,vi->ntv", self.norm("norm", h), head)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        o = self.logits(x)
        right = (o * torch.eye(VOCABULARY, dtype=torch.float64)[y]).sum(-1)
        return (torch.exp(o).sum(-1).log() - right).sum() / y.numel()


@pytest.mark.parametrize("settings", FORMS, ids=str)
def test_gpt_trains_as_its_formulas_do(settings: dict[str, Any]) -> None:
    model = gpt(**settings)
    by_hand, loss = ByHand(model), auto("language")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for step in range(20):
        x, y = tokens(seed=2 * step), tokens(seed=2 * step + 1)
        value, expected = loss(model(x), y), by_hand.loss(x, y)
        assert value.item() == pytest.approx(expected.item(), abs=1e-10)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        gradients = torch.autograd.grad(expected, list(by_hand.p.values()))
        with torch.no_grad():
            for p, gradient in zip(by_hand.p.values(), gradients, strict=True):
                p -= 0.5 * gradient
        losses.append(value.item())
    assert losses[0] == pytest.approx(math.log(VOCABULARY), abs=0.1)
    assert abs(losses[-1] - losses[0]) > 1e-3
    for name, p in model.named_parameters():
        assert torch.allclose(p, by_hand.p[name], rtol=0, atol=1e-10), name


@pytest.mark.parametrize("settings", FORMS, ids=str)
def test_no_output_depends_on_a_later_token(settings: dict[str, Any]) -> None:
    model, x = gpt(**settings), tokens()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.3 * torch.randn_like(p)
        before = model(x)
        for place in range(CONTEXT):
            changed = x.clone()
            changed[:, place] = (x[:, place] + 1) % VOCABULARY
            after = model(changed)
            assert torch.allclose(after[:, :place], before[:, :place], rtol=0, atol=1e-13)
            assert not torch.allclose(after[:, place], before[:, place], rtol=0, atol=1e-3)
        shorter = model(x[:, :4])
    assert torch.allclose(shorter, before[:, :4], rtol=0, atol=1e-13)


def test_rotary_products_depend_on_the_distance_alone() -> None:
    rotary = Rotary(50, 8)
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 8, generator=generator, dtype=torch.float64).expand(2, 50, 8)
    products = rotary(q) @ rotary(k).T
    for distance in range(-49, 50):
        diagonal = products.diagonal(distance)
        assert torch.allclose(diagonal, diagonal[0].expand_as(diagonal), rtol=0, atol=1e-12)
    assert products.diagonal(1)[0] != products.diagonal(2)[0]
    assert torch.allclose(rotary(q).norm(dim=-1), q.norm(dim=-1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("vocabulary", [11, 256])
@pytest.mark.parametrize("depth", [1, 3])
def test_size_is_that_of_the_formula(vocabulary: int, depth: int) -> None:
    def size(**settings: Any) -> int:
        model = GPT(
            input_shape=(5,), num_outputs=vocabulary, width=12, depth=depth, heads=3, **settings
        )
        return sum(p.numel() for p in model.parameters())

    w, v, c = 12, vocabulary, 5
    attention = 4 * (w * w + w)
    gelu = w * 4 * w + 4 * w + 4 * w * w + w
    assert size() == v * w + c * w + depth * (attention + gelu + 4 * w) + 2 * w
    h = 8 * w // 3
    swiglu = 2 * (w * h + h) + h * w + w
    assert size(**MODERN) == 2 * v * w + depth * (attention + swiglu + 2 * w + 2 * w // 3) + w


def test_weights_start_as_those_of_gpt2() -> None:
    torch.manual_seed(0)
    model = GPT(input_shape=(64,), num_outputs=256, width=128, depth=8, tied=False)
    for name, p in model.named_parameters():
        if p.ndim == 2:
            std = 0.02 / 4 if name.endswith("out.weight") else 0.02
            assert float(p.detach().std()) == pytest.approx(std, rel=0.03), name
        else:
            assert p.detach().unique().tolist() == [float(name.endswith("norm.weight"))], name


@pytest.mark.parametrize("tied", [True, False])
def test_every_parameter_is_known_for_what_it_is(tied: bool) -> None:
    model = gpt(tied=tied, qk_norm=True)
    kinds, roles = kinds_of(model), roles_of(model, tokens())
    for name in kinds:
        if name in ("embedding.weight", "positions.weight"):
            expected = "embedding", "embedding"
        elif name == "head.weight":
            expected = "weight", "output"
        elif name.endswith("bias") and "norm" not in name:
            expected = "bias", "bias"
        else:
            expected = ("norm", "norm") if "norm" in name else ("weight", "hidden")
        assert (kinds[name], roles[name]) == expected, name
    assert ("head.weight" in kinds) is not tied


def test_dropout_acts_in_training_alone() -> None:
    model, x = gpt(dropout=0.5), tokens()
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_one_precision_runs_in_float32() -> None:
    model = gpt(**MODERN)
    double, single = model(tokens()), model.float()(tokens())
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), double, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"heads": 5}, "model.heads=5: must divide model.width=12"),
        ({"heads": 4, "positions": "rotary"}, "leaves 3 features for a head"),
        ({"positions": "rotery"}, "model.positions=rotery: valid: learned, rotary"),
        ({"norm": "batch"}, "model.norm=batch: valid: layer, rms"),
        ({"activation": "relu"}, "model.activation=relu: valid: gelu, swiglu"),
        ({"width": 0}, "model.width=0"),
        ({"dropout": 1}, "model.dropout=1"),
    ],
)
def test_bad_settings_of_a_gpt_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        gpt(**settings)


def test_what_are_no_tokens_is_refused() -> None:
    with pytest.raises(InputError, match=r"needs tokens \[context\], the inputs are \[1, 8, 8\]"):
        GPT(input_shape=(1, 8, 8), num_outputs=3)
    for x in (torch.zeros(2, 6), torch.zeros(2, 7, dtype=torch.int64), tokens()[0]):
        with pytest.raises(InputError, match=r"needs tokens \[n, 6\] or fewer"):
            gpt()(x)
