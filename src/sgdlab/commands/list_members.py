"""``sgdlab list [GROUP [MEMBER]]``: what there is to choose from, and what a member is."""

import argparse
import ast
import inspect
import shlex
from pathlib import Path

import yaml

import sgdlab
from sgdlab.config.catalogue import conf_dir, groups, members, refuse_shadowed, suggest_member
from sgdlab.config.parser import Parser
from sgdlab.errors import InputError, suggest
from sgdlab.visible import visible, visible_lines

HIDDEN = ("search",)
TYPED = {"suite": "workloads"}
"""Keys that take a member and are not called as its group is."""

SUFFIXES = (".png", ".svg", ".pdf")

EXAMPLES = """\
examples:
  sgdlab list                               every group
  sgdlab list schedule                      one group
  sgdlab list schedule cosine               one member: its settings, formula and source
  sgdlab list schedule --plot schedules.png
  sgdlab list --config-dir my               what is shipped, and what my/ adds
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
    parser.add_argument(
        "--config-dir",
        "-cd",
        metavar="DIR",
        type=Path,
        help="folder of members of your own, which are marked with its name",
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
    own: Path | None = options.config_dir
    if own is not None:
        refuse_shadowed(own)
    if options.plot is not None:
        _plot(group, options.member, options.plot)
    elif options.member is not None:
        assert group is not None  # the member is the second argument
        print(documentation(group, options.member, own), end="")
    else:
        for each in [group] if group else shown:
            _print_lines(each, own)
    return 0


def _print_lines(group: str, own: Path | None) -> None:
    shipped, found = members(group), members(group, own)
    width = max(map(len, found), default=0)
    print(group)
    for name, line in found.items():
        mark = "" if name in shipped else f"({own}) "
        print(visible(f"  {name:<{width}}  {mark}{line}".rstrip()))


def _plot(group: str | None, member: str | None, file: Path) -> None:
    if group != "schedule":
        right = f"sgdlab list schedule --plot {shlex.quote(str(file))}"
        raise InputError(f"list --plot draws schedules: {right}")
    if member is not None:
        raise InputError(f"list schedule --plot draws all schedules: leave out {member}")
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"--plot {file}: the name must end in {', '.join(SUFFIXES)}")
    if not file.parent.is_dir():
        raise InputError(f"--plot {file}: no such folder: {file.parent}")
    from sgdlab.report.schedules import draw  # matplotlib is slow to import

    count = draw(file)
    print(f"{count} schedules drawn in {file}")


def documentation(group: str, member: str, own: Path | None = None) -> str:
    """Return the YAML of a member and the docstring of what it names.

    The docstring is read from the source, so that torch need not be imported; what is neither
    sgdlab's own nor the user's is only named.

    Args:
        group: The group.
        member: The member.
        own: The user's config folder.

    Raises:
        InputError: The group has no such member, or its file is no YAML.
    """
    found = members(group, own)
    if member not in found:
        raise InputError(
            f"list {group} {member}: no such member; {suggest_member(group, member, own)}"
        )
    path = conf_dir() / group / f"{member}.yaml"
    if own is not None and not path.is_file():
        path = own / group / f"{member}.yaml"
    text = path.read_text(encoding="utf-8", errors="backslashreplace")
    try:
        section = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {getattr(error, 'problem', error)}") from error
    target = section.get("_target_") if isinstance(section, dict) else None
    parts = [f"{TYPED.get(group, group)}={member}", text.strip()]
    if isinstance(target, str):
        docstring = docstring_of(target, own)
        parts.append(target)
        parts.append(docstring or f"Its documentation: python -m pydoc {target}")
    return visible_lines("\n\n".join(parts)) + "\n"


def docstring_of(target: str, own: Path | None = None) -> str | None:
    """Return the docstring of a class or function of sgdlab or the user; None when there is none.

    Args:
        target: A dotted path, as in a ``_target_``.
        own: The user's config folder, whose Python files count.
    """
    module, _, name = target.rpartition(".")
    package, *rest = module.split(".")
    if package == sgdlab.__name__ and sgdlab.__file__ is not None:
        base = Path(sgdlab.__file__).parent.joinpath(*rest)
    elif own is not None and module:
        base = own.joinpath(package, *rest)
    else:
        return None
    source = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    if not source.is_file():
        return None
    try:
        statements = ast.parse(source.read_text(encoding="utf-8")).body
    except (SyntaxError, UnicodeDecodeError):
        return None  # training with it says why
    for node in statements:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            text = ast.get_docstring(node, clean=False)
            return inspect.cleandoc(text) if text else None
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return docstring_of(f"{node.module}.{alias.name}", own)
    return None
