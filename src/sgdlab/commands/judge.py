"""``sgdlab judge FILE|DIR…``: a verdict on anyone's runs."""

import math
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from sgdlab.analysis import Analysis, Hypothesis, analyse, analyse_runs
from sgdlab.analysis.logs import LogOptions, read_logs
from sgdlab.config.parser import Parser
from sgdlab.errors import InputError
from sgdlab.report import show, write
from sgdlab.report.charts.files import DEFAULT_FORMATS
from sgdlab.report.origin import Making, Origin
from sgdlab.report.show import show_answers
from sgdlab.report.verdict import answers, joint, judgement_json, overall
from sgdlab.results import has_run
from sgdlab.terminal.console import console
from sgdlab.visible import shell_word, visible

CODES = {"verdict": 0, "refuted": 1, "undecided": 3}
"""The exit code of each answer."""


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        "judge",
        description="A verdict on anyone's runs: which is better, or which claims hold. Exit code "
        "0: a verdict (with --better-than or --target: every claim holds); 1: a claim is refuted; "
        "3: undecided; 2: bad input.",
    )
    add = parser.add_argument
    add(
        "paths",
        metavar="FILE|DIR",
        nargs="+",
        type=Path,
        help="tables (CSV, Parquet, JSON lines; a row per run, or per step and run; or a column "
        "per contender), runs of sgdlab, TensorBoard's event files, W&B's exported CSV, MLflow's "
        "store, or with --pattern text logs, a run each",
    )
    add("--group", metavar="COLUMN", help="what is compared (default: optimizer, method, …)")
    add("--unit", metavar="COLUMN", help="whose equal values are pairs (default: seed, …)")
    add("--metric", metavar="COLUMN", help="the values (default: the only number, or val_loss, …)")
    add("--direction", choices=("min", "max"), help="which is better (default: by the name)")
    add("--workload", metavar="COLUMN", help="never pooled (default: workload, task, dataset, …)")
    add("--step", metavar="COLUMN", help="counts steps; the last value of a run counts")
    add(
        "--pattern",
        action="append",
        metavar="REGEX",
        help="names columns in the lines of text logs: 'step:(?P<step>\\d+) "
        "val_loss:(?P<val_loss>[\\d.]+)'; each match of the last one is a row, what others match "
        "holds from there on",
    )
    add(
        "--name",
        metavar="REGEX",
        help="names columns in the names of runs (paths of logs): "
        "'(?P<optimizer>\\w+)/(?P<seed>\\d+)'",
    )
    add("--better-than", metavar="NAME", help="the claim: every other is better than this one")
    add("--margin", metavar="VALUE", help="largest difference that does not matter, or auto")
    add("--target", metavar="VALUE", type=_number, help="the claim: the mean reaches this value")
    add("--sigma", metavar="VALUE", type=_number, help="known sd of a run, for --target: a z-test")
    add(
        "--tries",
        metavar="N",
        type=int,
        default=1,
        help="what is shown is the best of N attempts: p-values are corrected for them",
    )
    add(
        "--anytime",
        action="store_true",
        help="p-values and intervals hold however often one looks, and whenever one stops",
    )
    add("--json", action="store_true", help="print one object with answer and pairs")
    add("--out", metavar="DIR", type=Path, help="write the report with tables, LaTeX and figures")
    return parser


def main(argv: list[str]) -> int:
    """Judge the runs, print what is said of them, and write the report where it is asked for.

    Returns:
        0 for a verdict, 1 where a claim is refuted, 3 where anything is undecided, 2 where a file
        of sgdlab's own was damaged.

    Raises:
        InputError: Something cannot be read, or what its columns are cannot be told.
    """
    options = parser().parse_args(argv)
    hypothesis = _hypothesis(options)
    command = " ".join(map(shell_word, ("sgdlab", "judge", *_repeated(argv))))
    analysis, said = _analysed(options, hypothesis, command)
    answer = overall(analysis)
    report = None
    if options.out is not None:
        made = Making(Origin([], str(options.out)), line=command)
        report = write(analysis, options.out, options.paths, made, DEFAULT_FORMATS)
    if options.json:
        print(judgement_json(analysis, answer, said, version("sgdlab")))
    else:
        screen = console(elsewhere=80)
        if report is not None:
            show(report, screen)
        else:
            show_answers(analysis, answers(analysis), screen, joint(analysis))
        for line in said:
            print(f"read as {visible(line)}")
        print(f"answer: {answer}")
    for problem in analysis.runs.problems:
        print(visible(problem), file=sys.stderr)
    return 2 if analysis.runs.problems else CODES[answer]


def _analysed(
    options: Namespace, hypothesis: Hypothesis, command: str
) -> tuple[Analysis, list[str]]:
    paths: Sequence[Path] = options.paths
    own = [path.is_dir() and not options.pattern and has_run(path) for path in paths]
    if any(own):
        return _of_studies(options, own, hypothesis), []
    columns = LogOptions(
        group=_names(options.group, "--group"),
        unit=options.unit or "",
        metric=options.metric or "",
        direction=options.direction or "",
        workload=_names(options.workload, "--workload"),
        step=options.step or "",
        patterns=tuple(options.pattern or ()),
        name=options.name or "",
    )
    found = read_logs(paths, columns, command)
    timed = hypothesis.target if any(found.runs.evals) else None
    return analyse_runs(found.runs, found.parts, {}, timed, options.margin, hypothesis), found.said


def _of_studies(options: Namespace, own: Sequence[bool], hypothesis: Hypothesis) -> Analysis:
    """Judge runs of sgdlab, which say themselves what their columns are."""
    paths: Sequence[Path] = options.paths
    if not all(own):
        other = paths[list(own).index(False)]
        raise InputError(
            f"{other}: not runs of sgdlab, as other folders here are; judge them apart"
        )
    for flag in ("unit", "metric", "direction", "workload", "step", "name"):
        if getattr(options, flag):
            raise InputError(
                f"--{flag}: runs of sgdlab say it themselves; for other columns judge their "
                f"table, {paths[0]}/runs.csv"
            )
    by = list(_names(options.group, "--group")) or None
    return analyse(paths, None, options.margin, by, hypothesis)


def _hypothesis(options: Namespace) -> Hypothesis:
    if options.tries < 1:
        raise InputError(f"--tries {options.tries}: must be 1 or more")
    if options.sigma is not None and options.target is None:
        raise InputError("--sigma: is of the test against a fixed value; give --target, too")
    if options.sigma is not None and options.sigma <= 0:
        raise InputError(f"--sigma {options.sigma:g}: must be a positive number")
    return Hypothesis(
        options.better_than or "", options.target, options.sigma, options.tries, options.anytime
    )


def _repeated(argv: Sequence[str]) -> list[str]:
    """Return the command line without what only prints."""
    return [word for word in argv if word != "--json"]


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _names(text: str | None, option: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in (text or "").split(",")) if text else ()
    if not all(names):
        raise InputError(f"{option} {text!r}: name columns such as optimizer or optimizer,lr")
    return names
