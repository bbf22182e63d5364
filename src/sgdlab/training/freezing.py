"""Parameters that stay as they are while the rest of a model is trained."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from sgdlab.averaging import hold_statistics
from sgdlab.errors import InputError, suggest


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Freeze the parameters whose names match a pattern: no gradient, no decay, no update.

    A normalisation with running statistics whose own parameters are all frozen (or, where it has
    none, whose statistics match a pattern) stays in evaluation: it normalises by its statistics,
    and they do not change. Dropout of frozen parts is that of the mode.

    Args:
        model: Its parameters with ``requires_grad`` are trained.
        patterns: Of `fnmatch`, such as ``layer1.*``; a parameter that modules share goes by each
            of its names.

    Raises:
        InputError: A pattern matches neither a parameter nor a running statistic.
    """
    named = dict(model.named_parameters(remove_duplicate=False))
    names = [*named, *(name for name, _ in model.named_buffers(remove_duplicate=False))]
    for pattern in map(str, patterns):  # YAML reads 1 as a number
        matched = [name for name in names if fnmatchcase(name, pattern)]
        if not matched:
            inside = any(name.startswith(f"{pattern}.") for name in names)
            hint = f"{pattern}.* has all of that part" if inside else suggest(pattern, named)
            raise InputError(f"freeze: {pattern} matches no parameter; {hint}")
        for name in matched:
            if name in named:
                named[name].requires_grad_(False)
    for prefix, module in model.named_modules():
        if getattr(module, "running_mean", None) is None:
            continue
        own = list(module.parameters(recurse=False))
        mean = f"{prefix}.running_mean".lstrip(".")
        alone = any(fnmatchcase(mean, str(pattern)) for pattern in patterns)
        if not any(p.requires_grad for p in own) if own else alone:
            hold_statistics(module)
