"""The answer for programs: the words of the page, with the numbers that they stand on."""

import json
import math
from collections.abc import Sequence
from typing import Any

from sgdlab.analysis import Analysis, Result
from sgdlab.report.verdict.answer import Answer
from sgdlab.report.verdict.joint import Joint

_PAIR = (
    "first", "second", "metric", "unit", "n_pairs", "mean_difference", "ci_low", "ci_high",
    "p_value", "p_adjusted", "p_equivalence_adjusted", "margin", "verdict",
    "looks", "design",
)  # fmt: skip
"""Columns of ``pairwise.csv`` that an answer stands on."""


def as_json(analysis: Analysis, said: Sequence[Answer], over: Joint | None, version: str) -> str:
    """Return the content of ``verdict.json``: the joint answer, and one per workload and track."""
    content = {
        "sgdlab": version,
        "joint": None if over is None else _joint(analysis, over),
        "answers": [_answer(*pair) for pair in zip(analysis.results, said, strict=True)],
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _joint(analysis: Analysis, over: Joint) -> dict[str, Any]:
    matrix = {
        name: dict(zip(over.workloads, cells, strict=True))
        for name, cells in zip(over.contenders, over.cells, strict=True)
    }
    pairs = [
        {key: _plain(value) for key, value in pair.row().items()} for pair in analysis.together
    ]
    said = {"headline": over.headline, "tests": over.tests, "number": over.number}
    return {**said, "pairs": pairs, "matrix": matrix}


def _answer(result: Result, answer: Answer) -> dict[str, Any]:
    step = answer.next
    return {
        "workload": result.workload.name,
        "track": result.track,
        "headline": answer.headline,
        "number": answer.number,
        "caveats": answer.caveats,
        "audit": {
            status: [check.check for check in result.audit if check.status == status]
            for status in ("fail", "warn")
        },
        "facts": answer.facts,
        "next": None if step is None else {"what": step.what, "command": step.command},
        "protocol": answer.protocol,
        "pairs": [{key: _plain(pair[key]) for key in _PAIR} for pair in result.primary],
    }


def _plain(value: Any) -> Any:
    """Return what JSON has a word for: null where a number is none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
