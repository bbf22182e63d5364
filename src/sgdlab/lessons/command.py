"""``sgdlab train experiment=lessons/NAME``: a few short runs, a plot and two sentences."""

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from sgdlab.config.compose.loader import Job, QuickLoader
from sgdlab.config.gate import NO_SWEEP
from sgdlab.errors import InputError
from sgdlab.lessons.lesson import Lesson, lesson_of
from sgdlab.lessons.ran import read_run
from sgdlab.lessons.sentences import say
from sgdlab.results import FAILED, Cell, atomic_write
from sgdlab.sweep.preflight import Checks
from sgdlab.terminal.display import shown
from sgdlab.terminal.progress import NoDisplay, SweepDisplay
from sgdlab.training.run import finished, run_experiment

PICTURE = "lesson.svg"
SENTENCES = "lesson.txt"
WIDTH = 64

_kept: dict[tuple[str, ...], tuple[Lesson, list[Job]]] = {}
"""Composed for `check_lesson`, until `run_lesson` takes them; by place and overrides."""


def check_lesson(composed: DictConfig) -> None:
    """Refuse a lesson before any of its runs has left a file.

    Args:
        composed: With its ``hydra`` section.

    Raises:
        InputError: Its section is broken, or one of its runs cannot be built.
    """
    lesson, jobs = _prepared(composed)
    folder = _folder(composed.hydra.run.dir, composed.hydra.overrides.task)
    if (folder / "config.yaml").is_file():
        raise InputError(f"{folder} holds a run: choose another hydra.run.dir")
    checks = Checks()
    for name, job in zip(lesson.runs, jobs, strict=True):
        checks.of(job.settled, lambda job=job: job.config)
        finished(folder / name, job.run_id, bool(job.settled["resume"]))
    _kept.clear()
    _kept[_place(composed.hydra)] = lesson, jobs


def run_lesson(composed: DictConfig) -> dict[str, Cell]:
    """Make the runs of a lesson that are not finished, draw them, and say what they show.

    Returns:
        The summary of the last run.

    Raises:
        InputError: It is swept, or its section is broken.
        SystemExit: With code 1 when a run failed.
    """
    hydra_config = HydraConfig.get()
    if hydra_config.mode == RunMode.MULTIRUN:
        raise InputError(f"-m: {NO_SWEEP}")
    with read_write(composed), open_dict(composed):
        composed.hydra = hydra_config
    lesson, jobs = _kept.pop(_place(composed.hydra), None) or _prepared(composed)
    folder = _folder(hydra_config.runtime.output_dir, hydra_config.overrides.task)
    places = [folder / name for name in lesson.runs]
    with SweepDisplay("lesson", places):
        summaries = [
            run_experiment(job.config, place, NoDisplay())
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
    found = say(lesson, runs)
    sentences = f"{found.first}\n{found.second}\n"
    atomic_write(folder / PICTURE, draw(lesson, runs, jobs[0].config))
    atomic_write(folder / SENTENCES, sentences)
    terminal = sys.stdout.isatty()
    room = shutil.get_terminal_size().columns - 16
    width = max(24, min(WIDTH, room)) if terminal else WIDTH
    print(lesson.title)
    print(in_terminal(lesson, runs, width=width, colours=terminal))
    print(sentences + f"{shown(folder)}/{PICTURE}")
    return summaries[-1]


def _prepared(composed: DictConfig) -> tuple[Lesson, list[Job]]:
    section = composed.lesson
    plain = (
        OmegaConf.to_container(section, resolve=True) if OmegaConf.is_config(section) else section
    )
    lesson = lesson_of(plain)
    typed = list(composed.hydra.overrides.task)
    _refuse_the_lessons_own(lesson, typed)
    loader = QuickLoader(GlobalHydra.instance().config_loader().get_search_path())
    jobs = [loader.job(composed, [*typed, *own, "lesson=null"]) for own in lesson.runs.values()]
    return lesson, jobs


def _place(hydra: Any) -> tuple[str, ...]:
    return (hydra.runtime.cwd, hydra.run.dir, *hydra.overrides.task)


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


def _folder(directory: str, typed: Sequence[str]) -> Path:
    """Return where a lesson goes: with ``seed=1`` typed, a folder of that name in its own."""
    further = [override for override in typed if _key(override) != "experiment"]
    name = re.sub(r"[^\w.,=+-]+", "_", ",".join(sorted(further)))
    return Path(directory) / name if name else Path(directory)


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
