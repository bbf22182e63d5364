"""What the variants of an ablation are called, and which pairs of them answer its questions."""

from collections.abc import Sequence

FULL, NONE = "full", "none"
"""The whole recipe, and what is left without all of its ingredients."""

LEFT_OUT, ALONE = "left out of the recipe", "alone"
"""The two questions: what is lost without an ingredient, and what it gives by itself."""

_WITHOUT, _ALONE = "without ", "only "


def without(ingredient: str) -> str:
    """Return the name of the recipe without one of its ingredients."""
    return f"{_WITHOUT}{ingredient}"


def alone(ingredient: str) -> str:
    """Return the name of what has one of the ingredients only."""
    return f"{_ALONE}{ingredient}"


def ingredients_in(variants: Sequence[str]) -> list[str]:
    """Return the ingredients of an ablation from the names of its variants."""
    return [name.removeprefix(_WITHOUT) for name in variants if name.startswith(_WITHOUT)]


def variant_alone(ingredient: str, ingredients: Sequence[str]) -> str | None:
    """Return which variant has one ingredient only; None where there is but one ingredient.

    Of two, it is the recipe without the other.
    """
    if len(ingredients) == 1:
        return None
    if len(ingredients) == 2:
        (other,) = (name for name in ingredients if name != ingredient)
        return without(other)
    return alone(ingredient)


def question(first: str, second: str, ingredients: Sequence[str]) -> str:
    """Return the question that a pair of variants answers; empty: none.

    Each question is asked of every ingredient, and its p-values are adjusted for that number.
    """
    pair = {first, second}
    for ingredient in ingredients:
        if pair == {FULL, without(ingredient)}:
            return LEFT_OUT
        if pair == {NONE, variant_alone(ingredient, ingredients)}:
            return ALONE
    return ""
