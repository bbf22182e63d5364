"""``sgdlab train experiment=lessons/NAME``: a few short runs, a plot and two sentences."""

import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.job import Job
from sgdlab.errors import InputError
from sgdlab.lessons.lesson import Lesson, lesson_of
from sgdlab.lessons.runs import read_run
from sgdlab.lessons.sentences import sentences_of
from sgdlab.results import FAILED, Cell, Written, has_run
from sgdlab.results.lock import held
from sgdlab.sweeps.preflight import Checks
from sgdlab.terminal.display import shown
from sgdlab.terminal.notices import warn
from sgdlab.terminal.progress import NoDisplay, SweepDisplay
from sgdlab.training.folder import finished
from sgdlab.training.run import train_run

PICTURE = "lesson.svg"
SENTENCES = "lesson.txt"
WIDTH = 64


@dataclass(frozen=True)
class CheckedLesson:
    """A lesson that was checked: its runs, and the overrides that were typed for all of them."""

    lesson: Lesson
    jobs: list[Job]
    typed: tuple[str, ...]


def check_lesson(composed: DictConfig) -> CheckedLesson:
    """Refuse a lesson before any of its runs has left a file; return what makes it.

    Args:
        composed: The config of the lesson, with its ``hydra`` section.

    Raises:
        InputError: Its section is broken, or one of its runs cannot be built.
    """
    ready = _prepared(composed)
    folder = _folder(composed.hydra.run.dir, ready.typed)
    if (folder / "config.yaml").is_file():
        raise InputError(f"{folder} holds a run: choose another hydra.run.dir")
    _written(folder).refuse_others((PICTURE, SENTENCES), partial(_is_older, folder))
    checks = Checks()
    for name, job in zip(ready.lesson.runs, ready.jobs, strict=True):
        checks.of(job.config)
        finished(folder / name, job.config, job.run_id)
    return ready


def run_lesson(ready: CheckedLesson, directory: Path) -> dict[str, Cell]:
    """Make the runs of a lesson that are not finished, draw them, and say what they show.

    Args:
        ready: What `check_lesson` returned.
        directory: Where the lesson goes.

    Returns:
        The summary of the last run.

    Raises:
        SystemExit: With code 1 when a run failed.
    """
    folder, jobs = _folder(directory, ready.typed), ready.jobs
    places = [folder / name for name in ready.lesson.runs]
    with held(folder, jobs[0].config.lock, warn):
        return _made(ready, folder, places)


def _made(ready: CheckedLesson, folder: Path, places: Sequence[Path]) -> dict[str, Cell]:
    lesson, jobs = ready.lesson, ready.jobs
    with SweepDisplay("lesson", places):
        summaries = [
            train_run(job.config, place, NoDisplay())
            for job, place in zip(jobs, places, strict=True)
        ]
    for name, summary in zip(lesson.runs, summaries, strict=True):
        if summary["status"] == FAILED:
            print(f"sgdlab: the run {name} failed: {summary['reason']}", file=sys.stderr)
            raise SystemExit(1)
    from sgdlab.lessons.picture import draw, in_terminal  # matplotlib is slow to import

    runs = [
        read_run(name, own, place)
        for (name, own), place in zip(lesson.runs.items(), places, strict=True)
    ]
    sentences = "".join(f"{sentence}\n" for sentence in sentences_of(lesson, runs))
    written = _written(folder)
    written.refuse_others((PICTURE, SENTENCES), partial(_is_older, folder))
    written.write(PICTURE, draw(lesson, runs, jobs[0].config))
    written.write(SENTENCES, sentences)
    terminal = sys.stdout.isatty()
    room = shutil.get_terminal_size().columns - 16
    width = max(24, min(WIDTH, room)) if terminal else WIDTH
    print(lesson.title)
    print(in_terminal(lesson, runs, width=width, colours=terminal))
    print(sentences + f"{shown(folder)}/{PICTURE}")
    return summaries[-1]


def _written(folder: Path) -> Written:
    return Written(folder, "move it: it is made anew")


def _is_older(folder: Path, name: str) -> bool:
    """Say whether a file is of an older version, which kept no record: it lies beside runs."""
    return has_run(folder) and (folder / name).is_file()


def _prepared(composed: DictConfig) -> CheckedLesson:
    section = composed.lesson
    plain = (
        OmegaConf.to_container(section, resolve=True) if OmegaConf.is_config(section) else section
    )
    lesson = lesson_of(plain)
    typed = tuple(composed.hydra.overrides.task)
    _refuse_the_lessons_own(lesson, typed)
    loader = QuickLoader(GlobalHydra.instance().config_loader().get_search_path())
    jobs = [loader.job(composed, [*typed, *own, "lesson=null"]) for own in lesson.runs.values()]
    return CheckedLesson(lesson, jobs, typed)


def _refuse_the_lessons_own(lesson: Lesson, typed: Sequence[str]) -> None:
    """Refuse an override of a key by which the runs of a lesson differ."""
    for override in typed:
        key = _key(override)
        own = [o for overrides in lesson.runs.values() for o in overrides if _key(o) == key]
        if own:
            raise InputError(
                f"{override}: the runs of this lesson differ in {key} ({', '.join(own)}): "
                "leave it out"
            )


def _folder(directory: str | Path, typed: Sequence[str]) -> Path:
    """Return where a lesson goes: with ``seed=1`` typed, a folder of that name in its own."""
    further = [override for override in typed if _key(override) != "experiment"]
    name = re.sub(r"[^\w.,=+-]+", "_", ",".join(sorted(further)))
    return Path(directory) / name if name else Path(directory)


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
