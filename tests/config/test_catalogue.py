"""What members are called elsewhere, and names that are none."""

import re

import pytest

from sgdlab.config.catalogue import groups, members, members_meant, suggest_member
from sgdlab.startup import conf_dir


def _called_elsewhere() -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for file in sorted(conf_dir().glob("*/**/*.yaml")):
        group, *rest = file.relative_to(conf_dir()).with_suffix("").parts
        said = re.search(r"^# Elsewhere: (.*)$", file.read_text(), re.MULTILINE)
        found += [(group, name, "/".join(rest)) for name in (said[1].split(", ") if said else ())]
    return found


ELSEWHERE = _called_elsewhere()


@pytest.mark.parametrize(("group", "name", "member"), ELSEWHERE)
def test_a_name_of_other_tools_means_the_member_that_says_so(group: str, name: str, member: str):
    assert name not in members(group)
    assert [own for own, other, _ in ELSEWHERE if (own, other) == (group, name)] == [group]
    assert members_meant(group, name) == [member]
    assert members_meant(group, name.upper()) == [member]


def test_no_schedule_at_all_is_the_constant_one():
    assert suggest_member("schedule", "none") == "did you mean constant?"


@pytest.mark.parametrize("group", [g for g in groups() if any("/" in m for m in members(g))])
def test_a_member_in_a_folder_is_found_by_its_last_part(group: str):
    for member in (name for name in members(group) if "/" in name):
        leaf = member.rpartition("/")[2]
        for typed in (leaf, f"{leaf}x", f"{member}x"):
            assert members_meant(group, typed)[0] == member


def test_a_folder_of_members_shows_them():
    said = suggest_member("experiment", "lessons")
    assert said.startswith("a folder of members; valid: lessons/batch_modes, ")
