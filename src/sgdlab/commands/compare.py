"""``sgdlab compare``: tune every optimizer under one budget, re-run the winners, report."""

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sgdlab.commands.train import train
from sgdlab.comparison.run import CheckedComparison, check_comparison, run_comparison
from sgdlab.config import gate
from sgdlab.config.app import run_app
from sgdlab.config.catalogue import conf_dir
from sgdlab.config.gate import refuse_lesson
from sgdlab.config.torn import OPEN_KEYS


def main(arguments: list[str]) -> int:
    """Run the command on its part of the command line; return the exit code."""
    # Bounds are merged over those of search/NAME.yaml, so any of their keys may be given.
    run_app(app, "compare", arguments, open_keys=OPEN_KEYS)
    return 0


def preflight(composed: DictConfig) -> CheckedComparison:
    """Refuse a comparison before it has left any file; return what `app` goes on with.

    Raises:
        InputError: Names what is wrong; every run that is known by now is built once.
    """
    refuse_lesson(composed, "compare")
    return check_comparison(composed)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="compare")
def app(composed: DictConfig) -> None:
    """Run a comparison to its report.

    Raises:
        SystemExit: With code 1 when a run failed.
    """
    with gate.carried():
        run_comparison(gate.passed(), HydraConfig.get(), train)
