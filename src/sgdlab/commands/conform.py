"""``sgdlab conform A B``: whether two optimizers are the same, and what they differ in."""

import argparse
from importlib.metadata import version
from pathlib import Path

from sgdlab.config.catalogue import refuse_shadowed
from sgdlab.config.parser import Parser
from sgdlab.conform.kinds import KINDS
from sgdlab.errors import InputError, suggest
from sgdlab.terminal.console import console

SAME, DIFFER = 0, 3
"""The exit codes; 3 as `sgdlab judge` has for what is not shown."""

EXAMPLES = """\
examples:
  sgdlab conform adamw torch.optim.AdamW
  sgdlab conform adam 'adam eps=1e-7'
  sgdlab conform 'momentum lr=0.1' 'keras_sgd lr=0.1'
  sgdlab conform lion mine.Lion --same-settings
  sgdlab conform runs/old runs/new
"""


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        "conform",
        description="Whether two optimizers are the same: both in float64 from equal weights on "
        "the same gradients; the first step and tensor that differ, and the convention that "
        "explains it. Exit code 0: the same; 3: they differ; 2: bad input.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = (
        "a name of sgdlab list optimizer, a class by its dotted path, an optimizer's YAML or a "
        "run's folder; settings follow in the same word: 'adam eps=1e-7'"
    )
    add = parser.add_argument
    add("a", metavar="A", help=what)
    add("b", metavar="B", help="the other one, likewise")
    add("--steps", metavar="N", type=int, default=24, help="steps of each case (default: 24)")
    add(
        "--tolerance", metavar="SHARE", type=float, default=1e-9,
        help="largest difference that is none, as a share of how far a tensor has moved "
        "(default: 1e-9)",
    )  # fmt: skip
    add(
        "--same-settings", action="store_true",
        help="settings that both have, and that were not typed for B, are those of A",
    )  # fmt: skip
    add("--only", metavar="KIND[,KIND]", help=f"train some tensors only: {', '.join(KINDS)}")
    add("--config-dir", "-cd", metavar="DIR", type=Path, help="folder of optimizers of your own")
    add("--json", action="store_true", help="print one object")
    return parser


def main(argv: list[str]) -> int:
    """Compare the two, and print what was found.

    Returns:
        0 where they are the same, 3 where they differ.

    Raises:
        InputError: Either cannot be read, built or run.
    """
    options = parser().parse_args(argv)
    if options.steps < 1:
        raise InputError(f"--steps {options.steps}: must be 1 or more")
    if not 0 < options.tolerance < 1:
        raise InputError(f"--tolerance {options.tolerance:g}: must be between 0 and 1")
    only = _only(options.only)
    if options.config_dir is not None:
        refuse_shadowed(options.config_dir)
    from sgdlab.conform.cases import cases, in_float64  # torch: --help and refusals need none
    from sgdlab.conform.lockstep import Lockstep
    from sgdlab.conform.show import as_json, show
    from sgdlab.conform.sides import same_settings, side_of
    from sgdlab.conform.verdict import conform

    a, b = (side_of(text, options.config_dir) for text in (options.a, options.b))
    if options.same_settings:
        b = same_settings(a, b)
    with in_float64():
        trial = Lockstep(a, b, cases(options.steps), only, options.tolerance)
        verdict = conform(trial)
    if options.json:
        print(as_json(verdict, version("sgdlab")))
    else:
        show(verdict, console(elsewhere=100, highlight=False))
    return SAME if verdict.is_same else DIFFER


def _only(text: str | None) -> tuple[str, ...]:
    names = [part.strip() for part in text.split(",")] if text is not None else []
    for name in names:
        if name not in KINDS:
            raise InputError(f"--only {text}: {suggest(name, KINDS)}")
    return tuple(KINDS[name] for name in names)
