"""Damages files of runs at random, and looks what sgdlab makes of them.

    python scripts/corrupt.py --count 240 --seed 0

Small sweeps are trained, in both engines, to their end and half-way. Each trial copies one, damages
a file, and has it read and gone on with. It is right where all numbers are those of the undamaged
sweep, or where the damage is named in one line and no other run suffers. Exit code 1 otherwise.
"""

import argparse
import contextlib
import csv
import io
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from hydra.core.global_hydra import GlobalHydra

from sgdlab import cli, signals
from sgdlab.analysis.load import load
from sgdlab.diagnosis.reading import read_runs
from sgdlab.results import ENDED, TIME_AND_MEMORY, UNFINISHED, find_runs, read_summary
from sgdlab.stacked.fit import StackFit
from sgdlab.training.steplog import StepLog

SWEEP = (
    "train", "-m", "dataset=wine", "model=mlp", "model.hidden=[6]", "model.dropout=0.2",
    "optimizer=momentum", "batch_size=16", "epochs=6", "seed=0,1,2", "checkpoint.every=7",
    "study=s",
)  # fmt: skip
"""Three runs of 42 steps."""
FILES = (
    "config.yaml", "environment.json", "steps.csv", "evals.csv", "summary.csv", "manifest.json",
    "checkpoint.pt", "checkpoint.previous.pt",
)  # fmt: skip


def truncate(content: bytes, draw: random.Random) -> bytes:
    """Cut off the end."""
    return content[: draw.randrange(len(content))]


def flip(content: bytes, draw: random.Random) -> bytes:
    """Flip one bit."""
    changed = bytearray(content)
    changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def empty(_: bytes, __: random.Random) -> bytes:
    """Leave nothing."""
    return b""


def zeros(content: bytes, draw: random.Random) -> bytes:
    """Fill the end with NUL, as a file system does after a loss of power."""
    start = draw.randrange(len(content))
    return content[:start] + b"\0" * (len(content) - start)


def no_text(content: bytes, draw: random.Random) -> bytes:
    """Put in a byte that is no UTF-8."""
    at = draw.randrange(len(content))
    return content[:at] + b"\xa6" + content[at + 1 :]


def edit(content: bytes, draw: random.Random) -> bytes:
    """Change a digit to another."""
    digits = [at for at, byte in enumerate(content) if 48 <= byte < 58]
    at = draw.choice(digits) if digits else draw.randrange(len(content))
    return content[:at] + bytes([48 + (content[at] - 47) % 10]) + content[at + 1 :]


def last_line(content: bytes, _: random.Random) -> bytes:
    """Cut off the last line, and nothing else."""
    return content[: content[:-1].rfind(b"\n") + 1]


def doubled(content: bytes, _: random.Random) -> bytes:
    """Write the last line twice."""
    return content + content[content[:-1].rfind(b"\n") + 1 :]


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    truncate, flip, empty, zeros, no_text, edit, last_line, doubled,
)  # fmt: skip
KINDS = (*(change.__name__ for change in CHANGES), "swap", "delete", "directory")


def damage(runs: list[Path], draw: random.Random, kind: str) -> tuple[list[Path], str]:
    """Damage a file of one run, or exchange those of two; return the runs and the file."""
    run = draw.choice(runs)
    names = [name for name in FILES if (run / name).is_file()]
    path = run / draw.choice(names)
    if kind == "swap":
        others = [r for r in runs if r != run and (r / path.name).is_file()]
        if not others:
            kind = "delete"
        else:
            other = draw.choice(others)
            content = path.read_bytes()
            path.write_bytes((other / path.name).read_bytes())
            (other / path.name).write_bytes(content)
            return [run, other], path.name
    if kind in ("delete", "directory"):
        path.unlink()
        if kind == "directory":
            path.mkdir()
    else:
        change = next(change for change in CHANGES if change.__name__ == kind)
        path.write_bytes(change(path.read_bytes(), draw))
    return [run], path.name


