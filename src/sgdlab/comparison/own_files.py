"""The files of a comparison itself, and the refusal to replace those of another one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from sgdlab.comparison.contenders import Contender
from sgdlab.comparison.protocol import first_difference, protocol
from sgdlab.comparison.workloads import Workload
from sgdlab.errors import InputError
from sgdlab.results import CONFIG, Written, read_study, without_later, without_watched

STUDY = "study.yaml"


def refuse_other_study(
    composed: DictConfig,
    folder: Path,
    contenders: Sequence[Contender],
    workloads: Sequence[Workload],
) -> None:
    """Refuse a comparison whose folder holds one with other settings, or files that were changed.

    Raises:
        InputError: Names the difference, or the file.
    """
    before = read_study(folder)
    if before is None:
        return refuse_changed(folder)
    here = protocol(composed, contenders, workloads, 0)
    if difference := first_difference(_as_it_was(before), _as_it_was(here)):
        raise InputError(
            f"{folder} holds a comparison with other settings ({difference}): "
            "choose another study=NAME"
        )
    refuse_changed(folder)


def _as_it_was(study: Any) -> Any:
    """Return a study without settings that came later and change nothing: older ones lack them."""
    run = study.get("run") if isinstance(study, dict) else None
    return study | {"run": without_later(without_watched(run))} if isinstance(run, dict) else study


def refuse_changed(folder: Path) -> None:
    """Refuse a comparison at whose end something would replace what a person has changed."""
    # Without a record, it is a study of an older version, with the settings of this one.
    written_in(folder).refuse_others([STUDY, CONFIG], lambda name: name == STUDY)
    report = written_in(folder / "report")
    # Which figures there will be is known at the end.
    report.refuse_others(name for name in report.names if not name.startswith("figures/"))


def written_in(folder: Path) -> Written:
    """Return what knows the files of a comparison in its folder."""
    return Written(folder, "move it, or choose another study=NAME")
