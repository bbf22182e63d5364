"""Run an experiment, and say whether the finding of its source was seen.

    python experiments/run.py edge_of_stability
    python experiments/run.py edge_of_stability --record   # its figures and picture go to docs
    python experiments/run.py --page                       # docs/results.md, from what is recorded
    python experiments/run.py edge_of_stability --larger   # the version for a GPU

Runs go to ``runs/experiments/NAME/STUDY`` of the working directory; those that are finished are
not made again. Exit code 0: every figure is within its tolerance of the recorded one; 1: one is
not, or a run failed; 2: no such experiment.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiment import HERE, Experiment, Seen, experiments, read, read_records, write_records
from measures import value
from page import PAGE, page
from sgdlab.api.load import load
from sgdlab.api.study import Study
from sgdlab.errors import InputError


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _options(words)
    try:
        if options.page:
            PAGE.write_text(page(), encoding="utf-8")
            print(PAGE)
            return 0
        return run(read(options.name), options)
    except InputError as error:
        print(f"experiments: {error}", file=sys.stderr)
        return 2


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("name", nargs="?", help=f"one of {', '.join(experiments())}")
    what.add_argument("--page", action="store_true", help="write docs/results.md")
    parser.add_argument("--larger", action="store_true", help="the version for a GPU")
    parser.add_argument("--as-is", action="store_true", help="make no runs: figures of those there")
    parser.add_argument("--record", action="store_true", help="keep the figures, for docs")
    parser.add_argument("--out", type=Path, default=Path("runs/experiments"), help="where runs go")
    return parser.parse_args(words)


def run(experiment: Experiment, options: argparse.Namespace) -> int:
    """Make the runs that are not finished, then the figures; return the exit code."""
    larger = options.larger
    folder = options.out / (f"{experiment.name}_larger" if larger else experiment.name)
    begun = time.monotonic()
    for study, overrides in [] if options.as_is else experiment.studies.items():
        more = experiment.larger.get(study, []) if larger else []
        code = _train([*experiment.common, *overrides, *more], folder / study)
        if code:
            print(f"experiments: {study} ended with code {code}", file=sys.stderr)
            return 1
    studies = {study: load(folder / study) for study in experiment.studies}
    found = [Seen.of(figure, value(studies, figure.measure)) for figure in experiment.figures]
    known = {} if larger else read_records(experiment.name)
    print(f"{experiment.title} ({experiment.source})")
    for seen in found:
        print(seen.line(known.get(seen.figure.name)))
    print(f"{time.monotonic() - begun:.0f} s, {folder}")
    _draw(experiment, studies, folder, options.record)
    if options.record:
        write_records(experiment.name, found)
        return 0
    return int(any(seen.differs_from(known.get(seen.figure.name)) for seen in found))


def _train(overrides: Sequence[str], folder: Path) -> int:
    # Parts of experiments come in as those of a user do.
    command = [
        sys.executable, "-m", "sgdlab", "train", "-m", *overrides,
        "--config-dir", str(HERE), f"hydra.sweep.dir={folder}",
    ]  # fmt: skip
    return subprocess.run(
        command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    ).returncode


def _draw(experiment: Experiment, studies: Mapping[str, Study], folder: Path, keep: bool) -> None:
    from pictures import draw  # matplotlib is slow to import

    picture = draw(experiment.picture, studies)
    (folder / "result.svg").write_bytes(picture)
    if keep:
        (PAGE.parent / "results" / f"{experiment.name}.svg").write_bytes(picture)


if __name__ == "__main__":
    raise SystemExit(main())
