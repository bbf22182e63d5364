"""The answer of a report in words: `answers` per workload, `joint` over several."""

from sgdlab.report.verdict.answer import FAILS, Answer, answer, answers
from sgdlab.report.verdict.joint import Joint, joint
from sgdlab.report.verdict.judgement import is_settled, judgement_json, overall

__all__ = [
    "FAILS", "Answer", "Joint", "answer", "answers", "is_settled", "joint", "judgement_json",
    "overall",
]  # fmt: skip
