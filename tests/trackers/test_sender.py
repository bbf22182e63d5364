"""What is sent of files that grow, are cut and are written anew: every row once, in order."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_trackers import Keeping

from sgdlab.results import write_config, write_summary
from sgdlab.trackers.runs import identity_of
from sgdlab.trackers.sender import Sender

HEAD = "step,epoch,examples,lr,loss,grad_norm,clip_coef\n"
EVALS = "step,epoch,examples,train_seconds,weights,split,loss,accuracy\n"


def line(step: int, loss: float = 0.5) -> str:
    return f"{step},1,{8 * step},0.1,{loss!r},2.0,1.0\n"


def begun(folder: Path, **settings: object) -> Path:
    folder.mkdir(parents=True)
    config = {"study": None, "names": {"optimizer": "adam"}, "optimizer": {"lr": 0.1}, "seed": 3}
    write_config(folder, config | settings)
    (folder / "evals.csv").write_text(EVALS)
    (folder / "steps.csv").write_text(HEAD)
    return folder


def end(folder: Path, status: str, steps: int) -> None:
    own = {"run_id": "r1", "status": status, "steps": steps, "metric": "accuracy"}
    write_summary(folder, own | {"final_val_loss": 0.5})


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


class Looks:
    """Looks at folders, with a process's memory or with another one's."""

    def __init__(self, store: Path, root: Path, **settings: int) -> None:
        self.store, self.root, self.settings = store, root, settings
        self.again()

    def again(self) -> None:
        self.tracker = Keeping(str(self.store), **self.settings)
        self.tracker.open()
        self.sender = Sender(self.tracker, [self.root], lambda: None)

    def kept(self, folder: Path) -> dict:
        self.sender.look()
        return json.loads((self.store / f"{identity_of(folder)}.json").read_text())

    def steps(self, folder: Path) -> list[int]:
        return [point[0] for point in self.kept(folder)["points"] if "step/loss" in point[2]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return begun(tmp_path / "runs" / "a")


@pytest.fixture
def looks(tmp_path: Path, run: Path) -> Looks:
    return Looks(tmp_path / "store", run)


def test_every_number_has_the_name_of_its_table_split_and_column(run: Path, looks: Looks) -> None:
    append(run / "steps.csv", "1,1,8,0.1,0.25,2.0,1.0\n2,1,16,0.05,nan,inf,\n")
    append(run / "evals.csv", "0,0,0,0.0,raw,val,0.9,0.5\n2,1,16,0.5,raw,val,0.8,0.75\n")
    append(run / "evals.csv", "2,1,16,0.5,average,val,0.7,\n")
    first, second, third = looks.kept(run)["points"]
    assert first[0] == 0
    assert first[2] == {"train_seconds": 0.0, "val/loss": 0.9, "val/accuracy": 0.5}
    assert second[0] == 1
    assert second[2] == {
        "epoch": 1.0, "examples": 8.0, "step/lr": 0.1, "step/loss": 0.25, "step/grad_norm": 2.0,
        "step/clip_coef": 1.0,
    }  # fmt: skip
    values = third[2]
    assert str(values.pop("step/loss")) == "nan"
    assert values == {
        "epoch": 1.0, "examples": 16.0, "step/lr": 0.05, "step/grad_norm": float("inf"),
        "train_seconds": 0.5, "val/loss": 0.8, "val/accuracy": 0.75, "val_average/loss": 0.7,
    }  # fmt: skip


def test_half_a_line_waits_for_its_other_half(run: Path, looks: Looks) -> None:
    append(run / "steps.csv", line(1) + line(2)[:9])
    assert looks.steps(run) == [1]
    append(run / "steps.csv", line(2)[9:])
    assert looks.steps(run) == [1, 2]


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=12))
def test_every_row_is_sent_once_whenever_it_is_looked_at(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, bool]]
) -> None:
    base = tmp_path_factory.mktemp("grown")
    folder = begun(base / "a")
    looks = Looks(base / "store", folder)
    whole = "".join(line(step, 1 / step) for step in range(1, 30))
    for size, in_another_process in parts:
        append(folder / "steps.csv", whole[:size])
        whole = whole[size:]
        if in_another_process:
            looks.again()
        looks.sender.look()
    append(folder / "steps.csv", whole)
    kept = looks.kept(folder)
    losses = [point[2]["step/loss"] for point in kept["points"]]
    assert losses == pd.read_csv(folder / "steps.csv").loss.to_list()
    assert kept["resets"] == 0


def test_a_run_that_goes_on_from_a_checkpoint_is_gone_on_with(run: Path, looks: Looks) -> None:
    append(run / "steps.csv", "".join(map(line, (1, 2, 3, 4))))
    assert looks.steps(run) == [1, 2, 3, 4]
    # As `results.rows` does it: another file, with the rows up to the checkpoint.
    part = run / "steps.part"
    part.write_text(HEAD + line(1) + line(2))
    part.replace(run / "steps.csv")
    assert looks.steps(run) == [1, 2, 3, 4]
    append(run / "steps.csv", "".join(map(line, (3, 4, 5))))
    kept = looks.kept(run)
    assert [point[0] for point in kept["points"]] == [1, 2, 3, 4, 5]
    assert kept["resets"] == 0


def test_a_run_that_is_made_anew_with_other_numbers_takes_the_place_of_the_old(
    run: Path, looks: Looks
) -> None:
    append(run / "steps.csv", line(1) + line(2))
    looks.kept(run)
    part = run / "steps.part"
    part.write_text(HEAD + line(1, 0.75) + line(2) + line(3))
    part.replace(run / "steps.csv")
    kept = looks.kept(run)
    assert [point[2]["step/loss"] for point in kept["points"]] == [0.75, 0.5, 0.5]
    assert kept["resets"] == 1


def test_what_is_finished_and_was_sent_is_not_sent_again(run: Path, looks: Looks) -> None:
    append(run / "steps.csv", line(1))
    end(run, "completed", 1)
    kept = looks.kept(run)
    assert kept["ending"] == ["completed", "", 1, {"steps": 1.0, "final_val_loss": 0.5}]
    assert looks.sender.counts() == (1, 1)
    looks.again()
    assert looks.kept(run) == kept
    assert looks.sender.counts() == (0, 1)


def test_steps_can_be_thinned_and_evaluations_are_all_sent(tmp_path: Path, run: Path) -> None:
    append(run / "steps.csv", "".join(map(line, range(1, 11))))
    append(run / "evals.csv", "".join(f"{k},1,1,0.1,raw,val,0.5,1\n" for k in range(11)))
    looks = Looks(tmp_path / "store", run, every=4)
    points = looks.kept(run)["points"]
    assert [point[0] for point in points if "step/loss" in point[2]] == [1, 4, 8]
    assert [point[0] for point in points if "val/loss" in point[2]] == list(range(11))


def test_more_runs_than_may_be_open_are_sent_when_they_have_ended(tmp_path: Path) -> None:
    runs = [begun(tmp_path / "runs" / name) for name in "abc"]
    looks = Looks(tmp_path / "store", tmp_path / "runs", most_open=1)
    for folder in runs:
        append(folder / "steps.csv", line(1))
    looks.sender.look()
    assert len(list((tmp_path / "store").iterdir())) == 1
    end(runs[2], "diverged", 1)
    assert looks.kept(runs[2])["ending"][0] == "diverged"
    assert len(list((tmp_path / "store").iterdir())) == 2


def test_runs_of_a_study_are_named_by_phase_optimizer_and_folder(tmp_path: Path) -> None:
    folder = begun(tmp_path / "s" / "final" / "r12", study="s", phase="final", replicate=2)
    append(folder / "steps.csv", line(1))
    kept = Looks(tmp_path / "store", tmp_path / "s").kept(folder)
    assert (kept["study"], kept["name"]) == ("s", "final/adam-r12")
    assert (kept["tags"]["phase"], kept["tags"]["replicate"]) == ("final", "2")
    assert kept["settings"]["optimizer"] == "adam"
    assert kept["settings"]["optimizer.lr"] == 0.1


def test_times_lie_between_the_beginning_of_the_run_and_the_age_of_its_files(
    run: Path, looks: Looks
) -> None:
    append(run / "steps.csv", "".join(map(line, range(1, 6))))
    times = [point[1] for point in looks.kept(run)["points"]]
    begin, end = (run / "config.yaml").stat().st_mtime, (run / "steps.csv").stat().st_mtime
    assert times == sorted(times)
    assert begin <= times[0]
    assert times[-1] == pytest.approx(end)


def test_a_report_in_the_folder_of_a_study_is_sent_with_its_figures(tmp_path: Path) -> None:
    folder = begun(tmp_path / "s" / "final" / "r12", study="s", phase="final")
    append(folder / "steps.csv", line(1))
    (tmp_path / "s" / "report" / "figures").mkdir(parents=True)
    for name in ("report.html", "figures/loss.svg"):
        (tmp_path / "s" / "report" / name).write_text("<svg/>")
    (tmp_path / "s" / "report" / "figures" / "empty.svg").write_text("")
    looks = Looks(tmp_path / "store", tmp_path / "s")
    looks.kept(folder)
    looks.sender.reports()
    assert looks.tracker.studies == [("s", ["report.html", "loss.svg"])]
