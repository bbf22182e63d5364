"""What a step costs, alone and in a stack: which engine is faster, and how many runs to stack.

Decided from the config alone, so that a sweep that is resumed, or typed again on the same machine,
trains every run by the same engine and ends with the same bytes.
"""

from sgdlab.stacked.group import Group


def refusal(group: Group) -> str | None:
    """Return why the runs of a group are faster one by one; None where a stack is."""
    return None


def best_size(group: Group) -> int:
    """Return the number of runs beyond which a run's step gets no cheaper."""
    return 64


def compiles(group: Group) -> bool:
    """Say whether the runs of a group are long enough to repay a compiler."""
    if group.stacked.draws or group.stacked.normalises:
        return False  # their layers have a state
    return group.settled["stacked"]["compile"] is True
