"""Command lines and config files that nobody means: drawn from a seed, and what is right for each.

A command may do what was asked, 0, or refuse it, 2: then in one line and without a trace.
"""

import contextlib
import random
import resource
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from cli_runs import QUICK, Cli

from sgdlab.startup import conf_dir

SECONDS = 30
"""Of the processor, not of the clock: other processes do not count."""

MOST_MEMORY = 1 << 20
"""KiB that one case may add to what this process uses."""

COMMANDS = {
    "train": (*QUICK, "epochs=1", "max_steps=2"),
    "train -m": (*QUICK, "epochs=1", "max_steps=2", "seed=0,1"),
    "lr-find": (*QUICK, "range.steps=3"),
    "compare": (*QUICK, "optimizers=[sgd,adam]", "trials=0"),
    "verify": ("rows=[1]", "plots=false", "processes=0"),
}
"""Two of them are refused whatever is added: that a comparison is refused is what is tried."""

VALUES = (
    "[1]", "[null]", "[1,1,1]", "{a:1}", "{}", "[]", "''", "null", "true", "nan", "inf", "-inf",
    "1e400", "-1", "0", "1e18", "99999999999999999999999", "9" * 5000, "1e308", "-1e-320",
    "[1e400]", "[" * 60 + "]" * 60, "a" * 3000, "a" * 30_000, "${", "${}", "${lr}", "${nosuch:}",
    "${.}", "${..}", "???", "'\\n'", '"a\nb"', "'a\nb'", "\x01", "'\x1b[31m'", "'\u202e'", "ä", "/",
    "'\0'", "~", "-", "--", "{a:{b:{c:[]}}}", "glob(*)", "choice(1,2)", "range(1,3)", "1,2",
    "range(0,1e12)", "range(0,1,0)", "range(0,9,-1)", "interval(0,1)", "sort(3,1)",
    "shuffle(1,2)", "extend_list(1)", "'", '"', "[", "]", "{", "}", "[1,", "{a", "a:b", "a b", "@x",
    "%s", "{a:1,a:2}", "int(abc)", "str([1])", "json_str({a:1})", "0x10", "1_000", "2.5", "yes",
    "[a,b]", "{1:2}", "{null:1}", "{true:1}", "\udce9", "'caf\udce9'", "[10000000000]", "tag(a,1)",
    "a=b", "==", "$(x)", "\\", "\\\\", "#", "*", "&a", "1e18.5", "",
)  # fmt: skip
KEYS = (
    "hydra.job.name", "hydra.job.chdir", "hydra.mode", "hydra.output_subdir", "hydra.verbose",
    "hydra.searchpath", "hydra.launcher", "hydra.sweeper", "hydra.callbacks",
    "hydra.callbacks.gate", "hydra.callbacks.gate.check", "hydra.job_logging", "hydra/launcher",
    "hydra/sweeper", "hydra/job_logging", "hydra/output", "hydra/help", "hydra",
    "hydra.job.env_set", "hydra.job.env_copy", "hydra.job.config", "hydra.sweeper.params",
    "hydra.overrides", "hydra.overrides.task", "hydra.runtime", "hydra.runtime.choices",
    "hydra.runtime.cwd", "hydra.help", "defaults", "_self_", "_target_", "experiment", "/model",
    "model@x", "model@_global_", "@", "a.b.c", "", "names", "names.model", "import_from",
    "relative_paths", "study", "device", "dtype", "threads", "range", "range.steps", "rows",
    "families", "optimizers", "trials", "seeds", "search", "protocol",
)  # fmt: skip
WORDS = (
    "--resolve", "--cfg", "--cfg=job", "--cfg=hydra", "--info=all", "--info=x", "--package=x",
    "--config-name", "--config-name=", "--config-name=x/y", "--config-name=../x", "--config-name=/",
    "--config-path=x", "--config-dir", "--config-dir=", "--config-dir=/dev/null",
    "--config-dir=\n", "-cd", "-cn", "-sc", "--shell-completion", "--experimental-rerun=x",
    "--", "-c", "-x", "---", "-cjob", "=", "==", "''", "'", '"', "", "a", " ", "\n", "+", "++", "~",
    "~~", "+++a=1", "~+a", "-1", "\udce9", "\x1b[0m", "a" * 100_000, "[]", "{}", "lr=0.1=2",
    "lr =0.1", "lr= 0.1", " lr=0.1", "lr:0.1", "@=1", "~lr=3", "~optimizer", "~hydra",
    "~hydra.callbacks", "~model", "~model=linear", "~dataset.x", "++=1", "+=1", "model=",
    "model=[]", "model={}", "lr=", "model.hidden=[1000000000]", "epochs=1e18", "-m", "-r",
)  # fmt: skip

