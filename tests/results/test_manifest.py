"""A finished run knows the length and checksum of each of its files, and readers compare them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sgdlab.diagnosis.table import read_numbers
from sgdlab.errors import InputError
from sgdlab.results import (
    COMPLETED,
    STEP_COLUMNS,
    SUMMARY_COLUMNS,
    RunWriter,
    collect,
    damage_before,
    damage_in,
    find_runs,
    read_config,
    read_evals,
    read_every_steps,
    read_steps,
    read_summary,
    write_config,
    write_summary,
)
from sgdlab.results.manifest import RunningSum, sum_of

ROW = (1, 1, 8, 0.1, 2.5, 1.0, 1.0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of three steps."""
    folder = tmp_path / "run"
    write_config(folder, {"lr": 0.1})
    writer = RunWriter(folder, "accuracy")
    writer.steps([(step, *ROW[1:]) for step in (1, 2, 3)])
    writer.evaluation((0, 0, 0, 0.0, "raw", "val", 2.0, 0.5))
    writer.close()
    summary = dict.fromkeys(SUMMARY_COLUMNS) | {"run_id": "r1", "status": COMPLETED, "seed": 3}
    write_summary(folder, summary, writer.sums())
    return folder


def change(path: Path, how: Callable[[bytes], bytes]) -> None:
    path.write_bytes(how(path.read_bytes()))


EDITS = {
    "other digits": lambda b: b.translate(bytes.maketrans(b"0123", b"1234")),
    "a row less": lambda b: b[: b[:-1].rfind(b"\n") + 1],
    "a row twice": lambda b: b + b[b[:-1].rfind(b"\n") + 1 :],
    "NUL": lambda b: b[:-9] + b"\0" * 9,
    "no text": lambda b: b[:-9] + b"\xa6" + b[-8:],
    "empty": lambda _: b"",
}


def test_the_manifest_lists_what_a_run_leaves(run: Path) -> None:
    files = json.loads((run / "manifest.json").read_text())["files"]
    assert files.keys() == {"config.yaml", "steps.csv", "evals.csv", "summary.csv"}
    for name, own in files.items():
        assert own == sum_of((run / name).read_bytes())._asdict()
    assert damage_in(run) == {}


@pytest.mark.parametrize("how", EDITS)
@pytest.mark.parametrize(
    ("name", "read"),
    [("steps.csv", read_steps), ("evals.csv", read_evals), ("summary.csv", read_summary)],
)
def test_an_edited_table_is_named(run: Path, name: str, read, how: str) -> None:
    change(run / name, EDITS[how])
    with pytest.raises(InputError, match=name):
        read(run)
    assert damage_in(run).keys() == {name}


def test_the_words_say_what_was_expected(run: Path) -> None:
    size = (run / "steps.csv").stat().st_size
    change(run / "steps.csv", lambda b: b[:100])
    with pytest.raises(InputError) as caught:
        read_steps(run)
    assert str(caught.value) == (
        f"{run / 'steps.csv'}: damaged (100 bytes, {size} expected); "
        "make the run anew with resume=false"
    )


def test_every_reader_compares(run: Path) -> None:
    for name in ("steps.csv", "config.yaml"):
        change(run / name, lambda b: b.replace(b"0.1", b"0.2"))
    ((_, found),) = read_every_steps([str(run)], [False])
    assert isinstance(found, InputError)
    with pytest.raises(InputError, match="damaged"):
        read_numbers(run / "steps.csv", STEP_COLUMNS, partial=False)
    with pytest.raises(InputError, match="damaged"):
        read_config(run)
    assert damage_in(run).keys() == {"steps.csv", "config.yaml"}


def test_tables_of_two_runs_that_were_exchanged_are_named(run: Path) -> None:
    other = run.with_name("other")
    shutil.copytree(run, other)
    change(other / "steps.csv", lambda b: b.replace(b"2.5", b"3.5"))
    writer = RunWriter(other, "accuracy")
    writer.steps([ROW])
    writer.close()
    shutil.copyfile(run / "steps.csv", other / "steps.csv")
    write_summary(other, dict.fromkeys(SUMMARY_COLUMNS) | {"status": COMPLETED}, writer.sums())
    with pytest.raises(InputError, match="damaged"):
        read_steps(other)
    assert len(read_steps(run)) == 3


