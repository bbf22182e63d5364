"""Starts the same command twice at the same instant in one folder, many times over.

    python scripts/pairs.py --pairs 50 [KIND ...]

Of each pair one process may be refused in one line, with exit code 2; the other, or both, must
leave what one process alone leaves. Both are forks of this one, which has imported everything, so
that a pair takes about a second.
"""

import argparse
import contextlib
import csv
import filecmp
import importlib
import io
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from sgdlab import cli
from sgdlab.results import TIME_AND_MEMORY

QUICK = "dataset=wine model=linear schedule=constant epochs=3"
SWEEP = f"train -m {QUICK} optimizer=sgd,adam seed=0,1,2 study=s"
KINDS = {
    "train": f"train {QUICK} checkpoint.every=3 hydra.run.dir=run",
    "train-wait": f"train {QUICK} checkpoint.every=3 hydra.run.dir=run lock=wait",
    "sweep": f"{SWEEP} checkpoint.every=3",
    "sweep-wait": f"{SWEEP} checkpoint.every=3 lock=wait",
    "stacked": f"{SWEEP} checkpoint.every=3 hydra/launcher=stacked",
    "compare": f"compare {QUICK} optimizers=[sgd,adam] trials=2 seeds=2 replicates=1 study=c",
    "lr-find": f"lr-find {QUICK} hydra.run.dir=lr",
    "report": "report s --out rep --formats svg",
}
BEFORE = {"report": SWEEP.replace("study=s", "hydra.sweep.dir=s study=s")}
"""What is made before a kind begins, once: seconds differ from one time to the next."""


def fork(command: str, folder: Path, name: str, start: int) -> int:
    """Return the number of a process that runs a command once ``start`` can be read."""
    if (pid := os.fork()) != 0:
        return pid
    code = 70
    try:
        os.chdir(folder)
        for stream, ending in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{name}.{ending}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), stream)
        sys.argv = ["sgdlab", *command.split()]
        os.read(start, 1)
        with contextlib.suppress(SystemExit):
            code = cli.main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(command: str, folder: Path, count: int) -> list[int]:
    """Run a command so many times at once; return the exit codes."""
    start, go = os.pipe()
    pids = [fork(command, folder, f"log{number}", start) for number in range(count)]
    os.write(go, b"." * count)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    os.close(start)
    os.close(go)
    return codes


def timeless(path: Path) -> list[str]:
    """Return the rows of a table, sorted, without what differs between executions."""
    table = csv.DictReader(io.StringIO(path.read_text()))
    rows = ({k: v for k, v in row.items() if k not in TIME_AND_MEMORY} for row in table)
    return sorted(map(str, rows))


def differences(alone: Path, pair: Path) -> list[str]:
    """Return which tables of a pair are not those of one process."""
    found: list[str] = []
    for path in sorted(alone.rglob("*.csv")):
        other = pair / path.relative_to(alone)
        if not other.is_file():
            found.append(f"{path.relative_to(alone)} is missing")
        elif not _alike(path, other):
            found.append(f"{path.relative_to(alone)} differs")
    return found


def _alike(one: Path, other: Path) -> bool:
    if one.name == "steps.csv":
        return filecmp.cmp(one, other, shallow=False)
    decided_by_seconds = {"timing", "report"} & set(one.parts)
    return bool(decided_by_seconds) or timeless(one) == timeless(other)


def wrong(codes: list[int], folder: Path, alone: Path) -> list[str]:
    """Return what is wrong with a pair."""
    found = differences(alone, folder)
    if 0 not in codes or set(codes) - {0, 2}:
        found.append(f"exit codes {codes}")
    for number, code in enumerate(codes):
        lines = (folder / f"log{number}.err").read_text().splitlines()
        said = [line for line in lines if not line.startswith("sgdlab: note: ")]
        if code == 2 and not (len(said) == 1 and "held by process" in said[0]):
            found.append(f"refused with {said}")
    return [*found, *(f"{path.name} is left" for path in folder.rglob(".sgdlab.*"))]


def main() -> int:
    parser = argparse.ArgumentParser(description="Start the same command twice at once.")
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], default=[])
    parser.add_argument("--pairs", type=int, default=50)
    options = parser.parse_args()
    for module in (*(module for module, _ in cli.COMMANDS.values()), "torch._dynamo"):
        importlib.import_module(module)
    failed = 0
    for kind in options.kinds or KINDS:
        command, outcomes = KINDS[kind], Counter[str]()
        with tempfile.TemporaryDirectory() as root:
            before = Path(root) / "before"
            before.mkdir()
            if kind in BEFORE:
                run(BEFORE[kind], before, 1)
            for number in range(options.pairs + 1):
                folder = Path(root) / str(number)
                shutil.copytree(before, folder)
                codes = run(command, folder, 2 if number else 1)
                if number:
                    problems = wrong(codes, folder, Path(root) / "0")
                    failed += bool(problems)
                    outcomes[" ".join(map(str, sorted(codes)))] += 1
                    for problem in problems:
                        print(f"{kind}, pair {number}: {problem}", flush=True)
        said = ", ".join(f"{count} with exits {codes}" for codes, count in outcomes.items())
        print(f"{kind}: {options.pairs} pairs: {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
