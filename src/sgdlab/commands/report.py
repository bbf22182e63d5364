"""``sgdlab report DIR…``: tables, figures and a page from finished runs of any origin."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sgdlab.commands.lock_option import add_lock
from sgdlab.config.parser import Parser
from sgdlab.errors import InputError
from sgdlab.report import build, show
from sgdlab.report.build import Report
from sgdlab.report.bundled import from_bundles
from sgdlab.report.charts.files import DEFAULT_FORMATS, FORMATS
from sgdlab.report.origin import default_out
from sgdlab.report.watch import Watch
from sgdlab.results.lock import WAIT
from sgdlab.results.packed import packed_in
from sgdlab.signals import Interrupted
from sgdlab.terminal.console import console
from sgdlab.terminal.display import shown
from sgdlab.terminal.notices import warn
from sgdlab.trackers import Logger, of_option, send, with_pictures
from sgdlab.visible import visible


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        "report",
        description="Compare the optimizers of finished runs: tables, tests, figures and a page.",
    )
    parser.add_argument(
        "folders",
        metavar="DIR|FILE",
        nargs="+",
        type=Path,
        help="folder of a run, sweep or comparison, where runs are found at any depth; or an "
        "archive of sgdlab bundle",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder of the report (default: DIR/report; STUDY-report beside STUDY.zip; ./report "
        "for several)",
    )
    parser.add_argument(
        "--by",
        metavar="KEY[,KEY]",
        help="settings whose values are compared, such as lr, batch_size,lr or schedule (default: "
        "the optimizers, or of one optimizer what the sweep varied)",
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
        default=",".join(DEFAULT_FORMATS),
        help="of the figures' files: some of svg,png,pdf; SVG is always among them (default: svg)",
    )
    parser.add_argument(
        "--to",
        metavar="NAME[=PLACE]",
        action="append",
        default=[],
        help="send the runs and the report to a tracker, too: tensorboard, mlflow, wandb, trackio, "
        "or several, a,b; PLACE is its folder or URI. What was sent before is not sent again",
    )
    add_lock(parser, "same folder")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="write the report anew while the runs are trained, every few seconds at most, to a "
        "page that loads itself anew; ends when all have ended, or by Ctrl-C",
    )
    return parser


def main(argv: list[str]) -> int:
    """Write the report and print its summary.

    Returns:
        0, or 2 when a file was damaged, or 1 when a tracker failed; the report is written all the
        same.

    Raises:
        InputError: A folder is missing or holds no run, or an option cannot be what it is.
    """
    options = parser().parse_args(argv)
    folders: list[Path] = options.folders
    bundles = [str(path) for path in folders if path.is_file()]
    out: Path = options.out or Path(default_out(list(map(str, folders)), bundles))
    formats, by = _formats(options.formats), _keys(options.by)
    logger = of_option(options.to)
    if logger and bundles:
        raise InputError(f"--to: {bundles[0]} is an archive; sgdlab report FOLDER --to sends runs")
    if packed := [folder for folder in folders if logger and packed_in(str(folder))]:
        raise InputError(f"--to: {packed[0]} has packed runs; sgdlab unpack {packed[0]} first")
    formats = with_pictures(logger, formats)
    given = options.target, options.margin, formats, options.lock, by
    if options.watch:
        report = _watched(folders, bundles, out, given)
    else:
        report = from_bundles(folders, out, *given) if bundles else build(folders, out, *given)
    show(report, console(elsewhere=80))
    for problem in report.problems:
        print(visible(problem), file=sys.stderr)
    if logger and not _sent(logger, folders, out):
        return 1
    return 2 if report.problems else 0


def _watched(folders: list[Path], bundles: list[str], out: Path, given: Any) -> Report:
    """Write the report until nothing more is to come; return the last one."""
    if bundles:
        raise InputError(f"--watch {bundles[0]}: an archive, which does not change; leave --watch")
    target, margin, formats, _, by = given

    def make(reload: float) -> Report:
        return build(folders, out, target, margin, formats, WAIT, by, reload=reload)

    def say(line: str) -> None:
        warn(f"{shown(out / 'report.html')}: {line}")

    watch = Watch(folders, out, make, say)
    try:
        return watch.carry_out()
    except KeyboardInterrupt as told:
        watch.leave()
        if isinstance(told, Interrupted):
            told.how = f"{shown(out / 'report.html')} is as it was written last"
        raise


def _sent(logger: Logger, folders: Sequence[Path], out: Path) -> bool:
    """Send runs and the report to trackers, and print of how many runs there was something new."""
    found = send(logger, folders, out)
    for name, new, every in found:
        print(f"{name}: {new} of {every} runs sent, {every - new} were there")
    return len(found) == len(logger)


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _keys(text: str | None) -> list[str] | None:
    """Return the settings of a list; None where it was not given."""
    if text is None:
        return None
    keys = [part.strip() for part in text.split(",")]
    if not all(keys):
        raise InputError(f"--by {text!r}: name settings such as lr or batch_size,lr")
    return keys


def _formats(text: str) -> list[str]:
    """Return the formats of a list; SVG is always among them: the Markdown shows it."""
    asked = [part.strip().lower() for part in text.split(",") if part.strip()]
    for part in asked:
        if part not in FORMATS:
            raise InputError(f"--formats {text}: {part} is none of {', '.join(FORMATS)}")
    if not asked:
        raise InputError(f"--formats {text!r}: names none of {', '.join(FORMATS)}")
    return [name for name in FORMATS if name in asked or name == "svg"]
