"""Damage at random is named, or changes nothing."""

from pathlib import Path

import pytest

import corrupt


@pytest.mark.slow
def test_no_damage_gives_other_numbers_in_silence(tmp_path: Path) -> None:
    found = corrupt.campaign(4 * len(corrupt.KINDS), seed=1, folder=tmp_path)
    assert found.total() == 4 * len(corrupt.KINDS)
    assert not [key for key in found if key[2].isupper()]
    assert {verdict for _, _, verdict in found} == {"equal", "refused"}
