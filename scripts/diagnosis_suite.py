"""Trains the labelled suite of ``sgdlab diagnose`` and prints its confusion table as Markdown.

    python scripts/diagnosis_suite.py [FOLDER]

The runs stay in FOLDER, where there is one, and are not trained again. About three minutes.
"""

import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "diagnosis"))

from suite import ENTRIES, NOTED, Entry  # pyright: ignore[reportMissingImports]
from suite_runs import shown, train_entry  # pyright: ignore[reportMissingImports]

Result = tuple[Entry, set[str], set[str]]


def main() -> None:
    if len(sys.argv) > 1:
        results = trained(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            results = trained(Path(folder))
    print(summary(results), end="\n\n")
    print(confusion(results), end="\n\n")
    print(misses(results))


def trained(root: Path) -> list[Result]:
    results: list[Result] = []
    for number, entry in enumerate(ENTRIES, start=1):
        print(f"\r{number}/{len(ENTRIES)}", end="", file=sys.stderr, flush=True)
        results.append((entry, *shown(*train_entry(entry, root))))
    print(file=sys.stderr)
    return results


def hits(result: Result) -> bool:
    """Say whether one of the symptoms that were to be found was found."""
    entry, alarms, notes = result
    return bool((alarms | notes if entry in NOTED else alarms) & set(entry.symptoms))


def summary(results: Sequence[Result]) -> str:
    lines = ["| half | broken runs found | healthy runs with an alarm |", "|---|---|---|"]
    for half in ("development", "held_out"):
        own = [r for r in results if r[0].half == half]
        broken = [r for r in own if r[0].symptoms]
        healthy = [r for r in own if not r[0].symptoms]
        found = sum(map(hits, broken))
        false = sum(bool(alarms) for _, alarms, _ in healthy)
        lines.append(
            f"| {half.replace('_', ' ')} | {found} of {len(broken)} ({found / len(broken):.0%}) "
            f"| {false} of {len(healthy)} |"
        )
    return "\n".join(lines)


def confusion(results: Sequence[Result]) -> str:
    lines = ["| what was broken | runs | found | alarms that were raised |", "|---|---|---|---|"]
    for label in dict.fromkeys(entry.label for entry, _, _ in results):
        own = [r for r in results if r[0].label == label]
        raised = Counter(symptom for _, alarms, _ in own for symptom in sorted(alarms))
        told = ", ".join(f"{symptom} {count}" for symptom, count in raised.most_common()) or "–"
        found = sum(map(hits, own)) if own[0][0].symptoms else "–"
        lines.append(f"| {label} | {len(own)} | {found} | {told} |")
    return "\n".join(lines)


def misses(results: Sequence[Result]) -> str:
    lines: list[str] = []
    for result in results:
        entry, alarms, _ = result
        wrong = not hits(result) if entry.symptoms else bool(alarms)
        if wrong:
            shown_ = ", ".join(sorted(alarms)) or "nothing"
            lines.append(f"- {entry.half.replace('_', ' ')}, {entry.label}: "
                         f"`{shlex.join(entry.overrides)}` showed {shown_}")  # fmt: skip
    return "\n".join(lines) or "No misses."


if __name__ == "__main__":
    main()
