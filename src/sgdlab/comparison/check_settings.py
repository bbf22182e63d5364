"""Refuses impossible settings of a comparison, before anything is built."""

from omegaconf import DictConfig

from sgdlab.checks import is_number, lies_in
from sgdlab.comparison.protocol import candidates_of
from sgdlab.errors import InputError, suggest
from sgdlab.results import DEFAULTS
from sgdlab.search import METHODS
from sgdlab.search.halving import halving_of
from sgdlab.terminal.notices import warn

SELECT_BY = (
    "final_val_loss", "best_val_loss", "final_val_metric", "best_val_metric",
    "average.final_val_loss", "average.final_val_metric",
)  # fmt: skip
TRACKS = ("tuned", DEFAULTS)

MOST_RUNS = 100_000

# What a comparison decides for its runs, so that setting it on the command line has no effect.
_DECIDED = (
    "optimizer", "lr", "optimizer.lr", "evaluate_test", "phase", "trial", "replicate", "contender",
)  # fmt: skip


def check_settings(composed: DictConfig) -> None:
    """Refuse impossible values of the keys that only comparisons have.

    Raises:
        InputError: Names the key, its value and what would be right.
    """
    _decided(composed)
    _selection(composed)
    for key in ("trials", "seeds", "replicates"):
        if composed[key] < 1:
            raise InputError(f"{key}={composed[key]}: must be a whole number from 1")
    runs = composed.trials * composed.replicates * max(1, len(composed.optimizers))
    if runs > MOST_RUNS:
        raise InputError(
            f"trials={composed.trials}, replicates={composed.replicates}: {runs:,} trials in all; "
            f"at most {MOST_RUNS:,}"
        )
    tracks = [str(track) for track in composed.tracks]
    for track in tracks:
        if track not in TRACKS:
            raise InputError(f"tracks={tracks}: {suggest(track, TRACKS)}")
    if not tracks or len(set(tracks)) < len(tracks):
        raise InputError(f"tracks={tracks}: name tuned, defaults, or both")
    margin = composed.margin
    if margin is not None and margin != "auto" and not (is_number(margin) and margin > 0):
        raise InputError(f"margin={margin}: must be a positive number, auto, or null")
    _search(composed)


def _decided(composed: DictConfig) -> None:
    for override in composed.hydra.overrides.task:
        key = override.partition("=")[0].lstrip("+~")
        if key in _DECIDED:
            right = {"optimizer": "optimizers=[…]", "lr": "search.NAME.lr.low and .high"}
            right["replicate"] = "replicates=N"
            right["contender"] = "search.scientific"
            instead = right.get(key.rpartition(".")[2], "sgdlab train")
            raise InputError(f"{override}: a comparison decides {key} by itself; use {instead}")


def _selection(composed: DictConfig) -> None:
    if composed.select_by not in SELECT_BY:
        text = str(composed.select_by)
        raise InputError(f"select_by={text}: {suggest(text, SELECT_BY)}")
    average = composed.hydra.runtime.choices.average
    if composed.select_by.startswith("average.") and average == "none":
        raise InputError(f"select_by={composed.select_by}: no average is kept; average=ema")
    if average != "none":
        warn(
            f"average={average}: tables and tests compare the raw weights; those of the average "
            "stand in the columns average.* of runs.csv"
        )


def _search(composed: DictConfig) -> None:
    search, seconds = composed.search, composed.seconds
    method, batch, recentre = search.method, search.batch, search.recentre
    if method not in METHODS:
        raise InputError(f"search.method={method}: {suggest(str(method), METHODS)}")
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
        raise InputError(f"search.batch={batch}: must be a whole number from 1")
    if not isinstance(recentre, bool):
        raise InputError(f"search.recentre={recentre}: must be true or false")
    halving = halving_of(search)
    if halving is not None and (method == "tpe" or recentre):
        setting = "search.method=tpe" if method == "tpe" else "search.recentre=true"
        raise InputError(
            f"search.halving with {setting}: halving races all trials of a search at once; "
            "leave one of the two out"
        )
    if seconds is None:
        return
    if not lies_in(seconds, 0, open_low=True, open_high=True):
        raise InputError(f"seconds={seconds}: must be positive, or null to count trials")
    for wrong, setting in (
        (halving is not None, "search.halving"),
        (method == "grid", "search.method=grid"),
        (bool(candidates_of(composed)), "scaling.candidates"),
    ):
        if wrong:
            raise InputError(f"seconds={seconds:g} with {setting}: it needs a number of trials")
