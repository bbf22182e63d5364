"""What a run was made from besides its config: data, the user's code and files, versions.

The id of a run covers its config. Evidence is kept beside it, and compared before results or a
checkpoint of the same id are used again.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from sgdlab.config.files_read import read_by
from sgdlab.config.schema import GROUPS, RunConfig
from sgdlab.config.sources import hash_of, sources_of, targets_in, version_of
from sgdlab.errors import InputError
from sgdlab.results.files import contents
from sgdlab.training.build import extend_path
from sgdlab.training.dataset import dataset_of
from sgdlab.training.weights import weights_file

_ALWAYS = ("torch", "numpy")
# Larger folders are known by names, sizes and times, not by their content.
_READ_WHOLE = 4 * 2**30


@dataclass(frozen=True)
class Evidence:
    """What a run was made from.

    Attributes:
        data: The fingerprint of the data; None where they could not be loaded.
        code: The user's modules, each with a hash of its source.
        files: Files and folders that settings of users' parts name, and files that these read as
            they were built, each with a hash of its content. Of data the tensors count.
        versions: Torch and NumPy, which draw and compute, and the packages that users' parts come
            from or import. sgdlab's own rules have a version in the run id.
    """

    data: str | None = None
    code: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    files: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    versions: Mapping[str, str | None] = field(default_factory=dict[str, str | None])

    def changes(self, before: "Evidence") -> list[str]:
        """Name what is other now than it was; what a run says nothing of counts as the same.

        Args:
            before: The evidence that a run has left.
        """
        said: list[str] = []
        if self.data and before.data and self.data != before.data:
            said.append(f"other data (fingerprint {before.data[:8]}, now {self.data[:8]})")
        changed = [n for n, old in before.code.items() if (self.code.get(n) or hash_of(n)) != old]
        if changed:
            names = ", ".join(f"{name.replace('.', '/')}.py" for name in changed)
            said.append(f"other code ({names} changed)")
        # One that is gone and was needed is missed by whatever needs it.
        changed = [n for n, old in before.files.items() if content_of(n) not in (old, None)]
        if changed:
            said.append(f"other files ({', '.join(changed)} changed)")
        return said

    def recorded(self) -> dict[str, Any]:
        """Return the part of ``environment.json`` that it is."""
        return {"dataset_fingerprint": self.data, "evidence": dataclasses.asdict(self)}

    def undisturbed(self) -> "Evidence":
        """Return the evidence without files that have changed since: runs write files, too."""
        kept = {name: old for name, old in self.files.items() if content_of(name) == old}
        return self if kept == self.files else dataclasses.replace(self, files=kept)

    def other_versions(self, before: "Evidence") -> list[str]:
        """Name the packages that had another version; one that is not known is none."""
        return [
            f"{name} {old} (now {self.versions[name]})"
            for name, old in before.versions.items()
            if old is not None and self.versions.get(name) not in (old, None)
        ]


def evidence_of(config: RunConfig, data: str | None, model: nn.Module | None = None) -> Evidence:
    """Return what a run is made from.

    Args:
        config: The resolved config of the run.
        data: The fingerprint of its data.
        model: Its model, where it is built: the modules of its layers count.

    Raises:
        InputError: The file of ``weights`` is not there.
    """
    extend_path(config)
    plain = config.plain()
    named = {key: list(targets_in(plain[key])) for key in (*GROUPS, "callbacks")}
    targets = tuple(dict.fromkeys(target for own in named.values() for target in own))
    layers = {type(part).__module__ for part in model.modules()} if model is not None else set()
    key = targets, frozenset(layers)
    found = _packages_only.get(key)
    if found is None:
        found = sources_of(targets, layers)
    if not any(found.values()):
        _packages_only[key] = found
    packages = dict.fromkeys([*_ALWAYS, *(name for name, known in found.items() if known is None)])
    files: dict[str, None] = {}
    for group, own in named.items():
        if group != "dataset" and any(not target.startswith("sgdlab.") for target in own):
            files |= dict.fromkeys(_paths_in(plain[group]))
            files |= dict.fromkeys(read_by(plain[group]))
    if isinstance(folder := config.model.get("folder"), str):  # of model=huggingface
        files |= dict.fromkeys(_paths_in(os.path.expanduser(f"{folder}/config.json")))
    if config.weights is not None:
        files[str(weights_file(config.weights))] = None
    known = {name: content_of(name) for name in files}
    return Evidence(
        data=data,
        code={name: source for name, source in found.items() if source is not None},
        files={name: content for name, content in known.items() if content is not None},
        versions={package: version_of(package) for package in packages},
    )


_packages_only: dict[object, Mapping[str, str | None]] = {}
"""What `sources_of` found for targets that lead to no code of the user's."""


def evidence_now(config: RunConfig) -> Evidence:
    """Return what a run would be made from if it was made now; its data are loaded.

    Raises:
        InputError: They cannot be loaded.
    """
    extend_path(config)
    return evidence_of(config, dataset_of(config).fingerprint)


def recorded_in(directory: Path) -> Evidence:
    """Return the evidence that a run has left; of older runs it has the data alone."""
    try:
        content = json.loads(contents(directory / "environment.json"))
        return as_evidence(content.get("evidence"), content.get("dataset_fingerprint"))
    except (OSError, ValueError, AttributeError, InputError):
        return Evidence()


def as_evidence(plain: object, data: str | None = None) -> Evidence:
    """Return evidence from its plain form; of what is none, the data alone."""
    if not isinstance(plain, Mapping):
        return Evidence(data)
    known = {part.name for part in dataclasses.fields(Evidence)}
    return Evidence(**{str(key): value for key, value in plain.items() if key in known})


def _paths_in(value: Any) -> Iterator[str]:
    """Yield the texts in a section that are paths of something that exists."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key != "_target_":
                yield from _paths_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths_in(item)
    elif isinstance(value, str) and value and "\0" not in value and os.path.exists(value):
        yield value


def content_of(path: str) -> str | None:
    """Return a hash of a file, or of the files in a folder; None where there is nothing."""
    root = Path(path)
    if root.is_file():
        return _hash_of_file(path, *_stat(root))
    if not root.is_dir():
        return None
    files = sorted(entry for entry in root.rglob("*") if entry.is_file())
    whole = sum(_stat(file)[0] for file in files) <= _READ_WHOLE
    digest = hashlib.sha256()
    for file in files:
        known = _hash_of_file(str(file), *_stat(file)) if whole else str(_stat(file))
        digest.update(f"{file.relative_to(root).as_posix()}\0{known}\0".encode())
    return digest.hexdigest()[:16]


def _stat(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=1024)
def _hash_of_file(path: str, _size: int, _time: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
