"""A study as one archive: made, read, damaged, hostile, mistyped."""

import json
import shutil
import stat
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from cli_runs import Cli, refused
from run_folders import make_run

from forked import another
from sgdlab.results import write_environment
from sgdlab.results.unbundle import MOST_BYTES


@pytest.fixture
def study(sgdlab: Cli) -> Path:
    """A sweep of four runs with weights."""
    folder = sgdlab.folder / "s"
    for seed in (0, 1):
        for place, name in enumerate(("sgd", "adam")):
            run = make_run(folder / f"{name}{seed}", name, seed=seed, val=(0.1, 0.8 + place / 10))
            write_environment(
                run, {"command": f"sgdlab train -m seed=0,1 o={name}", "folder": "/x"}
            )
            (run / "final.pt").write_bytes(b"weights")
    return folder


@pytest.fixture
def reported(sgdlab: Cli, study: Path) -> Path:
    assert sgdlab("report", "s").code == 0
    return study


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


def rewritten(archive: Path, change: dict[str, bytes | None], mode: int = stat.S_IFREG) -> None:
    """Write an archive anew with other content of some entries, or without them."""
    with zipfile.ZipFile(archive) as opened:
        content = {name: opened.read(name) for name in opened.namelist()}
    content = {name: c for name, c in {**content, **change}.items() if c is not None}
    with zipfile.ZipFile(archive, "w") as opened:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode if name in change else stat.S_IFREG) << 16
            opened.writestr(info, data)


def test_an_archive_holds_a_study_and_its_report_with_the_hash_of_each(sgdlab: Cli, reported: Path):
    (reported / "report/mine.txt").write_text("notes of a person")
    result = sgdlab("bundle", "s")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("s.zip: 4 runs, ")
    archive = sgdlab.folder / "s.zip"
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        told = json.loads(opened.read("s/bundle.json"))
        found = {name.removeprefix("s/"): opened.read(name) for name in opened.namelist()[1:]}
    assert {name: own["sha256"] for name, own in told["files"].items()} == {
        name: sha256(content).hexdigest() for name, content in found.items()
    }
    assert told["counts"] == {
        "runs": 4, "files": len(found), "bytes": sum(map(len, found.values())),
    }  # fmt: skip
    for name, content in found.items():
        assert content == (reported / name).read_bytes()
    assert {"sgd0/steps.csv", "sgd0/environment.json", "report/report.html"} <= found.keys()
    assert "report/mine.txt" not in found
    assert not [name for name in found if name.endswith(".pt")]
    assert sgdlab("bundle", "s", "--weights").code == 0
    assert sum(name.endswith("/final.pt") for name in names(archive)) == 4


def test_the_same_content_gives_the_same_bytes(sgdlab: Cli, study: Path):
    assert sgdlab("bundle", "s", "--out", "one.zip").code == 0
    shutil.copytree(study, sgdlab.folder / "elsewhere/s")
    assert sgdlab("bundle", "elsewhere/s", "--out", "two.zip").code == 0
    one = (sgdlab.folder / "one.zip").read_bytes()
    assert one == (sgdlab.folder / "two.zip").read_bytes()


def test_the_report_of_an_archive_is_that_of_the_folder(sgdlab: Cli, reported: Path):
    assert sgdlab("bundle", "s").code == 0
    before = {p.name for p in Path(sgdlab.folder).iterdir()}
    result = sgdlab("report", "s.zip")
    assert (result.code, result.err) == (0, "")
    assert "report: s-report/report.html" in result.out
    assert {p.name for p in Path(sgdlab.folder).iterdir()} == before | {"s-report"}
    folder, bundled = reported / "report", sgdlab.folder / "s-report"
    files = {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}
    assert files == {p.relative_to(bundled) for p in bundled.rglob("*") if p.is_file()}
    other = [n for n in files if (folder / n).read_bytes() != (bundled / n).read_bytes()]
    # runs.csv names folders, here as they are seen from the working directory in both.
    assert {str(n) for n in other} == {"report.md", "report.html", "written.sha256"}
    ours, theirs = (p / "report.md" for p in (folder, bundled))
    added = set(theirs.read_text().splitlines()) - set(ours.read_text().splitlines())
    assert added == {
        next(line for line in added if "· from the bundle s.zip ·" in line),
        "Unpack the bundle, which the commands below read:",
        "python -m zipfile -e s.zip .",
        "sgdlab report s.zip",
    }


def test_a_damaged_table_is_named_and_its_run_counts_as_failed(sgdlab: Cli, study: Path):
    assert sgdlab("bundle", "s").code == 0
    archive = sgdlab.folder / "s.zip"
    with zipfile.ZipFile(archive) as opened:
        table = opened.read("s/sgd0/evals.csv")
    rewritten(
        archive, {"s/sgd0/evals.csv": table.replace(b"0.8", b"0.9"), "s/adam1/steps.csv": None}
    )
    result = sgdlab("report", "s.zip")
    assert result.code == 2
    named = [line.partition(": ")[0] for line in result.err.splitlines()]
    assert sorted(named) == ["s/adam1/steps.csv", "s/sgd0/evals.csv"]
    assert "Damaged files" in (sgdlab.folder / "s-report/report.md").read_text()


