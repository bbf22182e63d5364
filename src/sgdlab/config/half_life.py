"""The memory of an optimizer's average of squares, told in tokens instead of in updates."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sgdlab.checks import is_whole, require_number
from sgdlab.errors import InputError
from sgdlab.optimizers.traits import KEY, class_name, shipped, traits_of

NAME = "half_life_tokens"
"""The root key."""


def beta2_of(half_life: float, tokens: int) -> float:
    """Return ``β₂ = 2^(-tokens / half_life)`` (Marek et al. 2025, small batches for language).

    A square of a gradient then counts half after ``half_life`` tokens, whatever the batch size.

    Args:
        half_life: In tokens, above 0.
        tokens: Those of one update: ``batch_size · accumulate · world_size · context``.
    """
    return 2.0 ** (-tokens / half_life)


def tokens_of(dataset: Mapping[str, Any]) -> int:
    """Return the tokens of an example by the section of its dataset: ``context``, else 1."""
    context = dataset.get("context")
    return context if is_whole(context) else 1


def set_beta2(plain: dict[str, Any], typed: Sequence[str]) -> None:
    """Put the β₂ of ``half_life_tokens`` into the section ``optimizer`` of a config.

    Args:
        plain: The config; its section ``optimizer`` is replaced.
        typed: The overrides of the command line.

    Raises:
        InputError: The optimizer keeps no average of squares, or nobody said where its β₂ stands;
            the batch has no number; or another β₂ was typed.
    """
    if (half_life := plain[NAME]) is None:
        return
    require_number(NAME, half_life, open_low=True)
    size, accumulate = plain["batch_size"], plain["accumulate"]
    if not is_whole(size) or not is_whole(accumulate):
        raise InputError(f"{NAME}={half_life:g} with batch_size={size}: give batch_size a number")
    size *= plain["distributed"]["world_size"] or 1
    beta2 = beta2_of(half_life, size * accumulate * tokens_of(plain["dataset"]))
    if beta2 == 1.0:
        raise InputError(f"{NAME}={half_life:g}: so long that β₂ is 1; shorten it")
    section = plain["optimizer"]
    key, _, place = _place_of(section, half_life).partition(".")
    had = section.get(key)
    is_typed = any(t.lstrip("+").startswith(f"optimizer.{key}=") for t in typed)
    if not place:
        _refuse_other(is_typed, f"optimizer.{key}", had, beta2)
        plain["optimizer"] = {**section, key: beta2}
        return
    if not isinstance(had, list) or len(cast("list[Any]", had)) <= int(place):
        raise InputError(f"{NAME}={half_life:g}: needs optimizer.{key} as a list, and it is {had}")
    values = [*cast("list[Any]", had)]
    _refuse_other(is_typed, f"optimizer.{key}", values[int(place)], beta2)
    values[int(place)] = beta2
    plain["optimizer"] = {**section, key: values}


def require_tokens(dataset: Mapping[str, Any], tokens: int) -> None:
    """Refuse data whose examples have not as many tokens as their section made β₂ from.

    Raises:
        InputError: They have not.
    """
    if (told := tokens_of(dataset)) != tokens:
        raise InputError(
            f"{NAME}: an example has {tokens} tokens, and the dataset's YAML says {told}: write "
            f"context: {tokens} there, or set β₂ by hand"
        )


def _place_of(section: Mapping[str, Any], half_life: float) -> str:
    place, name = traits_of(section).beta2, class_name(section)
    if place is None:
        raise InputError(
            f"{NAME}={half_life:g}: where {name} has its β₂ is not known; write {KEY}: "
            "{beta2: betas.1} into its YAML if that is the second of betas"
        )
    if place == "none":
        have = dict.fromkeys(class_name(s) for s in shipped() if traits_of(s).beta2 != "none")
        raise InputError(
            f"{NAME}={half_life:g}: {name} has no β₂, the memory of an average of squares; "
            f"leave it null. {', '.join(have)} have one"
        )
    return place


def _refuse_other(is_typed: bool, key: str, had: Any, beta2: float) -> None:
    """Refuse another β₂ beside the half-life; null leaves it open."""
    if is_typed and had is not None and not math.isclose(had, beta2, rel_tol=1e-12):
        raise InputError(
            f"{NAME} and {key} disagree on β₂, {beta2:g} and {had}: write null for it, such as "
            "optimizer.betas=[0.9,null]"
        )
