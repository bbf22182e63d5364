"""Groups of the same data have one copy of it on a device."""

from pathlib import Path

import torch
from stacked_runs import jobs

from sgdlab.stacked.group import Group, StackPlanner


def _groups(folder: Path, *varied: list[str]) -> list[Group]:
    common = ["dtype=float64"]  # another type than that of the data, so that moving them copies
    groups, others = StackPlanner().of(jobs(folder, common, varied))
    assert not others
    return groups


def test_groups_of_the_same_data_share_one_copy(tmp_path: Path) -> None:
    varied = [["batch_size=32"], ["model.hidden=[8]"], ["optimizer=adam"]]
    groups = _groups(tmp_path, *varied)
    assert len(groups) == 3
    for split in ("train", "val", "test"):
        copies = {getattr(group.data, split).x.data_ptr() for group in groups}
        assert len(copies) == 1
        assert getattr(groups[0].data, split).x.dtype == torch.float64


def test_other_data_and_other_layouts_have_their_own(tmp_path: Path) -> None:
    varied = [[], ["dataset=wine"], ["split.seed=1"], ["model=cnn"]]
    groups = _groups(tmp_path, *varied)
    assert len({group.data.train.x.data_ptr() for group in groups}) == 4
    assert groups[0].data.train.x.ndim == 2
    assert groups[3].data.train.x.ndim == 4


def test_targets_that_agree_only_when_divided_keep_their_scales(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("x,y\n" + "".join(f"{i},{i % 7}\n" for i in range(40)))
    (tmp_path / "two.csv").write_text("x,y\n" + "".join(f"{i},{8 * (i % 7)}\n" for i in range(40)))
    common = [
        "dataset=table",
        "dataset.target=y",
        "task=regression",
        "model=linear",
        "batch_size=8",
    ]
    varied = [[*common, f"dataset.path={tmp_path / name}.csv"] for name in ("one", "two")]
    one, two = _groups(tmp_path, *varied)
    assert one.data.fingerprint == two.data.fingerprint
    assert two.data.target_scale == 8 * one.data.target_scale