_TEN = b"a: &a [1,1,1,1,1,1,1,1,1,1]\n"
_POWERS = b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9))
                   for c in range(98, 108))  # fmt: skip
FILES = (
    b"a:\n\t- b\n", b"_target_: a\n_target_: b\n", b"42\n", b"word\n", b"- a\n", b"", b"null\n",
    b"\x00\n", b"a: \x00b\n", b"a: b\x1bc\n", b"\xff\xfe\x00", b"a: caf\xe9\n", b"\x80",
    "\ufeffa: 1\n".encode(), b"_target_: !!python/object/apply:os.getcwd []\n",
    b"_target_: torch.nn.Identity\nb: &a [*a]\n", b"b: &a {c: *a}\n", _TEN + _POWERS,
    b"[" * 5000, b"a: " + b"[" * 3000 + b"]" * 3000, b"a: " + b"{a: " * 900 + b"}" * 900,
    b"".join(b" " * depth + b"a:\n" for depth in range(800)),
    b"".join(b"k%d: %d\n" % (each, each) for each in range(20_000)), b"a: " + b"x" * 10_000_000,
    b"a: 1\n---\nb: 2\n", b"a: 'x\n", b"a: [1\n", b"a: {b\n", b"? [a]\n: b\n", b"1: 2\n",
    b"1.5: 2\n", b"true: 2\n", b"null: 2\n", b"? {a: b}\n: c\n", b"<<: {a: 1}\n", b"<<: 3\n",
    b"a: *nosuch\n", b"%YAML 9.9\n---\na: 1\n", b"%TAG\n", b"a: !!binary abc\n", b"a: !!set {x}\n",
    b"a: !!omap [a: 1]\n", b"a: 2001-01-01\n", b"a: !!int abc\n", b"a: !!float abc\n",
    b"a: !!bool abc\n", b"a: !x 3\n", b"a: 1" + b"0" * 5000, b"a: 0x" + b"f" * 300,
    b"a: 1:2:3\n", b"a: 1e999999\n", b"a: =\n", b"defaults: 3\n", b"defaults: [3]\n",
    b"defaults: [{a: b}]\n", b"defaults: [nosuch]\n", b"defaults: [_self_, _self_]\n",
    b"defaults: {a: b}\n", b"defaults: [[a]]\n", b"defaults:\n - override /model: nosuch\n",
    b"defaults:\n - /model: nosuch\n", b"defaults: [{override /x: y, b: c}]\n",
    b"defaults: [net]\n", b"# @package\na: 1\n", b"# @package a b c\na: 1\n", b"# @package ..\n",
    b"# @package _group_.x\na: 1\n", b"a: ${\n", b"a: ${b}\nb: ${a}\n", b"a: ${}\n", b"a: ???\n",
    b"a.b: 1\n", b"'a b': 1\n", b"'': 1\n", b"_target_: 3\n", b"_target_: [a]\n", b"_target_: ''\n",
    b"_target_: os.system\n", b"_target_: nosuch\n", b"_target_: torch.nn.nosuch\n",
    b"_target_: torch\n", b"_target_: ..\n", b"_target_: a..b\n", b"_target_: 'a b'\n",
    b"_target_: torch.nn.Linear\nin_features: 10000000000\nout_features: 1000000\n",
    b"_target_: torch.nn.Linear\n_args_: 3\n", b"_target_: torch.nn.Linear\n_partial_: 3\n",
    b"_target_: torch.nn.Identity\n_nosuch_: 1\n", b"_target_: torch.optim.SGD\nlr: x\n",
    b"_target_: torch.optim.SGD\nlr: [1]\n_traits_: 3\n",
    b"_target_: torch.optim.SGD\nlr: 0.1\n_traits_: {a: b}\n", b"lr: 0.1\nlr: 0.2\n",
    b"lrr: 0.1\n", b"lr: x\n", b"hydra: 3\n", b"hydra: {run: 3}\n", b"hydra: {run: {dir: [1]}}\n",
    b"defaults: [train, _self_]\nlrr: 0.1\n", b"defaults: [train, _self_]\nlr: x\n",
    b"defaults: [train, _self_]\nmodel: 3\n", b"defaults: [train, _self_]\nmodel: [1]\n",
    b"defaults: [train_schema, app, _self_]\nlr: x\n", b'a: "\\x1b[31m"\n', b'a: "\\ud800"\n',
    b"defaults: [train, _self_]\nhydra: {callbacks: {gate: null}}\n", b"a : : b\n", b"- - -\n",
    "a: \u202eb\n".encode(), b"{a: 1\n", b'a: "\\q"\n', b"a: |\n  x\n y\n", b"@a: 1\n", b"`a: 1\n",
)  # fmt: skip
ROLES = (
    "model", "dataset", "optimizer", "schedule", "loss", "scaling", "diagnostics", "experiment",
    "average", "search", "primary",
)  # fmt: skip
NAMES = (
    "x", "-x", "--out", "caf\udce9", "a\nb", "\x1b[31m", "\u202e", "a b", "a=b", "'", '"', "[x]",
    "${x}", "%s", "~", "nosuch", " ", "x" * 300, "/proc/nosuch", "", "$HOME", "a,b", "*", "d/d",
)  # fmt: skip
TABLES = (b"", b"run_id,status\n1,completed\n", b"\x00", b"a\nb\n", b"run_id\n" + b"x" * 99_999)


