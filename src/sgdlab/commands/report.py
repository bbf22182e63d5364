"""``sgdlab report DIR…``: tables, figures and a page from finished runs of any origin."""

import sys
from pathlib import Path

from rich.console import Console

from sgdlab.commands.parser import Parser
from sgdlab.report import build


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        "report",
        description="Compare the optimizers of finished runs: tables, tests, figures and a page.",
    )
    parser.add_argument(
        "folders",
        metavar="DIR",
        nargs="+",
        type=Path,
        help="folder of a run, sweep or comparison; runs are found at any depth",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder of the report (default: DIR/report; ./report for several DIR)",
    )
    parser.add_argument(
        "--target",
        metavar="VALUE",
        type=float,
        help="validation metric to time, such as 0.95 (default: one that the optimizers reach)",
    )
    return parser


def main(argv: list[str]) -> int:
    """Write the report and print its summary.

    Returns:
        0, or 2 when a file was damaged; the report is written all the same.

    Raises:
        InputError: A folder is missing or holds no run, or the target cannot be one.
    """
    options = parser().parse_args(argv)
    folders: list[Path] = options.folders
    out: Path = options.out or (folders[0] if len(folders) == 1 else Path()) / "report"
    report = build(folders, out, options.target)
    report.show(Console())
    for problem in report.problems:
        print(problem, file=sys.stderr)
    return 2 if report.problems else 0
