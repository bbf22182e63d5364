"""Trains entries of the suite in this process, into folders of their own."""

import dataclasses
import hashlib
import re
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from suite import Entry

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.resolve import resolve
from sgdlab.diagnosis import judge, read_run
from sgdlab.diagnosis.siblings import Siblings
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.run import train_run

OWN = Path(__file__).parent / "own"


def train(overrides: tuple[str, ...], directory: Path) -> Path:
    """Train a run, whatever comes of it; return its folder."""
    GlobalHydra.instance().clear()
    own = [f"hydra.searchpath=[file://{OWN}]"] if uses_own(overrides) else []
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        composed = compose("train", [*own, *overrides], return_hydra_config=True)
    config = resolve(composed)
    if own:
        config = dataclasses.replace(config, import_from=[str(OWN)])
    sys.path.insert(0, str(OWN))
    try:
        train_run(config, directory, NoDisplay())
    finally:
        sys.path.remove(str(OWN))
    return directory


def uses_own(overrides: tuple[str, ...]) -> bool:
    """Say whether an override names a part in the folder ``own``."""
    return any(
        (OWN / group / f"{name}.yaml").is_file()
        for group, _, name in (override.partition("=") for override in overrides)
    )


def train_entry(entry: Entry, root: Path) -> tuple[Path, Path | None]:
    """Train an entry and its sibling, if it has one; what is there already is not run again."""
    name = re.sub(r"[^a-z0-9]+", "-", entry.label) + "-"
    name += hashlib.sha256(f"{entry.overrides}{entry.sibling}".encode()).hexdigest()[:6]
    run, sibling = root / name / "run", root / name / "sibling"
    if not (run / "summary.csv").is_file():
        train(entry.overrides, run)
    if entry.sibling is None:
        return run, None
    if not (sibling / "summary.csv").is_file():
        train(entry.sibling, sibling)
    return run, sibling


def shown(run: Path, sibling: Path | None) -> tuple[set[str], set[str]]:
    """Return the symptoms of a run that are alarms, and those that are notes."""
    findings = judge(read_run(run), [Siblings([read_run(sibling)])] if sibling else []).findings
    alarms = {finding.symptom for finding in findings if finding.is_alarm}
    return alarms, {finding.symptom for finding in findings} - alarms
