"""The family of reference rules against torch's own optimizers, and the gradients that both see."""

import dataclasses

import numpy as np
import pytest
import torch

from sgdlab.conform.cases import ConformCase, batch, cases, in_float64
from sgdlab.conform.kinds import KINDS
from sgdlab.conform.lockstep import Lockstep, follow
from sgdlab.conform.rule import ReferenceRule
from sgdlab.conform.sides import side_of
from sgdlab.conform.switches import STAGES, WORDS, alternatives
from sgdlab.conform.tape import flat, tape_of
from sgdlab.conform.templates import paced, templates
from sgdlab.conform.trajectory import weights_after

ADAM = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "dampening": None, "first_whole": False}
ADAM |= {"square": "average", "correction": "both"}
SQUARES = {"beta2": 0.9, "eps": 1e-3, "square": "average", "normalised_first": True}

ADAFACTOR = {"square": "average", "epsilon": "floor", "eps": 1e-30, "decay": "decoupled"}
ADAFACTOR |= {"factored": True, "growing": True, "rms_scaled": True, "capped": True}

MEMBERS = {
    "SGD momentum=0.7 dampening=0.3": ReferenceRule(0.1, 0.7, dampening=0.3),
    "SGD momentum=0.7 nesterov=true": ReferenceRule(0.1, 0.7, nesterov=True),
    "SGD maximize=true": ReferenceRule(0.1, ascends=True),
    "Adam betas=[0.8,0.95] eps=1e-3": ReferenceRule(0.1, **ADAM),
    "Adam betas=[0.8,0.95] eps=1e-3 amsgrad=true": ReferenceRule(0.1, **{**ADAM, "square": "max"}),
    "AdamW betas=[0.8,0.95] eps=1e-3": ReferenceRule(0.1, **ADAM, decay="decoupled"),
    "Adamax betas=[0.8,0.95] eps=1e-3": ReferenceRule(
        0.1, **{**ADAM, "square": "infinity", "correction": "first"}
    ),
    "RMSprop alpha=0.9 eps=1e-3 momentum=0.7": ReferenceRule(0.1, 0.7, **SQUARES),
    "RMSprop alpha=0.9 eps=1e-3 centered=true": ReferenceRule(
        0.1, **{**SQUARES, "square": "centred"}
    ),
    "Adafactor eps=[1e-30,1e-3] d=1.5": ReferenceRule(0.1, **ADAFACTOR, bound="rms", bound_at=1.5),
    "Adagrad eps=1e-3 initial_accumulator_value=0.5": ReferenceRule(
        0.1, eps=1e-3, square="sum", square_start=0.5
    ),
}


@pytest.fixture(scope="module")
def tried() -> list[ConformCase]:
    with in_float64():
        return cases(8)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_rule_is_torchs(member: str, tried: list[ConformCase]) -> None:
    side = side_of(f"torch.optim.{member} lr=0.1 weight_decay=0.2")
    rule = dataclasses.replace(MEMBERS[member], weight_decay=0.2)
    trial = Lockstep(side, side, tried)
    with in_float64():
        for case in tried:
            tape = tape_of(case, ())
            seen = [flat(w) for w in follow(trial, side, case)]
            made = list(weights_after(rule, case, tape))
            assert np.abs(seen[-1] - tape.start).max() > 1e-6
            np.testing.assert_allclose(made, seen, rtol=0, atol=1e-12)


def test_gradients_are_those_of_the_network(tried: list[ConformCase]) -> None:
    """Of the first step, by central differences."""
    case = tried[0]
    with in_float64():
        model = case.model()
        x, y = batch(0)
        for name, p in model.named_parameters():
            place = (0,) * p.ndim
            loss = []
            for h in (1e-5, -1e-5):
                other = case.model()
                with torch.no_grad():
                    dict(other.named_parameters())[name][place] += h
                loss.append(torch.nn.functional.cross_entropy(other(x), y).item())
            slope = (loss[0] - loss[1]) / 2e-5
            assert float(case.gradients[0][name][place]) == pytest.approx(slope, abs=1e-8)


def test_there_is_a_tensor_of_every_kind(tried: list[ConformCase]) -> None:
    shapes = {name: p.ndim for name, p in tried[0].model().named_parameters()}
    assert {kind: shapes[name] for kind, name in KINDS.items()} == {
        "embedding": 2, "kernel": 4, "matrix": 2, "bias": 1, "scalar": 0,
    }  # fmt: skip
    tied = next(case for case in tried if case.tied).model()
    assert tied.output.weight is tied.table.weight


def test_cases_are_what_they_are_called(tried: list[ConformCase]) -> None:
    of = {case.name: case for case in tried}
    plain = of["no decay"].gradients
    for name, factor in (("large gradients", 100), ("small gradients", 1e-4)):
        # The first gradients are those of the same weights.
        for tensor, g in of[name].gradients[0].items():
            torch.testing.assert_close(g, factor * plain[0][tensor], rtol=1e-12, atol=0)
    norms = [sum(float(g.square().sum()) for g in gs.values()) ** 0.5 for gs in plain]
    clipped = of["clipped gradients"].gradients
    assert min(norms) > 0.1
    for gs in clipped:
        assert sum(float(g.square().sum()) for g in gs.values()) ** 0.5 == pytest.approx(0.1)
    assert of["no gradients"].gradients[1]["kernel.weight"] is None
    assert not of["zero gradients"].gradients[1]["hidden.weight"].any()
    factors = of["schedule"].factors
    assert factors[0] < factors[1] == 1.0
    assert factors[-1] == 0.1


def test_every_switch_has_words_and_is_tried_in_one_stage(tried: list[ConformCase]) -> None:
    rule = ReferenceRule(0.1)
    for name, words in WORDS.items():
        assert getattr(rule, name) in words, name
    kinds = [rule, *templates({"switch_tolerance": 1e-3}, 0.1), *paced({}, 0.1)]
    kinds.append(dataclasses.replace(rule, square="average", growing=True, rms_scaled=True))
    places = [
        {key for each in kinds for c in alternatives(each, {}, k) for key in c}
        for k in range(len(STAGES))
    ]
    assert set(WORDS) <= set.union(*places)
    assert sum(map(len, places)) == len(set.union(*places))
    named = [name for names, _, _ in STAGES for name in names]
    assert sorted(named) == sorted(case.name for case in tried)
