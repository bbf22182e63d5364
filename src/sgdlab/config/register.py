"""What Hydra has to know before it composes: our schemas, and the resolvers in our configs.

Registered on import, so that the worker of a launcher, which imports the task, knows them, too.
"""

from collections.abc import Callable

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf

from sgdlab.config.resolve import resolve
from sgdlab.config.run_id import RUN_NAMES, run_id, study_name
from sgdlab.config.schema import CompareConfig, RunConfig, WatchedConfig
from sgdlab.errors import InputError
from sgdlab.startup import conf_dir

_being_named: list[str] = []


def _register(name: str, name_of: Callable[[DictConfig], str]) -> None:
    def resolver(*, _root_: DictConfig) -> str:
        if _being_named:
            raise InputError(f"{name} is made from this value, so it cannot be part of it")
        _being_named.append(name)
        try:
            return name_of(_root_)
        finally:
            _being_named.clear()

    OmegaConf.register_new_resolver(name, resolver, replace=True)


def _named(name_of: Callable[[RunConfig, str], str]) -> Callable[[DictConfig], str]:
    def name(root: DictConfig) -> str:
        config = resolve(root)
        return name_of(config, run_id(config))

    return name


for _name, _schema in {"train_schema": WatchedConfig, "compare_schema": CompareConfig}.items():
    ConfigStore.instance().store(name=_name, node=_schema)
for _name, _name_of in RUN_NAMES.items():
    _register(_name, _named(_name_of))
_register("study_name", study_name)

# Hydra would hold our configs of launchers to the schemas that plugins of the same names register.
Plugins.instance()
_launchers = ConfigStore.instance().repo.get("hydra", {}).get("launcher", {})
for _file in (conf_dir() / "hydra" / "launcher").glob("*.yaml"):
    _launchers.pop(_file.name, None)
