"""The tables that a person reads in a terminal."""

from sgdlab.terminal.display import print_ranking


def run(seed: int, loss: float | None, **cells: object) -> dict:
    status = "completed" if loss is not None else "diverged"
    row = {"seed": seed, "base_lr": 1e-05, "final_val_loss": loss, "status": status}
    return row | {"metric": "accuracy", "final_val_metric": 0.5, "train_seconds": 1234.5} | cells


def test_a_ranking_has_the_best_loss_first_and_settings_as_they_are_typed(capsys):
    rows = [run(1, None, reason="[loss] nan"), run(1200, 0.25), run(3, 0.125)]
    print_ranking(rows, ["base_lr", "seed"])
    head, *lines = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head == ["#", "lr", "seed", "val", "loss", "val", "accuracy", "seconds", "status"]
    assert [line[:4] for line in lines] == [
        ["1", "1e-05", "3", "0.125"], ["2", "1e-05", "1200", "0.25"], ["3", "1e-05", "1", "–"],
    ]  # fmt: skip
    assert lines[0][4:] == ["50.00", "%", "1,234", "completed"]
    assert lines[2][-3:] == ["diverged", "([loss]", "nan)"]


def test_a_ranking_of_many_runs_says_how_many_more_there_are(capsys):
    print_ranking([run(seed, float(seed)) for seed in range(23)], ["seed"])
    assert capsys.readouterr().out.splitlines()[-1] == "… and 3 more, all in runs.csv"
