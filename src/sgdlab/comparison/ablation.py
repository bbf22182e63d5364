"""An ablation: the variants of a recipe, each with some of its ingredients left out."""

from collections.abc import Collection, Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sgdlab.comparison.ingredients import INGREDIENTS
from sgdlab.config.schema import GROUPS, RunConfig
from sgdlab.errors import InputError
from sgdlab.results.ablation import FULL, NONE, alone, without
from sgdlab.search import Value
from sgdlab.sweeps.jobs import QuickLoader

_ABSENT = object()


def variants_of(
    master: DictConfig, loader: QuickLoader, tuned: Collection[str]
) -> dict[str, dict[str, Value]]:
    """Return what is compared by an ablation, by name, with the values that each sets.

    They are the full recipe, each ingredient left out, each alone, and none of them. Ingredients
    that stay have the recipe's values, which another member of a group would not keep.

    Args:
        master: The config of the comparison; ``ablation`` has ``ingredients``, a mapping from names
            to values without them, or null, which takes those of `INGREDIENTS` that the recipe has;
            and ``lr``, the rate of every variant, null where it is tuned or the optimizer's own.
        loader: Composes the recipe.
        tuned: Keys that are searched where they are not left out.

    Raises:
        InputError: An ingredient is not in the recipe, or has a key that the recipe has not.
    """
    (optimizer,) = master.optimizers
    config = loader.job(master, [f"optimizer={optimizer}"]).config
    section = cast("dict[str, Any]", OmegaConf.to_container(master.ablation))
    rate: dict[str, Value] = {} if section.get("lr") is None else {"lr": section["lr"]}
    neutral = _present(config, section.get("ingredients"))
    everything = {key: value for own in neutral.values() for key, value in own.items()}
    found: dict[str, dict[str, Value]] = {FULL: {}}
    found |= {without(name): own for name, own in neutral.items()}
    if len(neutral) > 2:  # of two, each alone is the other left out
        for name, own in neutral.items():
            found[alone(name)] = {k: v for k, v in everything.items() if k not in own}
    if len(neutral) > 1:
        found[NONE] = everything
    kept = {key: value_of(config, key) for key in everything if key not in tuned}
    return {name: rate | kept | changed for name, changed in found.items()}


def _present(config: RunConfig, asked: Mapping[str, Any] | None) -> dict[str, dict[str, Value]]:
    """Return the ingredients that a recipe has, with what leaving each of them out means."""
    found: dict[str, dict[str, Value]] = {}
    for name, own in (INGREDIENTS if asked is None else asked).items():
        if not isinstance(own, Mapping) or not own:
            raise InputError(f"ingredients.{name}={own}: must be {{key: value_without}}")
        values = {str(key): value_of(config, str(key)) for key in own}
        missing = [key for key, value in values.items() if value is _ABSENT]
        if not missing and any(values[key] != value for key, value in own.items()):
            found[name] = {str(key): value for key, value in own.items()}
        elif asked is not None:
            why = f"has no key {missing[0]}" if missing else f"has {_shown(values)} already"
            raise InputError(f"ingredients.{name}: the recipe {why}, so it cannot be left out")
    if not found:
        raise InputError(
            f"ablate: the recipe has none of {', '.join(INGREDIENTS)}; name what is to be left "
            "out, as in ingredients.NAME={clip_norm: null}"
        )
    return found


def value_of(config: RunConfig, key: str) -> Any:
    """Return the value of a dotted key, of a group its chosen member; a mark where it lacks."""
    if key in GROUPS:
        return config.names.get(key)
    found: Any = config
    for part in key.split("."):
        found = (
            found.get(part, _ABSENT)
            if isinstance(found, Mapping)
            else getattr(found, part, _ABSENT)
        )
    return found


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
