"""When something that does not happen at every step is due."""


def is_due(step: int, every: int) -> bool:
    """Say whether a step, counted from 1, is the first or a multiple of ``every``."""
    return step == 1 or step % every == 0
