"""Files of folders that may be anyone's: what is no file of ours is named, and nothing waits."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from run_folders import make_run

from sgdlab.errors import InputError
from sgdlab.results import cells, find_runs, folder_problems, read_study, read_summary
from sgdlab.results.configs import read_config
from sgdlab.results.files import LARGE, SMALL, contents
from sgdlab.results.plain_yaml import Unreadable, parsed
from sgdlab.results.tables import read_tables


def swap(path: Path, make: Callable[[Path], object]) -> Path:
    path.unlink()
    make(path)
    return path


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


OTHERS = {
    "a named pipe": os.mkfifo,
    "a socket": a_socket,
    "a folder": os.mkdir,
    "a link out of its folder": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "link to nothing": lambda path: path.symlink_to(path.name),
    "bytes; at most": lambda path: (path.touch(), os.truncate(path, 2**30)),
}


def read(run: Path, name: str) -> None:
    if name == "config.yaml":
        read_config(run)
    elif name == "summary.csv":
        read_summary(run)
    else:
        ((_, found),) = read_tables([str(run / name)], ("step",), [False])
        assert isinstance(found, InputError)
        raise found


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("name", ["config.yaml", "summary.csv", "steps.csv", "evals.csv"])
def test_what_is_no_file_of_a_run_is_named(tmp_path: Path, name: str, what: str) -> None:
    run = make_run(tmp_path / "a")
    path = swap(run / name, OTHERS[what])
    assert find_runs([tmp_path]) == [run]
    with pytest.raises(InputError) as error:
        read(run, name)
    assert str(error.value).startswith(f"{path}: ")
    assert what in str(error.value)


def test_a_link_to_a_file_of_the_same_folder_is_followed(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    (run / "steps.csv").rename(run / "kept.csv")
    (run / "steps.csv").symlink_to("kept.csv")
    assert contents(run / "steps.csv") == (run / "kept.csv").read_bytes()


DAMAGE = {
    "line 3: holds NUL": lambda b: b.replace(b"\n2,", b"\n\0,", 1),
    "line 3: not text": lambda b: b.replace(b"\n2,", b"\n\xe9,", 1),
    "line 1: begins with a byte-order mark": lambda b: b"\xef\xbb\xbf" + b,
    "line 3: step is beyond 64 bits": lambda b: b.replace(b"\n2,", b"\n" + b"9" * 30 + b",", 1),
    "line 3: loss is beyond the range": lambda b: swapped(b, 4, b"1e999"),
    "line 1: longer than": lambda b: b",".join([b"c"] * 100_000) + b"\n",
    "line 12: longer than": lambda b: b + b"1," * 100_000,
}


def swapped(content: bytes, place: int, cell: bytes) -> bytes:
    lines = content.split(b"\n")
    cells = lines[2].split(b",")
    cells[place] = cell
    return b"\n".join([*lines[:2], b",".join(cells), *lines[3:]])


@pytest.mark.parametrize("what", DAMAGE)
def test_what_no_run_has_written_is_named_by_line_and_the_others_are_read(
    tmp_path: Path, what: str
) -> None:
    sound, other = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    path = other / "steps.csv"
    lines = path.read_bytes().split(b"\n")[:11]
    path.write_bytes(DAMAGE[what](b"\n".join(lines) + b"\n"))
    paths = [str(sound / "steps.csv"), str(path)]
    found = dict(read_tables(paths, cells.WHOLE, [False, False]))
    assert isinstance(found[0], dict)
    assert isinstance(found[1], InputError)
    assert f"{path}, {what}" in str(found[1])


def test_an_infinite_loss_that_a_run_wrote_is_read(tmp_path: Path) -> None:
    path = make_run(tmp_path) / "steps.csv"
    path.write_bytes(swapped(path.read_bytes(), 4, b"inf"))
    ((_, found),) = read_tables([str(path)], cells.WHOLE, [False])
    assert isinstance(found, dict)
    assert found["loss"][1] == float("inf")


def test_tables_of_too_many_cells_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(tmp_path) / "steps.csv"
    monkeypatch.setattr(cells, "MOST_CELLS", 50)
    ((_, found),) = read_tables([str(path)], cells.WHOLE, [False])
    assert f"{path}: more than 50 cells" in str(found)


@pytest.mark.parametrize(
    ("cell", "what"), [("9" * 30, "64 bits"), ("9" * 5000, "the range"), ("1e999", "the range")]
)
def test_numbers_of_a_summary_that_no_run_has_written_are_named(
    tmp_path: Path, cell: str, what: str
) -> None:
    path = make_run(tmp_path, summary={"steps": 7}) / "summary.csv"
    path.write_text(path.read_text().replace(",7,", f",{cell},"))
    with pytest.raises(InputError, match=rf"summary\.csv, line 2: steps is beyond {what}"):
        read_summary(tmp_path)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 30))
MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 30)
)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (BOMB, "more than 200,000 values"),
        (MERGES, "more than 200,000 values"),
        ("a: &a [*a]\n", r"\*a refers to what holds it"),
        ("a: " + "[" * 5000, "nested deeper than 64"),
        ("a: " + "{a: " * 5000, "nested deeper than 64"),
        ("a:\n " + "- " * 5000 + "a\n", "nested deeper than 64"),
        ("".join(" " * i + "a:\n" for i in range(500)), "nested deeper than 64"),
        ("a: 9" + "9" * 30 + "\n", "a is beyond 64 bits"),
        ("a: " + "9" * 5000 + "\n", "not valid YAML"),
        ("a: 2001-99-99\n", "not valid YAML"),
        ("a: {b: 2001-01-01}\n", r"a\.b is a date"),
        ("a: !!set {b}\n", "a is a set"),
        ("a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        ("a: \0\n", "not valid YAML"),
    ],
    ids=lambda value: value[:12],
)
def test_yaml_that_no_config_needs_is_refused(content: str, what: str) -> None:
    with pytest.raises(Unreadable, match=what):
        parsed(content)


def test_yaml_as_deep_and_linked_as_a_config_may_be_is_read() -> None:
    assert parsed("a: &a [1, {b: 2}]\nc: *a\n") == {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}
    assert parsed("[" * 60 + "]" * 60) is not None


def test_a_study_that_is_no_mapping_is_named(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("- 1\n")
    with pytest.raises(InputError, match=r"study\.yaml, line 1: not a mapping"):
        read_study(tmp_path)


def test_limits_leave_room_for_what_runs_write() -> None:
    assert SMALL > 100 * 5_000  # a config has five thousand bytes at most
    assert LARGE > 3_000_000 * 80  # a row of steps.csv has eighty


@pytest.mark.parametrize(
    "kept", ["summary.csv", "steps.csv", "config.yaml evals.csv", "evals.csv steps.csv"]
)
def test_what_is_left_of_a_run_still_counts(tmp_path: Path, kept: str) -> None:
    run = make_run(tmp_path / "a")
    for file in run.iterdir():
        if file.name not in kept.split():
            file.unlink()
    assert find_runs([tmp_path]) == [run]
    missing = [f"{run / 'config.yaml'}: missing"]
    assert folder_problems([tmp_path]) == ([] if "config.yaml" in kept else missing)


def test_tables_of_others_and_runs_set_aside_are_no_runs(tmp_path: Path) -> None:
    (tmp_path / "summary.csv").write_text("name,value\na,1\n")
    run = make_run(tmp_path / "a")
    (run / "config.yaml").rename(run / "config.stale.yaml")
    (run / "summary.csv").rename(run / "summary.stale.csv")
    assert find_runs([tmp_path]) == []
    assert folder_problems([tmp_path]) == []


def test_a_folder_in_the_place_of_a_run_is_named(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "runs.csv").write_text("directory,run_id\na,1\nb,2\ngone,3\n../etc,4\n")
    assert folder_problems([tmp_path]) == [
        f"{tmp_path / 'b'}: no run in it, though {tmp_path / 'runs.csv'} lists one"
    ]
