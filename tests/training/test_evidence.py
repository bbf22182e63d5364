"""What evidence says of code, files and versions, one by one."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from sgdlab.config.sources import sources_of, targets_in
from sgdlab.steps.streams import seeded
from sgdlab.training.evidence import Evidence, content_of, evidence_of
from trainer_runs import config_of


def test_shipped_parts_have_versions_and_nothing_else() -> None:
    found = evidence_of(config_of("dataset=wine", "optimizer=adamw"), "ab")
    expected = {"torch": torch.__version__, "numpy": np.__version__}
    assert (found.data, found.code, found.files) == ("ab", {}, {})
    assert {name: str(v).partition("+")[0] for name, v in found.versions.items()} == {
        name: v.partition("+")[0] for name, v in expected.items()
    }


def test_sources_are_followed_without_importing_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in {
        "evi_a.py": "import json, torch, evi_b as b\nraise RuntimeError('is not imported')\n",
        "evi_b.py": "def f():\n    from evi_pack.inner import thing\n",
        "evi_pack/__init__.py": "",
        "evi_pack/inner.py": "from .. import nothing\nfrom . import sibling\nfrom .far import x\n",
        "evi_pack/sibling.py": "import importlib\nimportlib.import_module('evi_late')\n",
        "evi_pack/far.py": "x = 1\n",
        "evi_pack/unused.py": "",
        "evi_late.py": "",
        "evi_other.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    section = {"_target_": "evi_a.Model", "parts": [{"inner": {"_target_": "torch.nn.Linear"}}]}
    found = sources_of(targets_in(section))
    own = {name for name, known in found.items() if known is not None}
    assert own == {
        "evi_a", "evi_b", "evi_pack", "evi_pack.inner", "evi_pack.sibling", "evi_pack.far",
        "evi_late",
    }  # fmt: skip
    assert found["torch"] is None
    assert not [name for name in sys.modules if name.startswith("evi_")]


def test_a_folder_is_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.bin").write_bytes(b"12")
    first = content_of(str(folder))
    (folder / "deep" / "a.bin").write_bytes(b"13")
    second = content_of(str(folder))
    (folder / "deep" / "a.bin").rename(folder / "a.bin")
    assert len({first, second, content_of(str(folder)), None}) == 4
    assert content_of(str(tmp_path / "nowhere")) is None


def test_a_file_that_the_run_has_changed_itself_is_no_evidence(tmp_path: Path) -> None:
    log, weights = tmp_path / "log.txt", tmp_path / "w.pt"
    for file in (log, weights):
        file.write_text("before")
    evidence = Evidence(files={str(f): content_of(str(f)) for f in (log, weights)})
    assert evidence.undisturbed() is evidence
    log.write_text("before and after")
    assert set(evidence.undisturbed().files) == {str(weights)}
    weights.unlink()
    assert Evidence().changes(evidence) == [f"other files ({log} changed)"]


def test_versions_that_are_not_known_are_no_change() -> None:
    before = Evidence(versions={"torch": "2.12", "sklearn": None, "timm": "1", "einops": "3"})
    now = Evidence(versions={"torch": "2.13", "sklearn": "1.5", "timm": None})
    assert now.other_versions(before) == ["torch 2.12 (now 2.13)"]


class _Drawn(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> list[float]:
        return [np.random.rand(), np.random.default_rng().random(), float(torch.rand(()))]  # noqa: NPY002


def test_workers_of_a_data_loader_draw_what_the_seed_says() -> None:
    def drawn(seed: int) -> list:
        with seeded(seed, devices=[]):
            return [
                batch.tolist() for part in DataLoader(_Drawn(), num_workers=1) for batch in part
            ]

    assert drawn(1) == drawn(1)
    assert not {str(v) for v in drawn(1)} & {str(v) for v in drawn(2)}
