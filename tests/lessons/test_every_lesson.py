"""Every file of conf/experiment/lessons: its header, and that it shows what it says."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from cli_runs import Cli
from lesson_files import RunFiles, numbers_in, shows
from seen import SEEN

from sgdlab.config.catalogue import conf_dir

LESSONS = sorted((conf_dir() / "experiment" / "lessons").glob("*.yaml"))
QUICK = ("lr_gap",)


def marked(path: Path) -> object:
    return pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_header_has_a_description_the_command_and_what_to_expect(path: Path):
    package, description, *rest = path.read_text().splitlines()
    assert package == "# @package _global_"
    assert 20 <= len(description) <= 100
    header = [line[2:] for line in rest[: rest.index("defaults:")]]
    assert f"sgdlab train experiment=lessons/{path.stem}" in header
    assert re.search(r"\bExpected\b", " ".join(header))
    content = yaml.safe_load(path.read_text())
    assert content["hydra"]["run"]["dir"] == f"runs/lessons/{path.stem}"


def test_every_lesson_is_recomputed_here():
    assert {path.stem for path in LESSONS} == set(SEEN)


@pytest.mark.parametrize("path", [marked(path) for path in LESSONS])
def test_the_lesson_shows_what_it_expects_with_the_numbers_of_its_runs(path: Path, sgdlab: Cli):
    section = yaml.safe_load(path.read_text())["lesson"]
    result = sgdlab("train", f"experiment=lessons/{path.stem}")
    assert result.code == 0, result.err
    title, *plot, first, second, picture = result.out.splitlines()
    assert title == section["title"]
    assert len(plot) > 15
    assert picture == f"runs/lessons/{path.stem}/lesson.svg"
    assert "This time the runs do not show" not in second
    for sentence in (first, second):
        assert re.fullmatch(r"[A-Z][^{}]*[^.]\.", sentence)
        assert not re.search(r"[.!?] [A-Z]", sentence), "more than one sentence"
    folder = sgdlab.folder / "runs/lessons" / path.stem
    runs = {name: RunFiles(folder / name) for name in section["runs"]}
    expected = SEEN[path.stem](runs)
    printed = numbers_in(f"{first} {second}")
    assert len(printed) == len(expected), (printed, expected)
    for text, value in zip(printed, expected, strict=True):
        assert shows(text, value), (text, value, printed)
    texts = " ".join(t for e in ElementTree.parse(folder / "lesson.svg").iter() if (t := e.text))
    assert title in texts
    assert (folder / "lesson.txt").read_text() == f"{first}\n{second}\n"
