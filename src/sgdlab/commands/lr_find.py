"""``sgdlab lr-find``: learning-rate range test, one config or with ``-m`` several."""

import json
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from sgdlab.config import gate
from sgdlab.config.app import run_app
from sgdlab.config.catalogue import conf_dir
from sgdlab.config.resolve import logger_of
from sgdlab.errors import InputError
from sgdlab.range_test.job import CONFIG, SECTION, check_job, job_of
from sgdlab.range_test.run import draw, make_test
from sgdlab.range_test.show import show
from sgdlab.range_test.table import replacing
from sgdlab.results.lock import held
from sgdlab.terminal.display import shown, stdout
from sgdlab.terminal.notices import warn


def main(arguments: list[str]) -> int:
    """Run the command on its part of the command line; return the exit code."""
    run_app(app, "lr-find", _for_any_config(arguments))
    return 0


def _for_any_config(arguments: list[str]) -> list[str]:
    """Return the command line, with what our config adds to that of a run when another is named.

    So the ``config.yaml`` of a finished run can be looked at: ``--config-dir RUN --config-name
    config``.
    """
    flags = ("--config-name", "-cn")
    if not any(argument.partition("=")[0] in flags for argument in arguments):
        return arguments
    own = OmegaConf.load(conf_dir() / f"{CONFIG}.yaml")
    assert isinstance(own, DictConfig)
    section = ",".join(f"{key}:{json.dumps(value)}" for key, value in own[SECTION].items())
    settings = OmegaConf.to_container(own.hydra)
    assert isinstance(settings, dict)
    # What a run's config.yaml holds was chosen by nobody in this command.
    settings["run"]["dir"] = settings["run"]["dir"].replace(
        "${hydra.runtime.choices.optimizer}", "${names.optimizer}"
    )
    added = [
        f"hydra.{name}.{key}={value}"
        for name in ("run", "sweep", "sweeper")
        for key, value in settings[name].items()
    ]
    check = settings["callbacks"]["gate"]["check"]
    return [f"+{SECTION}={{{section}}}", f"hydra.callbacks.gate.check={check}", *added, *arguments]


def preflight(composed: DictConfig) -> None:
    """Refuse a range test before it has left any file.

    Raises:
        InputError: The config cannot be built, or its directory holds a run.
    """
    if logger_of(composed):
        raise InputError("logger: a range test is sent to no tracker; leave it out")
    check_job(job_of(composed), Path(composed.hydra.run.dir))


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=CONFIG)
def app(composed: DictConfig) -> None:
    """Make one range test: curve, suggestions, files, and the command that trains with the best."""
    with gate.carried():
        _make(composed)


def _make(composed: DictConfig) -> None:
    hydra_config = HydraConfig.get()
    folder = Path(hydra_config.runtime.output_dir)
    job = job_of(composed, hydra_config)
    name = str(job.config.names.get("optimizer", "run"))
    with held(folder, job.config.lock, warn), replacing(folder):
        result = make_test(job, folder, name)
        draw(folder, [result], f"Learning-rate range test: {name}", job.section)
    console = stdout()
    show(console, result, job.section.mode == "linear")
    if result.take is not None:
        print(f"\n  {job.command(result.take)}\n")
    console.print(f"files: {shown(folder)}", markup=False, highlight=False, soft_wrap=True)