def test_a_flipped_bit_in_the_archive_is_a_damaged_file(sgdlab: Cli, study: Path):
    assert sgdlab("bundle", "s").code == 0
    archive = sgdlab.folder / "s.zip"
    with zipfile.ZipFile(archive) as opened:
        info = opened.getinfo("s/adam0/evals.csv")
    content = bytearray(archive.read_bytes())
    content[info.header_offset + 30 + len(info.filename) + info.compress_size // 2] ^= 4
    archive.write_bytes(content)
    result = sgdlab("report", "s.zip")
    assert result.code == 2
    assert result.err.startswith("s/adam0/evals.csv: damaged (")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "name", ["../out.csv", "/etc/out.csv", "s/../../out", "s\\..\\out", "C:/out"]
)
def test_names_that_lead_elsewhere_are_refused(sgdlab: Cli, study: Path, name: str):
    assert sgdlab("bundle", "s").code == 0
    rewritten(sgdlab.folder / "s.zip", {name: b"x"})
    assert "would lie elsewhere; nothing was unpacked" in refused(sgdlab, "report", "s.zip")


def test_links_in_an_archive_are_refused(sgdlab: Cli, study: Path):
    assert sgdlab("bundle", "s").code == 0
    rewritten(sgdlab.folder / "s.zip", {"s/sgd0/steps.csv": b"/etc/passwd"}, stat.S_IFLNK)
    assert "is a link; nothing was unpacked" in refused(sgdlab, "report", "s.zip")


def test_an_archive_that_says_it_is_huge_is_refused(sgdlab: Cli, study: Path, monkeypatch):
    assert sgdlab("bundle", "s").code == 0
    monkeypatch.setattr("sgdlab.results.unbundle.MOST_BYTES", 1000)
    assert MOST_BYTES > 2**30
    assert "at most 1,000,000 of 1,000" in refused(sgdlab, "report", "s.zip")


def test_links_in_a_study_are_left_out_and_named(sgdlab: Cli, study: Path, tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    (study / "sgd0/error.txt").symlink_to(tmp_path / "secret")
    result = sgdlab("bundle", "s")
    assert result.code == 2
    assert result.err == "s/sgd0/error.txt: a link, which is not followed; left out\n"
    assert "s/sgd0/error.txt" not in names(sgdlab.folder / "s.zip")


def test_a_study_that_is_being_written_is_refused_with_who_writes(sgdlab: Cli, study: Path):
    with another(study) as other:
        line = refused(sgdlab, "bundle", "s")
    assert f"held by process {other.pid}" in line
    assert line.endswith(": --lock wait waits for it\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("bundle empty", "no run in it, so no study"),
        ("bundle nowhere", "no such folder; name the folder of a study"),
        ("bundle s --out notes.zip", "notes.zip: no bundle of sgdlab, so it is not replaced"),
        ("report notes.zip", "notes.zip: not a folder, and not a bundle; sgdlab bundle"),
        ("report other.zip", "other.zip: not a folder, and not a bundle; sgdlab bundle"),
        ("report cut.zip", "cut.zip: damaged or cut short"),
        ("report nowhere.zip", "nowhere.zip: no such folder"),
        ("report s.zip copy.zip", "copy.zip: a second bundle of a study named s; unpack them"),
        ("bundle s --out empty", "empty: a folder, so it is not replaced"),
    ],
)
def test_mistakes_are_told_in_one_line(sgdlab: Cli, study: Path, command: str, said: str):
    assert sgdlab("bundle", "s").code == 0
    content = (sgdlab.folder / "s.zip").read_bytes()
    (sgdlab.folder / "empty").mkdir()
    (sgdlab.folder / "notes.zip").write_text("my notes")
    (sgdlab.folder / "cut.zip").write_bytes(content[: len(content) // 2])
    (sgdlab.folder / "copy.zip").write_bytes(content)
    with zipfile.ZipFile(sgdlab.folder / "other.zip", "w") as other:
        other.writestr("holiday/photo.txt", "sea")
    assert said in refused(sgdlab, *command.split())


def test_an_archive_of_ours_is_replaced_even_when_cut_short(sgdlab: Cli, study: Path):
    archive = sgdlab.folder / "s.zip"
    assert sgdlab("bundle", "s").code == 0
    content = archive.read_bytes()
    archive.write_bytes(content[:2000])
    assert sgdlab("bundle", "s").code == 0
    assert archive.read_bytes() == content


def test_a_packed_study_has_the_archive_of_its_folders(sgdlab: Cli, reported: Path):
    pytest.importorskip("pyarrow")
    make_run(reported / "deeper" / "sgd2", "sgd", seed=2, val=(0.1, 0.8))
    assert sgdlab("bundle", "s", "--weights", "--out", "folders.zip").code == 0
    for study in ("s/deeper", "s"):  # one that lies in it is packed by itself
        assert sgdlab("pack", study).code == 0
    before = sorted(reported.rglob("*"))
    result = sgdlab("bundle", "s", "--weights", "--out", "packed.zip")
    assert (result.code, result.err) == (0, "")
    archives = [(sgdlab.folder / f"{name}.zip").read_bytes() for name in ("packed", "folders")]
    assert archives[0] == archives[1]
    assert sorted(reported.rglob("*")) == before
