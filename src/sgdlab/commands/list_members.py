"""``sgdlab list [GROUP [MEMBER]]``: what there is to choose from, and what a member is."""

import argparse
import ast
import inspect
from pathlib import Path

import yaml

import sgdlab
from sgdlab.config.catalogue import conf_dir, groups, members
from sgdlab.config.parser import Parser
from sgdlab.errors import InputError, suggest

HIDDEN = ("search",)

SUFFIXES = (".png", ".svg", ".pdf")

EXAMPLES = """\
examples:
  sgdlab list                               every group
  sgdlab list schedule                      one group
  sgdlab list schedule cosine               one member: its settings, formula and source
  sgdlab list schedule --plot schedules.png
"""


def parser(shown: list[str]) -> Parser:
    """Return the parser of the command line; ``shown`` are the groups that its help names."""
    parser = Parser(
        "list",
        description="What there is to choose from, a line each; or all about one member.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("group", metavar="GROUP", nargs="?", help=", ".join(shown))
    parser.add_argument("member", metavar="MEMBER", nargs="?", help="name of a member of GROUP")
    parser.add_argument(
        "--plot",
        metavar="FILE",
        type=Path,
        help="draw all schedules to a png, svg or pdf file (list schedule only)",
    )
    return parser


def main(arguments: list[str]) -> int:
    """Print the members of all groups or of one, or a member's documentation, or draw schedules.

    Raises:
        InputError: There is no such group or member, or the plot cannot be made.
    """
    shown = [group for group in groups() if group not in HIDDEN]
    options = parser(shown).parse_args(arguments)
    group: str | None = options.group
    if group is not None and group not in groups():
        raise InputError(f"list {group}: no such group; {suggest(group, shown)}")
    if options.plot is not None:
        _plot(group, options.member, options.plot)
    elif options.member is not None:
        assert group is not None  # the member is the second argument
        print(documentation(group, options.member), end="")
    else:
        for each in [group] if group else shown:
            _print_lines(each)
    return 0


def _print_lines(group: str) -> None:
    found = members(group)
    width = max(map(len, found), default=0)
    print(group)
    for name, line in found.items():
        print(f"  {name:<{width}}  {line}".rstrip())


def _plot(group: str | None, member: str | None, file: Path) -> None:
    if group != "schedule":
        raise InputError(f"list --plot draws schedules: sgdlab list schedule --plot {file}")
    if member is not None:
        raise InputError(f"list schedule --plot draws all schedules: leave out {member}")
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"--plot {file}: the name must end in {', '.join(SUFFIXES)}")
    if not file.parent.is_dir():
        raise InputError(f"--plot {file}: no such folder: {file.parent}")
    from sgdlab.report.schedules import draw  # matplotlib is slow to import

    count = draw(file)
    print(f"{count} schedules drawn in {file}")


def documentation(group: str, member: str) -> str:
    """Return the YAML of a member and the docstring of what it names.

    The docstring is read from the source, so that torch need not be imported; what is not
    sgdlab's own is only named.

    Raises:
        InputError: The group has no such member.
    """
    found = members(group)
    if member not in found:
        raise InputError(f"list {group} {member}: no such member; {suggest(member, found)}")
    path = conf_dir() / group / f"{member}.yaml"
    text = path.read_text()
    section = yaml.safe_load(text)
    target = section.get("_target_") if isinstance(section, dict) else None
    parts = [f"{group}={member}", text.strip()]
    if isinstance(target, str):
        docstring = docstring_of(target)
        parts.append(target)
        parts.append(docstring or f"Its documentation: python -m pydoc {target}")
    return "\n\n".join(parts) + "\n"


def docstring_of(target: str) -> str | None:
    """Return the docstring of a class or function of sgdlab; None when there is none.

    Args:
        target: A dotted path, as in a ``_target_``.
    """
    module, _, name = target.rpartition(".")
    package, *rest = module.split(".")
    if package != sgdlab.__name__ or sgdlab.__file__ is None:
        return None
    base = Path(sgdlab.__file__).parent.joinpath(*rest)
    source = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    if not source.is_file():
        return None
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            text = ast.get_docstring(node, clean=False)
            return inspect.cleandoc(text) if text else None
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return docstring_of(f"{node.module}.{alias.name}")
    return None
