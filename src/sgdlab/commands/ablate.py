"""``sgdlab ablate``: which ingredients of a recipe earn their place, by comparing variants."""

from collections.abc import Mapping
from typing import Any

from sgdlab.comparison.ingredients import INGREDIENTS
from sgdlab.config.torn import OPEN_KEYS, refuse_torn
from sgdlab.errors import InputError, suggest

HELP = """\
usage: sgdlab ablate [key=value ...] [flags]

Which ingredients of a recipe earn their place: the recipe with each left out, each alone and none,
over paired seeds, with p-values corrected for their number. The recipe is what sgdlab train would
take: optimizer=NAME and any key.

  optimizer=NAME            (default: nesterov)
  ingredients=[NAME,...]    (default: those of the list below that the recipe has)
  ingredients.NAME={{KEY: VALUE}}  an ingredient of your own, with its values where it is left out
  retune=true               search the settings of every variant anew (as sgdlab compare does)
  retune=false              take the recipe's own settings
  lr=RATE                   of every variant; with retune=false
  replicates=N  seeds=N  trials=N  margin=VALUE  study=NAME  and all else of sgdlab compare --help

ingredients, and what they are where left out:
{ingredients}

examples:
  sgdlab ablate optimizer=nesterov clip_norm=1.0 protocol=quick
  sgdlab ablate retune=false lr=0.05 clip_norm=1.0 average=ema replicates=10
  sgdlab ablate ingredients=[warmup,decay] 'ingredients.big_batch={{batch_size: 16}}' batch_size=64
"""


def main(arguments: list[str]) -> int:
    """Run the command on its part of the command line; return the exit code.

    Raises:
        InputError: An ingredient, or a key that an ablation decides, cannot be used.
    """
    if {"-h", "--help"} & set(arguments):
        width = max(map(len, INGREDIENTS))
        lines = (f"  {name:<{width}}  {_typed(own)}" for name, own in INGREDIENTS.items())
        print(HELP.format(ingredients="\n".join(lines)), end="")
        return 0
    refuse_torn(arguments, ("ingredients", *OPEN_KEYS))
    from sgdlab.commands import compare  # torch and Hydra: the page above needs neither

    return compare.main(translated(arguments))


def translated(arguments: list[str]) -> list[str]:
    """Return the command line of the comparison that an ablation is.

    Raises:
        InputError: A key cannot be what it is.
    """
    rest: list[str] = []
    given: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for word in arguments:
        key, equals, text = word.lstrip("+").partition("=")
        if key.startswith("ingredients.") and equals:
            own[key.partition(".")[2]] = _value(word, text)
        elif key in ("ingredients", "retune", "lr", "optimizer") and equals:
            given[key] = _value(word, text)
        elif key in ("tracks", "ablation", "optimizers", "optimizer.lr") and equals:
            instead = {"tracks": "retune=true or false", "optimizers": "optimizer=NAME"}
            raise InputError(f"{word}: ablate decides it; use {instead.get(key, 'lr=RATE')}")
        else:
            rest.append(word)
    retune, lr = given.get("retune", True), given.get("lr")
    if not isinstance(retune, bool):
        raise InputError(f"retune={retune}: must be true or false")
    if retune and lr is not None:
        raise InputError(f"lr={lr}: every variant tunes its own; add retune=false, or leave it out")
    if isinstance(lr, bool) or not isinstance(lr, int | float | None):
        raise InputError(f"lr={lr}: must be a number")
    chosen = _chosen(given.get("ingredients"), own)
    section = f"{{ingredients: {'null' if chosen is None else _typed(chosen)}, lr: {_typed(lr)}}}"
    optimizer = given.get("optimizer", "nesterov")
    return [
        *rest,
        f"optimizers=[{optimizer}]",
        f"tracks=[{'tuned' if retune else 'defaults'}]",
        f"++ablation={section}",
    ]


def _chosen(names: Any, own: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the ingredients that were named or defined; None where neither was."""
    if names is None:
        return dict(own) or None
    if not isinstance(names, list):
        names = [names]
    for name in map(str, names):
        if name not in {**INGREDIENTS, **own}:
            raise InputError(
                f"ingredients={names}: {suggest(name, INGREDIENTS)}; of your own: "
                f"ingredients.{name}={{KEY: VALUE_WITHOUT}}"
            )
    return {name: INGREDIENTS[name] for name in map(str, names) if name in INGREDIENTS} | dict(own)


def _value(word: str, text: str) -> Any:
    """Return a value as Hydra reads it."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(f"x={text}").value()
    except HydraException as error:
        raise InputError(f"{word}: cannot be read as a value") from error


def _typed(value: Any) -> str:
    """Return a value as an override writes it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {_typed(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_typed, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
