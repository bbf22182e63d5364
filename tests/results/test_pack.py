"""Packing: byte for byte there and back, read as folders, and nothing lost by a kill."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sgdlab.checks import pip_install
from sgdlab.errors import InputError
from sgdlab.results import (
    SUMMARY_COLUMNS,
    RunWriter,
    collect_rows,
    damage_in,
    find,
    find_runs,
    read_config,
    read_every_steps,
    read_summary,
    write_config,
    write_environment,
    write_parts,
    write_summary,
)
from sgdlab.results import pack as packing
from sgdlab.results.pack import give_folder_back, pack, unpack
from sgdlab.results.packed import found, is_there

pa = pytest.importorskip("pyarrow")

ODD = (0.1, 1e-323, -0.0, 1e22, float("inf"), float("nan"), 2.0**-1074, 123456789.123456789, 3.0)


def a_run(folder: Path, number: int, status: str = "completed", columns: tuple[str, ...] = ()):
    write_config(folder, {"names": {"optimizer": "sgd"}, "seed": number, "optimizer": {"lr": 0.1}})
    write_environment(folder, {"torch": "2", "number": number})
    writer = RunWriter(folder, "accuracy", columns)
    for step in range(1, 4):
        odd = ODD[(number + step) % len(ODD)]
        more = [None if step == 2 else odd for _ in columns]
        writer.steps([[step, 1, 32 * step, 0.1, odd, None if step == 1 else 1.5, 1.0, *more]])
    writer.evaluation([3, 1, 96, 0.25, "raw", "val", 0.5, None if number else 0.75])
    writer.close()
    cells = dict.fromkeys(SUMMARY_COLUMNS)
    cells |= {"run_id": f"r{number}", "status": status, "reason": 'of "two", words' * (number == 1)}
    write_summary(folder, cells, writer.sums())


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Five runs: two with a column more, one nested, one whose rows nobody can type, one failed."""
    root = tmp_path / "s"
    a_run(root / "r0", 0)
    a_run(root / "r1", 1, columns=("update_norm",))
    a_run(root / "tune" / "r2", 2, columns=("update_norm",))
    a_run(root / "r3", 3)
    (root / "r3" / "manifest.json").unlink()
    (root / "r3" / "evals.csv").write_text("step,note\n1,two words\n2,\n3,1.50\n")
    (root / "r3" / "layers.csv").write_text('layer,name\n1,"a, b"\n')
    a_run(root / "r4", 4, status="failed")
    (root / "runs.csv").write_text("directory,run_id,\n")
    return root


def sums(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def read(root: Path) -> object:
    """Return all that a reader of the study sees."""
    columns, rows, problems = collect_rows([root])
    directories = [str(run) for run in find_runs([root])]
    steps = [
        (n, sorted((name, cells.tobytes()) for name, cells in table.items()))
        for n, table in read_every_steps(directories, [False] * len(directories))
        if not isinstance(table, InputError)
    ]
    configs = [read_config(Path(directory)) for directory in directories]
    return columns, rows, problems, directories, steps, configs


def test_a_packed_study_reads_the_same_and_is_unpacked_byte_by_byte(study: Path):
    before, seen = sums(study), read(study)
    moved = pack(study)
    assert moved.runs == 4
    assert [line for line in moved.left if "failed" in line]
    assert not (study / "r0").exists()
    assert (study / "r4" / "summary.csv").is_file()
    assert read(study) == seen
    assert damage_in(study / "r1") == {}
    assert is_there(str(study / "r3" / "layers.csv"))
    assert not is_there(str(study / "r0" / "layers.csv"))
    back = unpack(study)
    assert back.runs == 4
    assert sums(study) == before
    assert back.after == moved.before


def test_the_rows_are_columns_of_numbers_that_others_read(study: Path):
    import pandas as pd

    pack(study)
    (file,) = (study / "packed").glob("*.steps.parquet")
    table = pd.read_parquet(file)
    assert list(table.columns[:6]) == ["run", "step", "epoch", "examples", "lr", "loss"]
    assert table["step"].dtype == "int64"
    assert table["update_norm"].dtype == "float64"
    own = table[table["run"] == "r0"]["loss"].to_numpy()
    assert own.tobytes() == pa.array(ODD[1:4], pa.float64()).to_numpy().tobytes()


def test_a_run_that_has_a_folder_again_is_the_one_there(study: Path):
    pack(study)
    assert find_runs([study / "r0"]) == [study / "r0"]
    give_folder_back(study / "r0")
    assert found(str(study / "r0")) is None
    cells = read_summary(study / "r0")
    assert cells is not None
    write_summary(study / "r0", {**cells, "status": "diverged"}, {})
    assert collect_rows([study])[1][0]["status"] == "diverged"
    after = sums(study / "r0")
    assert pack(study).runs == 1
    assert read_summary(study / "r0") == {**cells, "status": "diverged"}
    unpack(study)
    assert sums(study / "r0") == after


@pytest.mark.slow
@pytest.mark.parametrize("move", [pack, unpack])
def test_whenever_the_process_is_killed_nothing_is_lost(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: Callable[[Path], object]
):
    monkeypatch.setattr(packing, "_RUNS", 2)
    before, seen = sums(study), read(study)
    if move is unpack:
        pack(study)
    start = tmp_path / "start"
    shutil.copytree(study, start)
    for number in range(1, 200):
        shutil.rmtree(study)
        shutil.copytree(start, study)
        child = os.fork()
        if child == 0:
            dies_at(number)
            move(study)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 9)
        assert read(study) == seen, f"after step {number}"
        if code == 0:
            break
        if number % 3 == 0:
            pack(study)
            assert read(study) == seen
        if (study / "packed").is_dir() and list((study / "packed").glob("*.json")):
            unpack(study)
        own = {name: digest for name, digest in sums(study).items() if "packed/" not in name}
        assert own == before, f"after step {number}"
    else:
        raise AssertionError("it never came to its end")
    assert number > 10