@dataclass(frozen=True)
class Case:
    """What is typed, and the files that are there."""

    typed: Sequence[str]
    files: Mapping[str, bytes] = field(default_factory=dict)


def keys() -> list[str]:
    """Return the dotted keys of our primary configs and of the first member of each group."""
    found: list[str] = []

    def walk(section: object, prefix: str) -> None:
        for key, value in section.items() if isinstance(section, dict) else ():
            found.append(f"{prefix}{key}")
            walk(value, f"{prefix}{key}.")

    for name in ("train", "compare", "lr_find", "verify", "app"):
        walk(yaml.safe_load((conf_dir() / f"{name}.yaml").read_text()), "")
    for group, name in {"model": "mlp", "optimizer": "adam", "schedule": "cosine"}.items():
        walk(yaml.safe_load((conf_dir() / group / f"{name}.yaml").read_text()), f"{group}.")
    return [key for key in found if not key.endswith(".dir")]


def command_line(draw: random.Random, known: Sequence[str]) -> Case:
    """Return a command line with one or two arguments that nobody means."""
    command = draw.choice(list(COMMANDS))
    typed = [*command.split(), *COMMANDS[command]]
    for _ in range(draw.choice((1, 1, 2))):
        if draw.random() < 0.25:
            typed.append(draw.choice(WORDS))
        else:
            key = draw.choice(known) if draw.random() < 0.7 else draw.choice(KEYS)
            start = draw.choice(("", "", "", "+", "++", "~"))
            typed.append(f"{start}{key}={draw.choice(VALUES)}")
    return Case(typed)


