"""``sgdlab list GROUP MEMBER`` and ``sgdlab list schedule --plot FILE``."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import Cli, write
from matplotlib.image import imread

from sgdlab.commands.list_members import TYPED, docstring_of
from sgdlab.config.catalogue import conf_dir, groups, members
from sgdlab.schedules.cosine import Cosine

DRAWN_WITHOUT = """
import sys
from sgdlab.cli import main
sys.argv = ["sgdlab", "list", "schedule", "--plot", "all.png"]
code = main()
slow = sorted({"torch", "torchvision", "hydra", "omegaconf"} & set(sys.modules))
sys.exit(f"imported {slow}" if slow else code)
"""
SCHEDULES = sorted(path.stem for path in (conf_dir() / "schedule").glob("*.yaml"))


def refused(sgdlab: Cli, *arguments: object) -> str:
    """Return the one line that refuses a command, which leaves no file."""
    result = sgdlab("list", *arguments)
    assert result.code == 2
    assert result.out == ""
    assert not list(sgdlab.folder.iterdir())
    (line,) = result.err.splitlines()
    return line


def test_a_member_is_shown_with_its_yaml_and_docstring(sgdlab: Cli):
    result = sgdlab("list", "schedule", "cosine")
    assert (result.code, result.err) == (0, "")
    assert (conf_dir() / "schedule" / "cosine.yaml").read_text().strip() in result.out
    assert "f(t) = e + (1 - e) · ½ · (1 + cos(π·t/T))" in result.out
    assert "Loshchilov and Hutter (2017)" in result.out


def test_the_docstring_read_from_the_source_is_pythons(sgdlab: Cli):
    import inspect

    assert docstring_of("sgdlab.schedules.cosine.Cosine") == inspect.getdoc(Cosine)


@pytest.mark.parametrize("group", groups())
def test_every_member_of_every_group_can_be_shown(sgdlab: Cli, group: str):
    for member, line in members(group).items():
        out = sgdlab("list", group, member).out
        assert line in out
        assert out.startswith(f"{TYPED.get(group, group)}={member}\n")


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_gives_its_formula_and_its_parameters(sgdlab: Cli, name: str):
    text = sgdlab("list", "schedule", name).out.partition("\n\nsgdlab.")[2]
    assert "f(t) = " in text or "f <- " in text or name == "one_cycle"
    assert "Source: " in text or name == "constant"


def test_what_another_package_ships_is_named(sgdlab: Cli):
    assert "python -m pydoc torch.optim.Adam" in sgdlab("list", "optimizer", "adam").out


def test_names_that_a_package_imports_from_its_modules_are_found():
    assert docstring_of("sgdlab.report.build") == docstring_of("sgdlab.report.build.build")
    assert docstring_of("sgdlab.report.build")


@pytest.mark.parametrize(
    "target",
    ["torch.optim.SGD", "sgdlab.nowhere.Nothing", "sgdlab.schedules.cosine.Sine", "Cosine"],
)
def test_what_is_not_there_has_no_docstring(target: str):
    assert docstring_of(target) is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["schedule", "cosin"], "list schedule cosin: no such member; did you mean cosine?"),
        (["schedul", "cosine"], "list schedul: no such group; did you mean schedule?"),
        (["schedule", "cosine", "step"], "unrecognized arguments: step"),
        (["--all"], "unrecognized arguments: --all; see sgdlab list --help"),
        (["--plot", "x.png"], "sgdlab list schedule --plot x.png"),
        (["optimizer", "--plot", "x.png"], "sgdlab list schedule --plot x.png"),
        (["schedule", "cosine", "--plot", "x.png"], "leave out cosine"),
        (["schedule", "--plot"], "argument --plot: expected one argument"),
        (["schedule", "--plot", "x.gif"], "--plot x.gif: the name must end in .png, .svg, .pdf"),
        (["schedule", "--plot", "x"], "--plot x: the name must end in .png, .svg, .pdf"),
        (["schedule", "--plot", "no/x.png"], "--plot no/x.png: no such folder: no"),
    ],
)
def test_bad_requests_are_refused_in_one_line(sgdlab: Cli, arguments: list[str], says: str):
    assert says in refused(sgdlab, *arguments)


def test_a_plot_that_cannot_be_written_is_refused(sgdlab: Cli):
    (sgdlab.folder / "folder.png").mkdir()
    result = sgdlab("list", "schedule", "--plot", "folder.png")
    assert (result.code, result.out) == (2, "")
    assert result.err == "sgdlab: --plot folder.png: Is a directory\n"


def test_the_help_says_how_to_use_it(sgdlab: Cli):
    result = sgdlab("list", "--help")
    assert result.code == 0
    assert "sgdlab list schedule cosine" in result.out
    assert "--plot FILE" in result.out


def test_a_plot_shows_every_schedule_by_name(sgdlab: Cli):
    result = sgdlab("list", "schedule", "--plot", "all.SVG")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{len(SCHEDULES)} schedules drawn in all.SVG\n"
    drawn = (sgdlab.folder / "all.SVG").read_text()
    for name in SCHEDULES:
        assert drawn.count(f">{name}<") == 1
    assert drawn.count(">momentum<") == 1
    assert "illustrative" in drawn


def test_a_pdf_is_one(sgdlab: Cli):
    assert sgdlab("list", "schedule", "--plot", "all.pdf").code == 0
    assert (sgdlab.folder / "all.pdf").read_bytes().startswith(b"%PDF")


def test_a_png_is_drawn_without_torch_and_hydra(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", DRAWN_WITHOUT],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    pixels = imread(tmp_path / "all.png")
    height, width = pixels.shape[:2]
    assert width >= 1200
    assert height >= 800
    assert 0.02 < (pixels[..., :3].min(axis=2) < 0.9).mean() < 0.3


def test_the_curves_are_those_of_the_schedules():
    from sgdlab.report.schedules import EPOCHS, STEPS_PER_EPOCH, curves
    from sgdlab.schedules.one_cycle import OneCycle
    from sgdlab.schedules.plateau import Plateau

    total = EPOCHS * STEPS_PER_EPOCH
    factors, momenta = curves(Cosine())
    assert factors[total // 2] == 0.5
    assert len(factors) == total
    assert set(momenta) == {None}
    _, momenta = curves(OneCycle())
    assert min(m for m in momenta if m) == pytest.approx(0.85, abs=1e-6)
    factors, _ = curves(Plateau())
    assert [round(math.log10(f)) for f in factors[:: 3 * STEPS_PER_EPOCH]] == [0] * 4 + [-1] * 2 + [
        -2
    ]


def test_members_of_ones_own_are_listed_and_marked(sgdlab: Cli, parts):
    write(parts / "optimizer" / "mine.yaml", "# Steps of one length\n_target_: rules.Mine\n")
    write(parts / "rules.py", 'class Mine:\n    """Steps by the sign."""\n')
    out = sgdlab("list", "--config-dir", parts).out
    assert f"({parts}) Steps of one length" in out
    assert "  nesterov " in out
    assert out.count(str(parts)) == 1
    shown = sgdlab("list", "optimizer", "mine", "-cd", parts)
    assert shown.out.startswith("optimizer=mine\n")
    assert "Steps by the sign." in shown.out
    assert "no such folder" in refused(sgdlab, "--config-dir", "nowhere")
    write(parts / "optimizer" / "adam.yaml", "_target_: a.B\n")
    assert "sgdlab ships optimizer/adam" in refused(sgdlab, "--config-dir", parts)
