"""``sgdlab report DIR…``: tables, figures and a page from finished runs of any origin."""

import sys
from pathlib import Path

from rich.console import Console

from sgdlab.config.parser import Parser
from sgdlab.errors import InputError
from sgdlab.report import build
from sgdlab.report.charts.files import FORMATS


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
        metavar="VALUE|NAME",
        type=_number_or_text,
        help="validation metric to time, such as 0.95, or an optimizer: what half of its final "
        "runs reach (default: that of the study, else one that the optimizers reach)",
    )
    parser.add_argument(
        "--margin",
        metavar="VALUE",
        type=_number_or_text,
        help="largest difference of the metric that does not matter, such as 0.01 for one point "
        "of accuracy, or auto (default: that of the study, else auto)",
    )
    parser.add_argument(
        "--formats",
        metavar="LIST",
        default=",".join(FORMATS),
        help="of the figures' files (default: svg,png,pdf)",
    )
    return parser


def main(argv: list[str]) -> int:
    """Write the report and print its summary.

    Returns:
        0, or 2 when a file was damaged; the report is written all the same.

    Raises:
        InputError: A folder is missing or holds no run, or an option cannot be what it is.
    """
    options = parser().parse_args(argv)
    folders: list[Path] = options.folders
    out: Path = options.out or (folders[0] if len(folders) == 1 else Path()) / "report"
    formats = _formats(options.formats)
    report = build(folders, out, options.target, options.margin, formats)
    report.show(Console())
    for problem in report.problems:
        print(problem, file=sys.stderr)
    return 2 if report.problems else 0


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _formats(text: str) -> list[str]:
    """Return the formats of a list; SVG is always among them: the Markdown shows it."""
    asked = [part.strip().lower() for part in text.split(",") if part.strip()]
    for part in asked:
        if part not in FORMATS:
            raise InputError(f"--formats {text}: {part} is none of {', '.join(FORMATS)}")
    if not asked:
        raise InputError(f"--formats {text!r}: names none of {', '.join(FORMATS)}")
    return [name for name in FORMATS if name in asked or name == "svg"]