def config_file(draw: random.Random) -> Case:
    """Return a command that reads a config file that nobody means, in one of its roles."""
    content, role = draw.choice(FILES), draw.choice(ROLES)
    if draw.random() < 0.3:
        changed = bytearray(content[:500] or b"a: 1\n")
        for _ in range(draw.randint(1, 3)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        content = bytes(changed)
    command = draw.choice([name for name in COMMANDS if name != "verify"])
    typed = [*command.split(), *COMMANDS[command], "--config-dir", "my"]
    if role == "primary":
        return Case([*typed, "--config-name", "net"], {"my/net.yaml": content})
    plus = "+" if role == "experiment" else ""
    is_listed = command == "compare" and role in ("optimizer", "search")
    typed.append("optimizers=[net,sgd]" if is_listed else f"{plus}{role}=net")
    return Case(typed, {f"my/{role}/net.yaml": content})


def reading(draw: random.Random) -> Case:
    """Return a command that reads folders, of names or with contents that nobody means."""
    command = draw.choice(("report", "diagnose", "list"))
    typed = [command, *(draw.choice(NAMES) for _ in range(draw.randint(0, 2)))]
    if command == "list":
        if draw.random() < 0.3:
            typed += ["--plot", draw.choice((*NAMES, "nosuch/a.png", "a.txt"))]
        return Case(typed)
    if draw.random() < 0.6:
        option = draw.choice(("--target", "--margin", "--formats", "--nosuch"))
        typed += [option, draw.choice((*NAMES, "nan", "inf", "-1", "1e400", "svg,svg,,", "auto"))]
    name = draw.choice(("config.yaml", "summary.csv", "steps.csv", "study.yaml", "evals.csv"))
    files = {f"d/{name}": draw.choice(FILES)[:100_000], "d/summary.csv": draw.choice(TABLES)}
    return Case([*typed, "d"] if draw.random() < 0.5 else typed, files)


class _SlowError(BaseException):
    """A command has taken more of the processor than it may."""


def faults(cli: Cli, case: Case) -> list[str]:
    """Run a case in the folder of ``cli``, which is emptied; return what is wrong with the answer.

    Args:
        cli: The command line.
        case: What to run.
    """
    for name, content in case.files.items():
        path = cli.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    before = sorted(cli.folder.rglob("*"))
    with contextlib.suppress(OSError):  # where there is none, the peak of earlier cases stays
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what is used now
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        found = _answer(cli, case.typed, before)
    finally:
        for path in cli.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    if added > MOST_MEMORY:
        found.append(f"{added >> 10} MiB of memory")
    return [f"{_short(case)}: {fault}" for fault in found]


def _answer(cli: Cli, typed: Sequence[str], before: Sequence[Path]) -> list[str]:
    def end(*_: object) -> None:
        raise _SlowError

    handler = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        result = cli(*typed)
    except _SlowError:
        return [f"more than {SECONDS} s"]
    except Exception as error:
        return [f"traceback: {error!r:.200}"]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
    if result.code == 0:
        return []
    if result.code != 2:
        return [f"exit code {result.code}: {result.err:.300}"]
    if typed[0] == "report" and result.out:  # what is whole is reported all the same
        return []
    found: list[str] = []
    if not (result.err.startswith("sgdlab: ") and result.err.count("\n") == 1):
        found.append(f"not one line: {result.err!r:.300}")
    if not all(c.isprintable() for c in result.err.rstrip("\n")) or len(result.err) > 2500:
        found.append(f"cannot be shown: {result.err!r:.300}")
    if (left := sorted(cli.folder.rglob("*"))) != before:
        found.append(f"left {[path.name for path in left if path not in before]}")
    return found


def _short(case: Case) -> str:
    typed = [word if len(word) < 100 else f"{word[:50]}…" for word in case.typed]
    return f"{typed} {[(name, content[:60]) for name, content in case.files.items()]}"
