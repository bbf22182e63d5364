"""What SECURITY.md promises: readers run nothing, and each promise has its test."""

import ast
import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from run_folders import make_run

import sgdlab
from sgdlab.commands import diagnose
from sgdlab.commands.report import main as report

ROOT = Path(sgdlab.__file__).parent
HOUSE = Path(__file__).parent.parent

OWN_MEMORY = {"config/compose/loader.py", "sweeps/gather.py", "sweeps/worker.py"}
"""Unpickles what it has pickled itself a moment before, or its own workers have, never a file."""


@functools.cache
def nodes() -> list[tuple[str, ast.AST]]:
    """Return every node of every file."""
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
    ]


@functools.cache
def all_calls() -> list[tuple[str, str, ast.Call]]:
    """Return the file, the function and the node of every call."""
    calls = ((file, node) for file, node in nodes() if isinstance(node, ast.Call))
    return [(file, f".{ast.unparse(node.func)}", node) for file, node in calls]


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield the file and the node of every call whose function ends in a dotted name."""
    for file, function, node in all_calls():
        if function.endswith(f".{name}"):
            yield file, node


def test_no_pickle_is_read() -> None:
    known = re.compile(r"(pickle|cPickle|marshal|shelve|dill|cloudpickle|joblib)\b")
    for file, node in nodes():
        names = [n.name for n in node.names] if isinstance(node, ast.Import) else []
        names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if known.match(name)] or file in OWN_MEMORY, file
    assert not list(calls("read_pickle"))
    assert not [node for _, node in calls("np.load") if "allow_pickle" in ast.unparse(node)]


def test_checkpoints_are_loaded_as_weights_only() -> None:
    found = list(calls("torch.load"))
    assert found
    for file, node in found:
        assert "weights_only=True" in ast.unparse(node), file


def test_yaml_is_loaded_by_safe_loaders_only() -> None:
    found = [*calls("yaml.load"), *calls("yaml.parse")]
    assert found
    for file, node in found:
        assert re.search(r"yaml\.CSafeLoader|Loader=_Loader", ast.unparse(node)), file
    for name in ("yaml.full_load", "yaml.unsafe_load", "yaml.load_all"):
        assert not list(calls(name))
    assert issubclass(sgdlab.results.plain_yaml._Loader, yaml.constructor.SafeConstructor)


def test_nothing_is_evaluated() -> None:
    for file, function, _ in all_calls():
        assert function not in (".eval", ".exec"), file


def test_readers_call_and_import_nothing_that_a_config_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys.modules["sgdlab.report.build"], "files", lambda *_: {})
    target = {"_target_": "trap.run", "lr": 0.1}
    groups = (
        "optimizer",
        "dataset",
        "model",
        "loss",
        "schedule",
        "metric",
        "diagnostics",
        "scaling",
    )
    config = dict.fromkeys(groups, target) | {"import_from": [str(tmp_path)]}
    for seed in range(2):
        run = make_run(tmp_path / "runs" / str(seed), "trap", seed=seed, config=config)
        (run / "checkpoint.pt").write_bytes(b"\x80\x04cos\nsystem\n(S'touch trapped'\ntR.")
    assert report([str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--formats", "svg"]) == 0
    assert diagnose.main([str(tmp_path / "runs"), "--no-plots"]) == 0
    assert not (tmp_path / "trapped").exists()


def test_every_test_that_the_promises_name_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (HOUSE / "SECURITY.md").read_text())
    assert len(named) > 8
    for file, test in named:
        assert f"def {test}" in (HOUSE / file).read_text(), (file, test)
