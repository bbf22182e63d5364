"""All that the first screen says of each result, as one text."""

from sgdlab.analysis import Analysis
from sgdlab.report.verdict import Answer, answers


def verdicts(analysis: Analysis) -> list[str]:
    """Return headline, number, caveats, facts, protocol and next step of every result."""
    return [_text(answer) for answer in answers(analysis)]


def _text(answer: Answer) -> str:
    step = [] if answer.next is None else [f"Next: {answer.next.what}", answer.next.command]
    under = [answer.number, *answer.caveats, answer.audit, *answer.facts, answer.protocol, *step]
    return "\n".join([answer.title, *filter(None, under)])
