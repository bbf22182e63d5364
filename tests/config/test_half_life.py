"""β₂ by its half-life: by the formula, the same run as with that number typed, and refusals."""

import pytest

from sgdlab.config.compose.one import compose_run
from sgdlab.errors import InputError
from sgdlab.snippet import snippet
from trainer_runs import train

TEXT = ("dataset=text", "model=gpt", "dataset.context=32")


@pytest.mark.parametrize(("batch", "accumulate"), [(1, 1), (16, 1), (16, 4), (512, 1)])
def test_the_memory_in_tokens_is_the_same_at_every_batch_size(batch: int, accumulate: int) -> None:
    sizes = f"batch_size={batch}", f"accumulate={accumulate}"
    config = compose_run(*TEXT, *sizes, "optimizer=adamw", "half_life_tokens=1e5")
    beta1, beta2 = config.optimizer["betas"]
    updates = 1e5 / (batch * accumulate * 32)
    assert beta1 == 0.9
    assert beta2**updates == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("optimizer", "key", "others"),
    [
        ("adamw", "betas", [0.9]), ("muon", "adamw_betas", [0.9]), ("lamb", "betas", [0.9]),
        ("adan", "betas", [0.98, 0.92]), ("rmsprop", "alpha", None),
    ],
)  # fmt: skip
def test_examples_count_where_there_are_no_tokens(
    optimizer: str, key: str, others: list[float] | None
) -> None:
    config = compose_run(f"optimizer={optimizer}", "batch_size=50", "half_life_tokens=100")
    found, beta2 = config.optimizer[key], 2**-0.5
    assert found == (beta2 if others is None else [*others, beta2])


def test_a_run_is_that_with_the_number_typed_bit_for_bit() -> None:
    common = ("dataset=wine", "optimizer=adam", "batch_size=16", "epochs=2", "device=cpu")
    outcome, rows, run = train(*common, "half_life_tokens=50", "optimizer.betas=[0.8,null]")
    typed = f"optimizer.betas=[0.8,{2 ** (-16 / 50)!r}]"
    _, twin, _ = train(*common, typed)
    assert outcome.status == "completed"
    assert rows.step_rows == twin.step_rows
    text = snippet(run.config.plain())
    assert f"betas=(0.8, {2 ** (-16 / 50)!r})" in text
    assert "half-life of 50 tokens" in text


REFUSED = [
    (("optimizer=sgd",), "SGD has no β₂"),
    (("optimizer=lion",), "Lion has no β₂"),
    (("optimizer=adam", "batch_size=full"), "give batch_size a number"),
    (("optimizer=adam", "optimizer.betas=[0.8,0.9]"), "disagree on β₂"),
    (("optimizer=adam", "half_life_tokens=0"), "must be a number above 0"),
    (("optimizer=adam", "half_life_tokens=1e30"), "so long that β₂ is 1"),
    (("optimizer=adam", "optimizer._target_=torch.optim.NoSuch"), "where NoSuch has its β₂"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_what_has_no_such_number_is_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compose_run("half_life_tokens=1000", *overrides)
