"""Kills commands at random instants, starts them again, and looks whether anything differs.

    python scripts/kill.py --count 200 --seed 0 --folder /dev/shm --folder .

Runs, sweeps in both engines, comparisons and reports are made once without harm. Then each is
made again and killed (SIGKILL) at a random instant, up to three times, before it may end. All its
CSVs must be those of the first time, apart from time and memory. Exit code 1 otherwise.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # threads do not survive a fork

from sgdlab import cli
from sgdlab.commands import compare, report, train
from sgdlab.config.catalogue import members
from sgdlab.results import TIME_AND_MEMORY

LOADED = (compare, report, train)
"""Imported before children are made, so that none has to."""

ONE = ("dataset=wine", "model=mlp", "model.hidden=[6]", "model.dropout=0.2", "batch_size=16",
       "epochs=8", "checkpoint.every=9", "study=s")  # fmt: skip
COMPARE = ("compare", "dataset=wine", "model=linear", "schedule=constant", "study=s", "epochs=3",
           "optimizers=[sgd,adam]", "trials=3", "replicates=2", "seeds=2")  # fmt: skip
_BY_TIME = {"report/comparison.csv", "report/budget.csv"}
_LIMIT = 600.0


@dataclass(frozen=True)
class Scenario:
    """A command that is killed.

    Attributes:
        name: What the summary calls it.
        command: The command line, after ``sgdlab``.
        before: A command that is run before, without harm.
    """

    name: str
    command: Sequence[str]
    before: Sequence[str] = ()


def scenarios(draw: random.Random) -> list[Scenario]:
    """Return the commands of one round; optimizers are sampled."""
    optimizer, *two = draw.sample(sorted(members("optimizer")), 3)
    many = ("train", "-m", *ONE, "optimizer=momentum", "seed=0,1,2,3")
    return [
        Scenario("train", ("train", *ONE, f"optimizer={optimizer}", "hydra.run.dir=runs/one")),
        Scenario(
            "sweep",
            ("train", "-m", *ONE, f"optimizer={','.join(two)}", "seed=0,1", "engine=sequential"),
        ),
        Scenario("stacked", (*many, "engine=stacked")),
        Scenario("compare", COMPARE),
        Scenario("report", ("report", "runs/s", "--formats", "svg"), many),
    ]  # fmt: skip


def run(command: Sequence[str], folder: Path, limit: float) -> tuple[int | None, float]:
    """Run a command in a child; return its exit code, None if it was killed, and its seconds."""
    start = time.monotonic()
    child = os.fork()
    # Both set the group: whichever comes first, it is there before anything is killed.
    os.setpgid(child, child)
    if child == 0:
        code = 1
        try:
            os.chdir(folder)
            log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.argv = ["sgdlab", *command]
            code = cli.main()
        finally:
            os._exit(code)  # whatever it raised is not to go on in a copy of the caller
    while time.monotonic() - start < limit:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), time.monotonic() - start
        time.sleep(0.002)
    os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code == -signal.SIGKILL else code, time.monotonic() - start


def content(folder: Path) -> dict[str, object]:
    """Return all CSVs of a folder, without what differs between executions."""
    found: dict[str, object] = {}
    for path in sorted((folder / "runs").rglob("*.csv")):
        name = str(path.relative_to(folder / "runs"))
        if "/timing/" in name or any(name.endswith(end) for end in _BY_TIME):
            continue
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        kept = [{k: v for k, v in row.items() if k not in TIME_AND_MEMORY} for row in rows]
        found[name] = kept if path.name != "runs.csv" else sorted(kept, key=str)
    return found


def first_difference(one: dict[str, object], other: dict[str, object]) -> str | None:
    """Name the first file that differs; None if none does."""
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            return name
    return None


def trial(
    scenario: Scenario, reference: dict[str, object], seconds: float, folder: Path,
    draw: random.Random,
) -> tuple[int, str | None]:  # fmt: skip
    """Kill a command up to three times; return the kills, and what was wrong afterwards."""
    kills = 0
    if scenario.before:
        run(scenario.before, folder, _LIMIT)
    for _ in range(draw.randint(1, 3)):
        code, _ = run(scenario.command, folder, draw.uniform(0, seconds))
        kills += code is None
        if code is not None:
            break
    code, _ = run(scenario.command, folder, _LIMIT)
    if code != 0:
        return kills, f"exit code {code}: {(folder / 'log').read_text()[-300:]}"
    parts = [str(p.relative_to(folder)) for p in folder.rglob("*.part")]
    wrong = first_difference(reference, content(folder))
    return kills, wrong or (f"left behind: {parts[0]}" if parts else None)


def main(arguments: Sequence[str] | None = None, show: Callable[[str], None] = print) -> int:
    """Run the campaign; return 1 if anything differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="kills, at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, action="append", help="where; several in turn")
    parser.add_argument("--only", action="append", help="names of scenarios")
    given = parser.parse_args(arguments)
    draw = random.Random(given.seed)
    kills: Counter[str] = Counter()
    trials: Counter[str] = Counter()
    wrong: list[str] = []
    while kills.total() < given.count:
        for place in given.folder or [Path(tempfile.gettempdir())]:
            for scenario in scenarios(draw):
                if given.only and scenario.name not in given.only:
                    continue
                with tempfile.TemporaryDirectory(dir=place) as made:
                    unharmed, harmed = Path(made, "unharmed"), Path(made, "harmed")
                    unharmed.mkdir()
                    if scenario.before:
                        run(scenario.before, unharmed, _LIMIT)
                    code, seconds = run(scenario.command, unharmed, _LIMIT)
                    if code != 0:
                        text = (unharmed / "log").read_text()[-300:]
                        wrong.append(f"{scenario.command}: exit code {code} unharmed: {text}")
                        continue
                    reference = content(unharmed)
                    for _ in range(4):
                        shutil.rmtree(harmed, ignore_errors=True)
                        harmed.mkdir()
                        count, fault = trial(scenario, reference, seconds, harmed, draw)
                        trials[scenario.name] += 1
                        kills[scenario.name] += count
                        if fault:
                            wrong.append(f"{' '.join(scenario.command)}: {fault}")
                            show(f"wrong: {wrong[-1]}")
                show(f"{place} {scenario.name}: {kills.total()} kills, {len(wrong)} wrong")
    show(", ".join(f"{name} {kills[name]} kills in {trials[name]} trials" for name in kills))
    show(f"{kills.total()} kills, {len(wrong)} wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
