"""What ``sgdlab train`` says at the end of a run, beside its result."""

import sys
from pathlib import Path

import numpy as np
from rich.markup import escape

from sgdlab.diagnosis import RunRecord, judge, read_run
from sgdlab.diagnosis.show import clean
from sgdlab.errors import reason_of
from sgdlab.terminal.display import stdout, typed
from sgdlab.terminal.notices import warn
from sgdlab.terminal.numbers import number

_WIDTH = 20
"""Width of the names in the table that closes a run."""


def print_findings(directory: Path, shown: str) -> None:
    """Print what was measured in a run that has ended, its first finding, and the number of others.

    Args:
        directory: The directory of the run.
        shown: The name of the directory for people.
    """
    try:
        run = read_run(directory)
        diagnosis = judge(run)
        measured = [*_stability(run), *_critical_batch(run), *_landscape(directory, shown)]
    except Exception as error:  # the run itself is finished and written
        warn(f"no diagnosis: {reason_of(error)}")
        return
    for name, text in measured:
        _print(name, escape(text))
    alarms = [f for f in diagnosis.findings if f.is_alarm or f.symptom == "above_critical_batch"]
    if not alarms:
        _print("diagnosis", clean(run, diagnosis))
        return
    first, *others = alarms
    more = f" and {len(others)} more" if others else ""
    style = "red" if first.severity == "problem" else "yellow"
    command = escape(typed("diagnose", shown))
    if sys.stdout.isatty():  # the command is to be copied as one line
        _print("diagnosis", f"[{style}]{escape(first.title)}[/]{more}:")
        stdout().print(f"{'':{_WIDTH}}  {command}", soft_wrap=True, highlight=False)
    else:
        _print("diagnosis", f"[{style}]{escape(first.title)}[/]{more}: {command}")
    _print("try", escape(first.action))


def _print(name: str, markup: str) -> None:
    # A terminal would break within words; a command is to be copied as one line.
    soft = markup.startswith("sgdlab ") or not sys.stdout.isatty()
    stdout().print(f"[bold]{name:{_WIDTH}}[/]  {markup}", soft_wrap=soft, highlight=False)


def _stability(run: RunRecord) -> list[tuple[str, str]]:
    """Return the line of the sharpness measured last against the optimizer's limit."""
    quotient = run.steps.get("stability")
    rows = np.flatnonzero(np.isfinite(quotient)) if quotient is not None else []
    if quotient is None or not len(rows):
        return []
    row = int(rows[-1])
    sharpness, own, limit = (
        float(run.steps[column][row])
        for column in ("sharpness", "preconditioned_sharpness", "stability_limit")
    )
    what = "sharpness" if own == sharpness else "preconditioned sharpness"
    text = (
        f"{float(quotient[row]):.2f} at step {int(run.step[row])}: {what} {number(own)} against "
        f"a limit of {number(limit)}; at 1 the edge"
    )
    return [("stability", text)]


def _critical_batch(run: RunRecord) -> list[tuple[str, str]]:
    """Return the line of the batch size up to which noise outweighs the gradient."""
    scale = run.steps.get("noise_scale")
    known = scale[np.isfinite(scale)] if scale is not None else np.empty(0)
    if not len(known):
        return []
    text = f"about {number(np.median(known), 3)} examples, the median of noise_scale"
    return [("critical batch size", text)]


def _landscape(directory: Path, shown: str) -> list[tuple[str, str]]:
    """Draw the slices of the loss around the final weights, where they were measured."""
    if not (directory / "landscape.csv").is_file():
        return []
    from sgdlab.report.landscape import draw_landscape  # matplotlib takes a second

    draw_landscape(directory / "landscape.csv", directory / "landscape.svg")
    return [("landscape", f"{shown}/landscape.svg")]
