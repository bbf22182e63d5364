"""The reference of the site: keys from YAML, columns and commands from the code that has them."""

import ast
import inspect
import itertools
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import sgdlab
from sgdlab.cli import COMMANDS
from sgdlab.commands.list_members import documentation
from sgdlab.config.catalogue import groups, members
from sgdlab.startup import conf_dir

SOURCE = Path(sgdlab.__file__ or "").parent
FILES = {
    "results.contract.STEP_COLUMNS": "steps.csv",
    "results.contract.EVAL_COLUMNS": "evals.csv",
    "results.contract.SUMMARY_COLUMNS": "summary.csv",
    "results.contract.LABEL_COLUMNS": "summary.csv, labels of a comparison",
    "analysis.comparison.COMPARISON_COLUMNS": "comparison.csv",
    "analysis.pairs.PAIRWISE_COLUMNS": "pairwise.csv",
    "analysis.joint.JOINT_COLUMNS": "joint.csv",
    "analysis.joint.EFFECT_COLUMNS": "effects.csv",
    "analysis.axis_lines.AXIS_COLUMNS": "axes.csv",
    "report.ablation_table.ABLATION_COLUMNS": "ablation.csv",
    "analysis.speed_ups.SPEED_UP_COLUMNS": "speedup.csv",
    "analysis.budgets.BUDGET_COLUMNS": "budget.csv",
    "analysis.sensitivity.SENSITIVITY_COLUMNS": "sensitivity.csv",
    "analysis.classical.CLASSICAL_COLUMNS": "classical tests",
    "analysis.audit.AUDIT_COLUMNS": "audit.csv",
    "report.claims.CLAIM_COLUMNS": "claims.csv",
}
"""Where the columns of a file are said."""

ROWS = {
    "steps.csv": "results.contract.StepRecord",
    "joint.csv": "analysis.statistics.RandomEffects",
    "effects.csv": "analysis.joint.Effect",
    "speedup.csv": "analysis.statistics.SpeedUp",
    "budget.csv": "analysis.budgets.BudgetCurve",
    "audit.csv": "analysis.audit.Check",
    "claims.csv": "analysis.statistics.TargetClaim",
}
"""The class whose attributes are columns, where there is one."""

Meaning = tuple[str, str]
"""What a column is, and its unit."""


def pages() -> dict[str, str]:
    """Return the pages of the reference by their names."""
    made = {
        "reference/keys.md": _keys(),
        "reference/columns.md": _columns(),
        "reference/commands.md": _commands(),
    }
    return made | {f"reference/{group}.md": _group(group) for group in groups()}


def _keys() -> str:
    """Return the page of all keys: those of a run and of a comparison, and the groups."""
    rows = "\n".join(f"- [{g}]({g}.md): {', '.join(members(g))}" for g in groups())
    parts = [f"# All keys\n\nMembers of the groups, each with its keys:\n\n{rows}"]
    for name, what in (
        ("train", "A run"), ("compare", "A comparison"), ("lr_find", "A range test"),
        ("verify", "A check of the theory"),
    ):  # fmt: skip
        text = (conf_dir() / f"{name}.yaml").read_text(encoding="utf-8")
        parts.append(f"## {what}\n\n{_block('yaml', text)}")
    return "\n\n".join(parts) + "\n"


def _group(group: str) -> str:
    """Return the page of a group: every member's YAML and the docstring of what it names."""
    parts = [f"# {group}"]
    for member, line in members(group).items():
        text = documentation(group, member)
        parts.append(f"## {member}\n\n{line}\n\n{_block('text', text)}")
    return "\n\n".join(parts) + "\n"


def _columns() -> str:
    """Return the page of the columns of all files."""
    parts = ["# Columns of all files\n\nWhat diagnostics add to `steps.csv` is in "
             "[diagnostics](../diagnostics.md)."]  # fmt: skip
    told: dict[str, Meaning] = {}
    for place, file in FILES.items():
        module, _, name = place.rpartition(".")
        said = _docstring_after(module, name) or ""
        told |= _listed(_doc_of(ROWS[file]), "Attributes") if file in ROWS else {}
        told |= _listed(said, "Columns")
        parts.append(f"## {file}\n\n{_plain_text(said.partition('Columns:')[0])}")
        parts.append(_table(columns_of(place), told))
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def columns_of(place: str) -> tuple[str, ...]:
    """Return the columns that stand at a place of `FILES`."""
    return pkgutil.resolve_name(f"sgdlab.{place}")


def _table(columns: tuple[str, ...], told: Mapping[str, Meaning]) -> str:
    """Return a row per column; neighbours of one meaning share theirs."""
    lines = [
        f"| {', '.join(f'`{name}`' for name in names)} | {_plain_text(meaning)} | {unit} |"
        for (meaning, unit), names in itertools.groupby(columns, key=told.__getitem__)
    ]
    return "\n".join(["| column | meaning | unit |", "|---|---|---|", *lines])


def _listed(docstring: str, heading: str) -> dict[str, Meaning]:
    """Return what a section of a docstring says of each name: ``NAME, NAME (UNIT): meaning``.

    A unit counts for the names before it that have none of their own.
    """
    section = inspect.cleandoc(docstring).partition(f"{heading}:\n")[2]
    found: dict[str, Meaning] = {}
    for entry in re.split(r"\n(?=    \S)", section.partition("\n\n")[0].rstrip()):
        names, _, meaning = " ".join(entry.split()).partition(": ")
        last = names.rpartition(" (")[2].rstrip(")") if names.endswith(")") else ""
        for name in names.split(", ") if meaning else ():
            column, _, unit = name.partition(" (")
            found[column] = meaning, unit.rstrip(")") or last
    return found


def _doc_of(place: str) -> str:
    return pkgutil.resolve_name(f"sgdlab.{place}").__doc__ or ""


def _plain_text(text: str) -> str:
    """Return a docstring's sentences as Markdown, without what they name of the code."""
    text = re.sub(
        r",? see `sgdlab\.[\w.]+`|\s\(`sgdlab\.[\w.]+`(?:, `sgdlab\.[\w.]+`)*\)", "", text
    )
    return text.replace("``", "`").strip()


def _docstring_after(module: str, name: str) -> str | None:
    """Return the string that stands below the assignment of a constant."""
    path = SOURCE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for node, after in itertools.pairwise(body):
        if name in _assigned(node) and isinstance(after, ast.Expr):
            value = after.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                return value.value.strip()
    return None


def _assigned(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def _commands() -> str:
    """Return the page of the commands: what ``--help`` prints."""
    parts = ["# Commands\n\nWhat each prints with `--help`; exit codes are in "
             "[usage](../usage.md#exit-codes-and-streams)."]  # fmt: skip
    for name in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "sgdlab", name, "--help"],
            capture_output=True, text=True, check=True, env=_plain(),
        )  # fmt: skip
        parts.append(f"## sgdlab {name}\n\n{_block('text', done.stdout)}")
    return "\n\n".join(parts) + "\n"


def _plain() -> dict[str, str]:
    return os.environ | {"NO_COLOR": "1", "COLUMNS": "100"}


def _block(language: str, text: str) -> str:
    return f"~~~~{{.{language} .wrap}}\n{text.strip()}\n~~~~"