def command(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run sgdlab in a folder; return its exit code and what it says on stderr."""
    err = io.StringIO()
    GlobalHydra.instance().clear()
    with (
        mock.patch.object(sys, "argv", ["sgdlab", *arguments]),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = cli.main()
        except SystemExit as end:
            code = end.code
    return int(code or 0), err.getvalue()


@contextlib.contextmanager
def stopped_half_way() -> Iterator[None]:
    """Interrupt a stack at its 24th step, or the second run that trains alone."""
    alone, block, begun = StepLog.add, StackFit._block, [0]

    def add(self: StepLog, at: Any, *values: Any) -> None:
        begun[0] += at.step == 1
        if begun[0] == 2 and at.step == 24:
            raise signals.Interrupted
        alone(self, at, *values)

    def some(self: StackFit, epoch: int, done: int, stop: int) -> None:
        if self.step >= 21:
            raise signals.Interrupted
        block(self, epoch, done, stop)

    with mock.patch.object(StepLog, "add", add), mock.patch.object(StackFit, "_block", some):
        yield


def timeless(path: Path) -> list[dict[str, str]] | None:
    """Return a table without what differs between executions; None where it cannot be read."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    return [{k: v for k, v in row.items() if k not in TIME_AND_MEMORY} for row in rows]


def same(one: Path, other: Path) -> bool:
    """Say whether two folders hold the same run."""
    names = ("steps.csv", "evals.csv", "summary.csv")
    return all(timeless(one / name) == timeless(other / name) != None for name in names)  # noqa: E711


def same_numbers(one: Any, other: Any) -> bool:
    """Say whether two tables by column are the same."""
    return one.keys() == other.keys() and all(
        np.array_equal(one[key].astype(str), other[key].astype(str)) for key in one
    )


def silent_in_readers(study: Path, whole: Path) -> list[str]:
    """Return the names of ended runs of which readers give other numbers without a word."""
    found: set[str] = set()
    there, expected = load([study]), load([whole])
    known = {Path(row["directory"]).name: i for i, row in enumerate(expected.rows)}
    said = "\n".join(there.problems)
    listed = {Path(row["directory"]).name for row in there.rows}
    ended = {name for name in known if expected.rows[known[name]]["status"] in ENDED}
    found |= {name for name in ended - listed if name not in said}
    for index, row in enumerate(there.rows):
        name = Path(row["directory"]).name
        if name not in ended or name in said or row["status"] == UNFINISHED:
            continue  # one that has not ended is in no comparison, and counted
        own, other = {**row}, {**expected.rows[known[name]]}
        del own["directory"], other["directory"]
        tables = ((there.evals, expected.evals), (there.steps, expected.steps))
        equal = own == other and there.configs[index] == expected.configs[known[name]]
        if not equal or not all(same_numbers(a[index], b[known[name]]) for a, b in tables):
            found.add(name)
    runs, damages = read_runs(find_runs([study]))
    before = {run.directory.name: run for run in read_runs(find_runs([whole]))[0]}
    for run in runs:
        name = run.directory.name
        if name in ended and run.summary and name not in "\n".join(damages):
            other = before[name]
            tables = ((run.steps, other.steps), (run.evaluations, other.evaluations))
            if run.summary != other.summary or not all(same_numbers(*pair) for pair in tables):
                found.add(name)
    return sorted(found)


def trial(start: Path, end: Path, work: Path, sweep: tuple[str, ...], kind: str, seed: int) -> str:
    """Damage a copy of a sweep, and return what became of it: the first word is the verdict.

    Args:
        start: The sweep, finished or not.
        end: The same sweep, finished and undamaged.
        work: Where the copy is made.
        sweep: The command.
        kind: How to damage it.
        seed: Decides the rest.
    """
    draw = random.Random(seed)
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(start, work)
    study = work / "runs" / "s"
    runs = sorted(path for path in study.iterdir() if path.is_dir())
    hit, name = damage(runs, draw, kind)
    names = {run.name for run in hit}
    try:
        silent = silent_in_readers(study, start / "runs" / "s")
    except Exception as error:
        return f"TRACEBACK {name}: readers raise {type(error).__name__}: {str(error)[:100]}"
    if silent:
        return f"SILENT {name}: readers give other numbers for {silent}"
    code, err = command(work, *sweep)
    if "Traceback" in err:
        return f"TRACEBACK {name}: {err.strip().splitlines()[-1]}"
    verdict = "equal"
    for whole in sorted(path for path in (end / "runs" / "s").iterdir() if path.is_dir()):
        if same(study / whole.name, whole):
            continue
        if whole.name not in names:
            return f"SPREAD {name}: {whole.name} suffers, too (exit {code}): {err.strip()[-200:]}"
        if code == 0 or not (name in err or whole.name in err):
            return f"SILENT {name}: {whole.name} has other numbers, exit {code}"
        verdict = "refused"
    said = any(run in err for run in names)
    if verdict == "equal" and code != 0:
        if not said:
            return f"FAILED {name}: all is equal, exit {code}: {err.strip()[-200:]}"
        verdict = "refused"  # such as a folder in the place of a file that no number is read from
    return f"{verdict} {name}: {'named' if said else 'not named'}"


def prepared(folder: Path) -> list[tuple[str, Path, Path, tuple[str, ...]]]:
    """Train the sweeps; return state, sweep, the same sweep finished, and the command of each."""
    found: list[tuple[str, Path, Path, tuple[str, ...]]] = []
    for engine in ("sequential", "stacked"):
        sweep = (*SWEEP, f"engine={engine}")
        whole, half = folder / f"{engine}-whole", folder / f"{engine}-half"
        for place in (whole, half):
            place.mkdir()
            with stopped_half_way() if place == half else contextlib.nullcontext():
                command(place, *sweep)
            found.append((place.name, place, whole, sweep))
        ended = [read_summary(run) is not None for run in find_runs([half])]
        assert not all(ended), f"{half}: not interrupted"
        assert len(find_runs([whole])) == 3, f"{whole}: not trained"
    return found


def campaign(count: int, seed: int, folder: Path) -> Counter[tuple[str, str, str]]:
    """Make trials; return how many there were by state, kind and verdict, and print the bad ones.

    Args:
        count: How many, shared by states and kinds.
        seed: The first seed of a trial.
        folder: An empty folder to work in.
    """
    places = prepared(folder)
    found: Counter[tuple[str, str, str]] = Counter()
    for number in range(count):
        state, start, end, sweep = places[number % len(places)]
        kind = KINDS[number // len(places) % len(KINDS)]
        told = trial(start, end, folder / "work", sweep, kind, seed + number)
        verdict = told.partition(" ")[0]
        found[state, kind, verdict] += 1
        if verdict.isupper() or os.environ.get("SHOW_ALL"):
            print(f"{number} {state} {kind}: {told}", flush=True)
    return found


def main() -> int:
    """Run the campaign; return 1 where damage went unseen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=240, help="corruptions (default: 240)")
    parser.add_argument("--seed", type=int, default=0, help="of the first one (default: 0)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(options.count, options.seed, Path(folder))
    verdicts: Counter[str] = Counter()
    for (state, kind, verdict), count in sorted(found.items()):
        print(f"{state:17} {kind:10} {verdict:9} {count}")
        verdicts[verdict] += count
    print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))
    return int(any(verdict.isupper() for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
