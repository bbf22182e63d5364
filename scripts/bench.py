"""Speed and memory of sgdlab as ratios against peers measured in the same run.

python scripts/bench.py            the benchmarks, one line each
python scripts/bench.py train -h   the options of one

A benchmark is a module in ``scripts/benchmarks`` with a docstring whose first line the list
shows, a function ``run(options)`` and, if it has options, ``add_arguments(parser)``.
Timings never gate a test: machines differ, and so does one machine from day to day.
"""

import argparse
import ast
import importlib
import os
import sys
from pathlib import Path

FOLDER = Path(__file__).with_name("benchmarks")
SHARED = "common"


def benchmarks() -> dict[str, str]:
    """Return the first line of every benchmark's docstring by name; none is imported."""
    paths = [path for path in sorted(FOLDER.glob("*.py")) if path.stem != SHARED]
    documents = {path.stem: ast.get_docstring(ast.parse(path.read_text())) for path in paths}
    return {name: (text or "").partition("\n")[0] for name, text in documents.items()}


def main(arguments: list[str]) -> None:
    found = benchmarks()
    width = max(map(len, found)) + 2
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog="\n".join(f"{name:{width}}{line}" for name, line in found.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("benchmark", choices=list(found), help="one of these:")
    if not arguments:
        parser.print_help()
        return
    name = parser.parse_args(arguments[:1]).benchmark
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does
    module = importlib.import_module(f"benchmarks.{name}")
    own = argparse.ArgumentParser(prog=f"{parser.prog} {name}", description=found[name])
    if hasattr(module, "add_arguments"):
        module.add_arguments(own)
    module.run(own.parse_args(arguments[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
