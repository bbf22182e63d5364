"""Which settings vary among runs, and the values that they have."""

from collections.abc import Iterable, Mapping, Sequence

from sgdlab.analysis import words
from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import missing, plain_value
from sgdlab.checks import is_number
from sgdlab.results import Cell

CHOICES = ("optimizer", "schedule", "model", "dataset", "scaling", "loss", "average")
"""Groups whose choice has a column of its own in ``runs.csv``."""

_ALIASES = ("optimizer.lr", "optimizer", "import_from")
_UNSEEN = ("limits.", "eval.")
"""How keys begin that change what is seen of a run, not what is compared."""


def setting_of(runs: Runs, row: int, key: str) -> Cell:
    """Return a setting of a run; ``lr`` is the base learning rate; None where it is not told."""
    run = runs.rows[row]
    if key in ("lr", "optimizer.lr"):
        return run.get("base_lr")
    cell = run.get(key)
    return runs.configs[row].get(key) if cell is None else cell


def known_keys(runs: Runs, rows: Iterable[int]) -> set[str]:
    """Return every setting that some runs tell, by the name that it has on the command line."""
    keys = {key for config in _distinct(runs, rows).values() for key in config}
    keys |= {"lr", *CHOICES, *runs.setting_columns, "batch_size", "accumulate", "epochs"}
    return {key for key in keys if not key.endswith("_target_")} - set(_ALIASES) | {"optimizer"}


def varied_keys(runs: Runs, rows: Sequence[int]) -> list[str]:
    """Return the settings with more than one value among some runs, the seed excepted, by name.

    Of a group whose choice varies (``optimizer``, ``schedule``, ``model``, …) a setting counts
    where it varies within one choice: what comes with the choice is no setting of its own. So does
    ``lr``, which comes with the optimizer. What a run does not tell says nothing.
    """
    seen: dict[str, dict[str, set[str]]] = {}
    choices = {group: _told(runs, rows, group) for group in CHOICES}
    for row in rows:  # apart: of thousands of trials each has its own
        if not missing(rate := runs.rows[row].get("base_lr")):
            choice = str(runs.rows[row].get("optimizer"))
            seen.setdefault("lr", {}).setdefault(choice, set()).add(repr(plain_value(rate)))
    for row in _representatives(runs, rows):
        config = runs.configs[row]
        for key in {*config, "batch_size", "accumulate", "epochs"} - {*_ALIASES, "lr"}:
            group = key.partition(".")[0]
            if (key == f"{group}._target_" and group in CHOICES) or key.startswith(_UNSEEN):
                continue
            cell = setting_of(runs, row, key)
            if key == "epochs":
                cell = config.get(key)  # a summary says how many were made
            if not missing(cell):
                choice = str(runs.rows[row].get(group)) if group in CHOICES else ""
                seen.setdefault(key, {}).setdefault(choice, set()).add(repr(plain_value(cell)))
    found = [group for group, names in choices.items() if len(names) > 1]
    found += [
        key
        for key, by_choice in seen.items()
        if key not in CHOICES and any(len(values) > 1 for values in by_choice.values())
    ]
    return sorted(found)


def texts_of(runs: Runs, rows: Iterable[int], key: str) -> dict[int, str]:
    """Return a setting of runs as text, no two values the same; runs that lack it are absent."""
    cells = {row: setting_of(runs, row, key) for row in rows}
    told = {row: plain_value(cell) for row, cell in cells.items() if not missing(cell)}
    exact = {repr(value): words.setting(value) for value in told.values()}
    unique = len(set(exact.values())) == len(exact)
    return {
        row: exact[repr(value)] if unique or isinstance(value, str) else repr(value)
        for row, value in told.items()
    }


def in_order(runs: Runs, texts: Mapping[int, str], key: str) -> list[str]:
    """Return the values of a setting once each: numbers ascending, then others by name."""
    cells = {text: setting_of(runs, row, key) for row, text in texts.items()}

    def place(text: str) -> tuple[bool, float, str]:
        cell = cells[text]
        return (False, float(cell), "") if is_number(cell) else (True, 0.0, text)

    return sorted(cells, key=place)


def label_of(parts: Mapping[str, str | None]) -> str:
    """Return settings as a name: ``batch_size=32 lr=0.1``; those not told are left out."""
    return " ".join(f"{key}={value}" for key, value in parts.items() if value is not None)


def labels(runs: Runs, rows: Sequence[int], keys: Sequence[str]) -> dict[int, str]:
    """Return the name of every run by its values of some settings; empty where it tells none."""
    texts = {key: texts_of(runs, rows, key) for key in keys}
    return {row: label_of({key: own.get(row) for key, own in texts.items()}) for row in rows}


def _told(runs: Runs, rows: Iterable[int], column: str) -> set[str]:
    cells = (runs.rows[row].get(column) for row in rows)
    return {str(cell) for cell in cells if not missing(cell)}


def _distinct(runs: Runs, rows: Iterable[int]) -> dict[int, dict[str, Cell]]:
    """Return the settings of runs, once where runs share them."""
    return {id(runs.configs[row]): runs.configs[row] for row in rows}


def _representatives(runs: Runs, rows: Iterable[int]) -> list[int]:
    """Return a run of every group that agrees in all that `varied_keys` looks at, ``lr`` aside."""
    first: dict[tuple[object, ...], int] = {}
    for row in rows:
        run = runs.rows[row]
        first.setdefault((id(runs.configs[row]), *(str(run.get(c)) for c in CHOICES)), row)
    return list(first.values())
