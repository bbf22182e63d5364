"""The layout of the house: what lies in the root, how large files are, who needs Hydra's inside."""

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import omegaconf

import sgdlab

ROOT = Path(sgdlab.__file__).parent
SOURCE = ROOT.parent
FILES = sorted(SOURCE.rglob("*.py"))

GROUND = {
    "__init__.py", "__init__.pyi", "__main__.py", "py.typed", "cli.py", "errors.py", "checks.py",
    "startup.py", "signals.py", "visible.py",
}  # fmt: skip
NAMED_BY_TARGETS = {"scaling.py", "averaging.py"}
IMPORTED_BY_USERS = {"parametrization.py"}
ROOMS = {
    "analysis", "api", "augmentation", "commands", "comparison", "config", "conform", "datasets",
    "diagnosis", "diagnostics", "lessons", "losses", "metrics", "models", "optim", "optimizers",
    "range_test",
    "report", "results", "schedules", "search", "snippet", "stacked", "steps", "sweeps", "terminal",
    "trackers", "training", "verify",
}  # fmt: skip

NAMED_ALIKE = {"Exponential", "Linear", "Run"}
"""Classes that ``_target_`` strings and run ids name: an average and a schedule; a rule of scaling,
a schedule and a model. And a run as it is trained, and as `sgdlab.train` returns it."""

INSIDE_HYDRA = {
    "hydra_plugins/sgdlab_sweeper/__init__.py",
    "sgdlab/config/compose/application.py",
    "sgdlab/config/compose/loader.py",
    "sgdlab/sweeps/launchers.py",
}
"""Modules that use `hydra._internal` or private names of OmegaConf; each use says why."""


@functools.cache
def tree_of(file: Path) -> ast.Module:
    """Return what a file says."""
    return ast.parse(file.read_text())


def place(file: Path) -> str:
    return file.relative_to(SOURCE).as_posix()


def test_the_root_holds_the_ground_and_the_rooms_only():
    found = {path.name for path in ROOT.iterdir() if path.name not in ("__pycache__", "conf")}
    assert found == GROUND | NAMED_BY_TARGETS | IMPORTED_BY_USERS | ROOMS


def test_nothing_is_called_utils():
    assert not [place(file) for file in SOURCE.rglob("*util*") if "__pycache__" not in file.parts]


def test_no_two_classes_have_one_name():
    places: dict[str, list[str]] = defaultdict(list)
    for file in FILES:
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(place(file))
    alike = {name: files for name, files in places.items() if len(files) > 1}
    assert {name: alike[name] for name in alike.keys() - NAMED_ALIKE} == {}
    assert alike.keys() >= NAMED_ALIKE, "an exception that nothing needs any more"


def test_no_file_is_long():
    lines = {place(file): len(file.read_text().splitlines()) for file in FILES}
    assert not [name for name, count in lines.items() if count > 250]


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that a file imports, and the names that it imports from modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_is_mocked_in_production():
    used = {place(file): imports(tree_of(file)) for file in FILES}
    assert not [file for file, names in used.items() if any("unittest" in name for name in names)]


PRIVATE = {
    name
    for kind in (omegaconf.DictConfig, omegaconf.ListConfig, omegaconf.OmegaConf)
    for name in dir(kind)
    if name.startswith("_") and not name.startswith("__")
} - set(dir(object))


def reaches_inside(file: Path) -> bool:
    """Whether a file imports what Hydra or OmegaConf keep private, or asks an object for it."""
    tree = tree_of(file)
    if any(name.startswith(("hydra._", "omegaconf._")) for name in imports(tree)):
        return True
    asked = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return any(
        node.attr in PRIVATE and not (isinstance(node.value, ast.Name) and node.value.id == "self")
        for node in asked
    )


def test_few_modules_use_the_inside_of_hydra():
    assert {place(file) for file in FILES if reaches_inside(file)} == INSIDE_HYDRA
