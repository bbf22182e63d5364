"""What `sgdlab conform` prints: a line per case and a sentence, or one object."""

import json
import math

from rich.console import Console
from rich.table import Table

from sgdlab.conform.lockstep import Difference
from sgdlab.conform.verdict import Verdict, apart, tried_in_words
from sgdlab.terminal.numbers import number
from sgdlab.visible import visible

_MOST_CAUSES = 3


def show(verdict: Verdict, screen: Console) -> None:
    """Print who was compared, a table of the cases, and what follows."""
    trial = verdict.trial
    for name, side in (("A", trial.a), ("B", trial.b)):
        screen.print(f"{name}: {visible(side.label)}", markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("case", "first step", "tensor", "largest difference", "share of movement"):
        table.add_column(column, overflow="fold")
    for case, found in zip(trial.cases, verdict.differences, strict=True):
        table.add_row(case.name, *(_cells(found) if found else ("same", "", "", "")))
    screen.print(table)
    screen.print(sentence(verdict), markup=False, soft_wrap=True)


def _cells(found: Difference) -> tuple[str, str, str, str]:
    shape = "×".join(map(str, found.shape)) or "scalar"
    share = "infinite" if math.isinf(found.relative) else f"{found.relative:.1e}"
    return str(found.step), f"{found.tensor} ({shape})", f"{found.largest:.1e}", share


def sentence(verdict: Verdict) -> str:
    """Return the answer in a few sentences."""
    trial, first = verdict.trial, verdict.first
    steps = len(trial.cases[0].factors)
    if first is None:
        return (
            f"A and B are the same: after each of {steps} steps in {len(trial.cases)} cases, no "
            f"tensor differs by more than {number(trial.tolerance)} of its movement."
        )
    text = (
        f"A and B differ, first in step {first.step} of '{first.case}', most in {first.tensor}, by "
        f"{first.largest:.1e}."
    )
    if verdict.causes:
        text += f" Cause: {verdict.causes[0]}. With that changed, they agree in all cases."
        if others := verdict.causes[1:_MOST_CAUSES]:
            text += f" The same explains: {' | '.join(others)}."
        return text
    if verdict.partly:
        text += f" Cause, in all cases but 'no gradients': {verdict.partly}."
        return f"{text} What they do about missing gradients differs, too."
    if verdict.is_rounding:
        text += " No difference is larger than what a buffer in single precision leaves."
    tried = ", ".join(tried_in_words(verdict))
    text += f" No cause was found among what was tried: {tried}."
    if settings := apart(verdict):
        text += f" Settings that differ: {', '.join(settings)} (--same-settings takes A's)."
    return text


def as_json(verdict: Verdict, version: str) -> str:
    """Return the verdict as one object, numbers with all digits."""
    trial = verdict.trial
    cases = [
        {"case": case.name, "same": found is None}
        | ({} if found is None else {
            "step": found.step, "tensor": found.tensor, "shape": list(found.shape),
            "largest": found.largest if math.isfinite(found.largest) else None,
            "relative": found.relative if math.isfinite(found.relative) else None,
        })
        for case, found in zip(trial.cases, verdict.differences, strict=True)
    ]  # fmt: skip
    content = {
        "answer": "same" if verdict.is_same else "differ",
        "a": trial.a.label,
        "b": trial.b.label,
        "steps": len(trial.cases[0].factors),
        "tolerance": trial.tolerance,
        "cases": cases,
        "causes": verdict.causes,
        "partly": verdict.partly or None,
        "how": verdict.how or None,
        "tried": verdict.tried,
        "settings_apart": apart(verdict),
        "sentence": sentence(verdict),
        "sgdlab": version,
    }
    return json.dumps(content, ensure_ascii=False, indent=1)
