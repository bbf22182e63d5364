"""What Hydra has to know before it composes: our schemas, and the resolvers in our configs.

Registered on import, so that the worker of a launcher, which imports the task, knows them, too.
"""

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from sgdlab.config.resolve import resolve
from sgdlab.config.run_id import run_folder, run_id, run_name, study_name
from sgdlab.config.schema import CompareConfig, RunConfig


def _run_id(*, _root_: DictConfig) -> str:
    return run_id(resolve(_root_))


def _run_name(*, _root_: DictConfig) -> str:
    config = resolve(_root_)
    return run_name(config, run_id(config))


def _run_folder(*, _root_: DictConfig) -> str:
    config = resolve(_root_)
    return run_folder(config, run_id(config))


def _study_name(*, _root_: DictConfig) -> str:
    return study_name(_root_)


for _name, _schema in {"train_schema": RunConfig, "compare_schema": CompareConfig}.items():
    ConfigStore.instance().store(name=_name, node=_schema)
for _name, _resolver in {
    "run_id": _run_id,
    "run_name": _run_name,
    "run_folder": _run_folder,
    "study_name": _study_name,
}.items():
    OmegaConf.register_new_resolver(_name, _resolver, replace=True)
