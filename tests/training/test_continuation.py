"""A run that goes on from the end of a shorter one ends as one that was made at once."""

from pathlib import Path

import pytest
import torch

from sgdlab.errors import InputError
from sgdlab.results import read_summary
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.run import train_run
from trainer_runs import built, config_of

# 106 examples in batches of 32: 4 updates an epoch.
SMALL = ("dataset=wine", "model.hidden=[6]", "model.dropout=0.3", "batch_size=32")
COSINE = "schedule=cosine schedule.warmup_epochs=0"
KEPT = ("checkpoint.final=true", "save_final=true")


def made(folder: Path, *overrides: str) -> Path:
    row = train_run(config_of(*SMALL, *overrides), folder, NoDisplay())
    assert row["status"] == "completed", row["reason"]
    return folder


def without_time(path: Path) -> list[list[str]]:
    rows = [line.split(",") for line in path.read_text().splitlines()]
    time = rows[0].index("train_seconds")
    return [row[:time] + row[time + 1 :] for row in rows]


GOES_ON = [
    ("schedule=constant", "epochs=3", "epochs=6"),
    ("schedule=constant", "max_steps=9", "max_steps=22"),  # within an epoch
    ("schedule=constant eval.every=2", "epochs=3", "epochs=5"),
    ("schedule=step schedule.step_size=2", "epochs=3", "epochs=7"),
    (
        "schedule=inverse_time average=ema average.decay=0.9",
        "epochs=2",
        "max_steps=17",
    ),
    ("schedule=plateau schedule.patience=0 lr=0.5", "max_steps=10", "epochs=6"),
    ("schedule=constant model.batch_norm=true average=swa average.start=0", "epochs=2", "epochs=4"),
    ("schedule=constant optimizer=schedule_free_sgd", "max_steps=7", "epochs=4"),
    ("schedule=constant staleness.delay=3 checkpoint.every=3", "max_steps=7", "epochs=3"),
    ("schedule=constant diagnostics=business", "epochs=2", "epochs=3"),
]


@pytest.mark.parametrize(("common", "short", "long"), GOES_ON)
def test_a_longer_run_goes_on_to_the_same_files(
    common: str, short: str, long: str, tmp_path: Path
) -> None:
    first = made(tmp_path / "first", *common.split(), short, *KEPT)
    onward = (*common.split(), long, "save_final=true")
    second = made(tmp_path / "second", *onward, f"continue_from={first}")
    whole = made(tmp_path / "whole", *onward)
    assert (second / "steps.csv").read_bytes() == (whole / "steps.csv").read_bytes()
    assert without_time(second / "evals.csv") == without_time(whole / "evals.csv")
    ids = [(read_summary(folder) or {})["run_id"] for folder in (first, second, whole)]
    assert ids[0] != ids[1] == ids[2]
    for name in ("final.pt", "final_average.pt"):
        assert (second / name).exists() == (whole / name).exists()
        if (whole / name).exists():
            found, expected = (torch.load(f / name, weights_only=True) for f in (second, whole))
            assert all(torch.equal(found[key], expected[key]) for key in expected)
            built(*SMALL, *onward).model.load_state_dict(found)


@pytest.mark.parametrize(
    ("short", "long", "reason"),
    [
        (COSINE, f"{COSINE} epochs=6", "gives lr .* which was made with"),
        ("schedule=constant", "schedule=one_cycle epochs=6", "schedule=one_cycle over 24 steps"),
        ("schedule=constant", "schedule=constant epochs=2", "it has 12 steps already, this one 8"),
        ("schedule=constant", "schedule=constant lr=0.3 epochs=6", "it has optimizer.lr="),
        (
            "schedule=constant",
            "schedule=constant seed=1 epochs=6",
            "it has seed=0, this one seed=1",
        ),
        ("schedule=constant", "schedule=constant model.hidden=[7] epochs=6", "model.hidden="),
        (
            "schedule=constant average=polyak average.start=0.5",
            "schedule=constant average=polyak average.start=0.5 epochs=6",
            "average=polyak starts at a fraction",
        ),
        (
            "schedule=constant average=ema",
            "schedule=constant average=ema epochs=6",
            "the memory of average=ema follows the length",
        ),
    ],
)
def test_a_run_that_would_have_been_another_is_refused(
    short: str, long: str, reason: str, tmp_path: Path
) -> None:
    first = made(tmp_path / "first", "epochs=3", *short.split(), *KEPT)
    with pytest.raises(InputError, match=f"continue_from=.*{reason}"):
        made(tmp_path / "second", *long.split(), f"continue_from={first}")
    assert not (tmp_path / "second").exists()


def test_what_is_no_end_of_a_run_is_refused(tmp_path: Path) -> None:
    onward = ("schedule=constant", "epochs=3")
    with pytest.raises(InputError, match="no finished run there"):
        made(tmp_path / "second", *onward, f"continue_from={tmp_path}")
    plain = made(tmp_path / "plain", "schedule=constant", "epochs=2")
    with pytest.raises(
        InputError, match=r"repeat it with checkpoint[.]final=true and resume=false"
    ):
        made(tmp_path / "second", *onward, f"continue_from={plain}")
    first = made(tmp_path / "first", "schedule=constant", "epochs=2", *KEPT)
    state = torch.load(first / "checkpoint.pt", weights_only=True)
    state["evidence"]["data"] = "0" * 64
    torch.save(state, first / "checkpoint.pt")
    with pytest.raises(InputError, match=r"made with other data .fingerprint 00000000"):
        made(tmp_path / "second", *onward, f"continue_from={first}")
    made(tmp_path / "second", *onward, f"continue_from={first}", "stale=keep")


def test_a_run_killed_before_its_last_evaluation_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sgdlab.training import loop

    common = ("schedule=constant", "epochs=2", "checkpoint.final=true")
    whole = made(tmp_path / "whole", *common)
    real = loop._evaluate

    def killed(run, evaluator, at):
        if at.step == run.total_steps:
            raise KeyboardInterrupt
        return real(run, evaluator, at)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_evaluate", killed)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path / "killed", *common)
    again = made(tmp_path / "killed", *common)
    assert (again / "steps.csv").read_bytes() == (whole / "steps.csv").read_bytes()
    assert without_time(again / "evals.csv") == without_time(whole / "evals.csv")