def test_a_damaged_summary_is_a_failed_row_and_a_line(run: Path) -> None:
    change(run / "summary.csv", lambda b: b.replace(b",3,", b",4,"))
    table, problems = collect([run.parent])
    assert table["status"].tolist() == ["failed"]
    assert len(problems) == 1


def test_a_folder_in_the_place_of_the_summary_is_named(run: Path) -> None:
    (run / "summary.csv").unlink()
    (run / "summary.csv").mkdir()
    with pytest.raises(InputError, match=r"summary\.csv: a folder"):
        read_summary(run)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": {"steps.csv": 3}}', "\0\0"])
def test_a_damaged_manifest_is_named(run: Path, content: str) -> None:
    (run / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json: damaged"):
        read_summary(run)
    assert damage_in(run).keys() == {"manifest.json"}


def test_an_older_run_has_no_manifest_and_reads_as_before(run: Path) -> None:
    (run / "manifest.json").unlink()
    change(run / "steps.csv", lambda b: b.replace(b"2.5", b"2.6"))
    assert len(read_steps(run)) == 3
    assert read_summary(run) is not None
    assert damage_in(run) == {}


def test_a_run_that_is_made_again_is_not_compared(run: Path) -> None:
    RunWriter(run, "accuracy").close()
    assert not (run / "manifest.json").exists()
    assert len(read_steps(run)) == 0


def test_bytes_that_are_no_text_are_named_without_a_manifest(run: Path) -> None:
    (run / "manifest.json").unlink()
    change(run / "steps.csv", lambda b: b.replace(b"2.5", b"2.\xa6"))
    ((_, found),) = read_every_steps([str(run)], [False])
    assert isinstance(found, InputError)


@pytest.mark.parametrize("in_its_place", ["nothing", "a folder"])
def test_a_run_that_lost_its_config_is_found(run: Path, in_its_place: str) -> None:
    (run / "config.yaml").unlink()
    if in_its_place == "a folder":
        (run / "config.yaml").mkdir()
    assert find_runs([run.parent]) == [run]
    with pytest.raises(InputError, match=r"config\.yaml"):
        read_config(run)


def test_a_single_foreign_table_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "summary.csv").write_text("a,b\n1,2\n")
    assert find_runs([tmp_path]) == []


def test_rows_before_a_checkpoint_are_known_and_later_ones_do_not_matter(run: Path) -> None:
    path = run / "steps.csv"
    content = path.read_bytes()
    known = {"steps.csv": sum_of(content)}
    assert damage_before(run, known) is None
    change(path, lambda b: b + b"\xff\0 half a r")
    assert damage_before(run, known) is None
    change(path, lambda b: b[: len(content) - 1])
    expected = f"{len(content) - 1} bytes, {len(content)} expected"
    assert damage_before(run, known) == f"steps.csv is damaged ({expected})"
    path.unlink()
    assert damage_before(run, known) == "steps.csv is missing"


def test_rows_that_a_checkpoint_knows_stay_and_no_others(run: Path) -> None:
    path = run / "steps.csv"
    content = path.read_bytes()
    known = {"steps.csv": sum_of(content), "evals.csv": sum_of((run / "evals.csv").read_bytes())}
    change(path, lambda b: b + b"2,1,8,9.0,9.0,9.0,1.0\n\xa6")  # a later row that calls itself 2
    writer = RunWriter(run, "accuracy", append_after=3, known=known)
    writer.steps([(4, *ROW[1:])])
    writer.close()
    assert path.read_bytes() == content + b"4,1,8,0.1,2.5,1.0,1.0\n"
    assert writer.sums()["steps.csv"] == sum_of(path.read_bytes())


def test_a_sum_that_grows_is_that_of_the_whole() -> None:
    running = RunningSum(b"ab")
    running.add(b"")
    running.add(b"c")
    assert running.value() == sum_of(b"abc")
