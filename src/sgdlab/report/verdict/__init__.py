"""The answer of a report in sentences; its first one is made in `first_sentence`."""

from sgdlab.report.verdict.verdicts import Answer, answer, answers, verdicts

__all__ = ["Answer", "answer", "answers", "verdicts"]
