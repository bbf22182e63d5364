"""Settings typed as other tools take them: the line has the words to type."""

import pytest

from sgdlab.config.mistyped import keys_meant, refuse_apart, refuse_dashes
from sgdlab.errors import InputError


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("--lr 0.1", "lr=0.1"),
        ("--lr=0.1", "lr=0.1"),
        ("-lr 0.1", "lr=0.1"),
        ("--learning-rate 0.1", "lr=0.1"),
        ("--optimizer adamw --batch-size 32", "optimizer=adamw batch_size=32"),
        ("--evaluate-test", "evaluate_test=true"),
        ("-m --seed 1", "seed=1"),
        ("--weight-decay 0.1", "optimizer.weight_decay=0.1"),
        ("epochs=3 --max_epochs 5", "epochs=5"),
    ],
)
def test_dashes_are_refused_with_the_words_to_type(typed: str, right: str):
    with pytest.raises(InputError, match=rf"without dashes: write {right}$"):
        refuse_dashes("train", typed.split())


@pytest.mark.parametrize(
    "typed",
    ["-m lr=1,2", "--multirun", "--config-dir lr", "--cfg job", "--help", "-cn lr", "lr=-1"],
)
def test_flags_of_hydra_are_none(typed: str):
    refuse_dashes("train", typed.split())


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("lr = 0.1", "write lr=0.1"),
        ("lr= 0.1", "write lr=0.1"),
        ("lr =0.1", "write lr=0.1"),
        ("lr 0.1", "write lr=0.1"),
        ("lr:0.1", "write lr=0.1"),
        ("lr: 0.1", "write lr=0.1"),
        ("lr==0.1", "write lr=0.1"),
        ("epochs=2 optimizer nesterov", "write optimizer=nesterov"),
        ("adam", "write optimizer=adam"),
        ("MLP", "write model=mlp"),
        ("linear", "model=linear or scaling=linear or schedule=linear"),
        ("seed=0..4", "-m seed=0,1,2,3,4"),
        ("seed=0-2", "-m seed=0,1,2"),
        ("seed=0..99", r"-m 'seed=range\(0,100\)'"),
    ],
)
def test_parts_that_stand_apart_are_refused_with_the_word(typed: str, right: str):
    with pytest.raises(InputError, match=rf"{right}$"):
        refuse_apart("train", typed.split(), None)


@pytest.mark.parametrize("typed", ["lr=0.1 seed=1", "study=1-2", "~optimizer", "lr= seed=1"])
def test_what_hydra_takes_passes(typed: str):
    refuse_apart("train", typed.split(), None)


VALID = [
    "lr", "epochs", "batch_size", "optimizer", "optimizer.lr", "optimizer.weight_decay",
    "model", "model.hidden", "schedule", "schedule.warmup_epochs", "schedule.warmup_steps",
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("learning_rate", ["lr"]),
        ("optimizer.learning_rate", ["optimizer.lr"]),
        ("weight_decay", ["optimizer.weight_decay"]),
        ("optimizers", ["optimizer"]),
        ("batchsize", ["batch_size"]),
        ("bs", ["batch_size"]),
        ("modle.hidden", ["model.hidden"]),
        ("model.hiden", ["model.hidden"]),
        ("warmup", ["schedule.warmup_epochs"]),
        ("zzz", []),
    ],
)
def test_an_unknown_key_is_read_as_the_nearest(key: str, meant: list[str]):
    assert keys_meant(key, VALID)[:1] == meant