def dies_at(number: int) -> None:
    """Have this process end without a word at a call that changes the folder."""
    left = [number]

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object, **kwargs: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
            return call(*args, **kwargs)

        return counted

    for name in ("rename", "replace", "unlink", "rmdir", "mkdir"):
        setattr(os, name, dying(getattr(os, name)))


def test_runs_too_deep_to_be_found_again_stay(study: Path, tmp_path: Path):
    deep = tmp_path / "above" / "a" / "b" / "c"
    deep.parent.mkdir(parents=True)
    shutil.move(study, deep)
    before = sums(deep)
    moved = pack(tmp_path / "above")
    assert moved.runs == 0
    assert "more than 3 folders below; pack its own study" in moved.left[0]
    assert sums(deep) == before
    assert pack(deep).runs == 4


def test_links_and_what_is_not_ours_are_refused_or_left(study: Path, tmp_path: Path):
    (study / "r0" / "more").symlink_to("/etc/passwd")
    moved = pack(study)
    assert moved.runs == 3
    assert any("r0/more: a link" in line for line in moved.left)
    (study / "packed" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt: not of sgdlab pack"):
        pack(study)
    (tmp_path / "link").symlink_to(study)
    with pytest.raises(InputError, match="a link"):
        pack(tmp_path / "link")
    with pytest.raises(InputError, match="no run in it"):
        pack(tmp_path / "nowhere")
    with pytest.raises(InputError, match="nothing is packed"):
        unpack(tmp_path)


def test_runs_that_are_packed_while_others_look_for_them_are_found(
    study: Path, monkeypatch: pytest.MonkeyPatch
):
    before, _ = find.folders([study])
    walk = find._walk

    def slow(root: str, problems: dict[str, None]) -> Iterator[tuple[str, dict[str, bool]]]:
        for number, listed in enumerate(walk(root, problems)):
            yield listed
            if number == 0:
                pack(study, runs=before)

    monkeypatch.setattr(find, "_walk", slow)
    assert find.folders([study]) == (before, [])


def test_a_damaged_part_is_named_and_stays(study: Path):
    pack(study)
    (file,) = (study / "packed").glob("*.files.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:200] + bytes(200) + whole[400:])
    os.utime(study / "packed", ns=(1, 1))
    with pytest.raises(InputError, match=r"files\.parquet: damaged|is damaged"):
        unpack(study)
    assert file.exists()


def test_a_packed_file_is_compared_with_what_was_packed_whatever_its_manifest_says(
    study: Path, monkeypatch: pytest.MonkeyPatch
):
    class Other:
        def __init__(self, content: bytes) -> None:
            self.hexdigest = hashlib.sha512(content).hexdigest

    (study / "r1" / "manifest.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(write_parts, "hashlib", type("_", (), {"sha256": Other}))
        pack(study)
    for run in ("r0", "r1"):
        with pytest.raises(InputError, match=f"packed: {run}/summary.csv is damaged: sha256"):
            read_summary(study / run)


def test_without_the_extra_one_line_says_what_to_install(
    study: Path, monkeypatch: pytest.MonkeyPatch
):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=re.escape(pip_install("parquet"))):
        pack(study)
    assert not (study / "packed").exists()
