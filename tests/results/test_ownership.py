from collections.abc import Sequence
from pathlib import Path

import pytest

from sgdlab.errors import InputError
from sgdlab.results import Replacement, Written, atomic_write
from sgdlab.results.ownership import RECORD

NAMES = ("a.csv", "figures/b.svg")


def put(folder: Path, names: Sequence[str] = NAMES, content: str = "ours") -> None:
    """Write files as a report does."""
    written = Written(folder)
    written.refuse_others(names)
    with Replacement(written) as replacement:
        for name in names:
            replacement.write(name, content)
        replacement.commit(lambda name: name.startswith("figures/"))


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECORD
    }


def test_what_was_written_is_replaced_and_what_is_no_more_is_deleted(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "figures" / "photo.svg").write_text("mine")
    put(tmp_path, ["a.csv", "figures/c.svg"], "new")
    assert files(tmp_path) == {"a.csv": "new", "figures/c.svg": "new", "figures/photo.svg": "mine"}
    assert Written(tmp_path).names == ["a.csv", "figures/c.svg"]


def test_an_own_file_that_was_changed_is_not_deleted(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "figures" / "b.svg").write_text("mine now")
    put(tmp_path, ["a.csv"])
    assert files(tmp_path)["figures/b.svg"] == "mine now"


@pytest.mark.parametrize("name", [*NAMES, RECORD])
def test_foreign_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    atomic_write(tmp_path / name, "mine")
    with pytest.raises(InputError, match=f"{name}: not .*choose another"):
        put(tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    assert not (tmp_path / "a.csv").exists() or name == "a.csv"


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "a.csv").write_text("mine now")
    with pytest.raises(InputError, match=r"a.csv: changed since sgdlab wrote it"):
        put(tmp_path, content="new")
    assert files(tmp_path) == {"a.csv": "mine now", "figures/b.svg": "ours"}


def test_no_link_is_written_through_or_replaced(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "report"
    put(folder)
    atomic_write(elsewhere / "b.svg", "precious")
    (folder / "figures" / "b.svg").unlink()
    (folder / "figures" / "b.svg").symlink_to(elsewhere / "b.svg")
    with pytest.raises(InputError, match=r"b.svg: a link"):
        put(folder)
    (folder / "figures" / "b.svg").unlink()
    (folder / "figures").rmdir()
    (folder / "figures").symlink_to(elsewhere)
    with pytest.raises(InputError, match="figures: a link"):
        put(folder)
    put(folder, ["a.csv"])
    assert files(elsewhere) == {"b.svg": "precious"}


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_link_in_the_place_of_a_part_leads_no_bytes_elsewhere(tmp_path: Path, link: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    getattr(tmp_path / ".a.csv.part", link)(victim)
    atomic_write(tmp_path / "a.csv", "ours")
    assert victim.read_text() == "precious"
    assert (tmp_path / "a.csv").read_text() == "ours"
    assert not (tmp_path / "a.csv").is_symlink()


def test_a_record_names_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    put(folder)
    atomic_write(tmp_path / "figures" / "b.svg", "ours")  # the same bytes as in the record
    digest = (folder / RECORD).read_text().splitlines()[1].partition("  ")[0]
    with (folder / RECORD).open("a") as record:
        record.write(f"{digest}  figures/../../figures/b.svg\n{digest}  {tmp_path}/figures/b.svg\n")
    put(folder, ["a.csv"])
    assert (tmp_path / "figures" / "b.svg").exists()


def test_a_kill_between_any_two_steps_leaves_what_can_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path)
    for limit in range(3):
        calls = 0

        def killed(source: str, target: Path, limit: int = limit) -> None:
            nonlocal calls
            calls += 1
            if calls > limit:
                raise KeyboardInterrupt
            Path(source).rename(target)

        with monkeypatch.context() as patch:
            patch.setattr("sgdlab.results.ownership.os.replace", killed)
            with pytest.raises(KeyboardInterrupt):
                put(tmp_path, content=f"new {limit}")
    put(tmp_path, content="last")
    assert not list(tmp_path.rglob("*.part"))
    assert set(files(tmp_path).values()) == {"last"}


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file: a file, not a folder"):
        put(tmp_path / "file" / "report")
