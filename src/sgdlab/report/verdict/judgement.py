"""What ``sgdlab judge`` answers: one word for programs, and its object of JSON."""

import json
import math
from collections.abc import Sequence
from typing import Any

from sgdlab.analysis import Analysis, Result
from sgdlab.analysis.pairs import PAIRWISE_COLUMNS
from sgdlab.analysis.statistics import HOLDS, REFUTED, UNDECIDED
from sgdlab.report.claims import claims_table
from sgdlab.report.verdict.answer import answers
from sgdlab.report.verdict.claimed import decision
from sgdlab.report.verdict.standing import decided, stands
from sgdlab.results import APART


def overall(analysis: Analysis) -> str:
    """Return ``verdict``, ``refuted`` or ``undecided``: all workloads have to agree on it.

    Default settings count only where there is nothing else.
    """
    tuned = [result for result in analysis.results if result.track not in APART]
    found = [decision(result) for result in tuned or analysis.results] or [UNDECIDED]
    worst = next((v for v in (UNDECIDED, REFUTED) if v in found), HOLDS)
    return "verdict" if worst == HOLDS else worst


def is_settled(analysis: Analysis) -> bool:
    """Whether no further unit is worth its cost: every question is decided, or cannot be.

    A question is decided where the best is told from, or equivalent to, every other; one of
    several declared questions where each of its pairs is. Where fewer than two contenders have a
    completed run there is nothing to decide.
    """
    tuned = [result for result in analysis.results if result.track not in APART]
    return all(map(_settled, tuned or analysis.results))


def _settled(result: Result) -> bool:
    if len(result.alive) < 2:
        return True
    if not decided(result):
        return False
    if len(result.families) > 1:
        pairs = [pair for own in result.families.values() for pair in own]
        return all(pair["verdict"] != UNDECIDED for pair in pairs)
    return UNDECIDED not in stands(result).values()


def judgement_json(analysis: Analysis, answer: str, said: Sequence[str], version: str) -> str:
    """Return one object: ``answer``, ``pairs`` as in ``pairwise.csv``, claims and audit.

    Args:
        analysis: All that is said.
        answer: That of `overall`.
        said: What was inferred of the columns.
        version: That of sgdlab.
    """
    both = zip(analysis.results, answers(analysis), strict=True)
    content = {
        "sgdlab": version,
        "answer": answer,
        "workloads": [
            {
                "workload": result.workload.name,
                "track": result.track,
                "answer": _word(result),
                "headline": one.headline,
                "number": one.number,
                "facts": one.facts,
            }
            for result, one in both
        ],
        "pairs": [
            {column: _plain(pair.get(column)) for column in PAIRWISE_COLUMNS}
            for result in analysis.results
            for pair in result.pairs
        ],
        "joint": [
            {key: _plain(value) for key, value in pair.row().items()} for pair in analysis.together
        ],
        "speed_ups": [
            {key: _plain(value) for key, value in row.items()}
            for result in analysis.results
            for row in result.speed_ups
        ],
        "claims": claims_table(analysis).to_dict("records"),
        "audit": analysis.audit.to_dict("records"),
        "read_as": list(said),
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _word(result: Result) -> str:
    found = decision(result)
    return "verdict" if found == HOLDS else found


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
