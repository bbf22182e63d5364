from pathlib import Path

import pytest

from sgdlab.errors import InputError
from sgdlab.results import STEP_COLUMNS, refuse_foreign, write_config
from sgdlab.results.foreign import _NAMES


@pytest.mark.parametrize("name", sorted(_NAMES))
def test_a_file_of_someone_else_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a: user's own\n")
    with pytest.raises(InputError, match=f"{name}: not sgdlab's"):
        refuse_foreign(tmp_path)


def test_other_files_are_no_concern_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    refuse_foreign(tmp_path)
    refuse_foreign(tmp_path / "missing")


def test_a_damaged_run_is_a_run(tmp_path: Path) -> None:
    write_config(tmp_path, {"lr": 0.1})
    (tmp_path / "steps.csv").write_bytes(b"\0" * 100)
    (tmp_path / "error.txt").write_text("Traceback")
    refuse_foreign(tmp_path)
    (tmp_path / "config.yaml").write_text("")
    (tmp_path / "steps.csv").write_text(",".join(STEP_COLUMNS) + "\n")
    refuse_foreign(tmp_path)


def test_what_a_power_cut_left_empty_is_nobodys(tmp_path: Path) -> None:
    for name in ("config.yaml", "steps.csv"):
        (tmp_path / name).write_bytes(b"\0" * 9 if name == "config.yaml" else b"")
    refuse_foreign(tmp_path)


def test_a_link_is_refused_in_a_run_of_ours(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_config(run, {"lr": 0.1})
    (tmp_path / "elsewhere.csv").write_text("precious")
    (run / "steps.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(InputError, match=r"steps.csv: a link"):
        refuse_foreign(run)
