"""``sgdlab verify``: what it prints, writes and returns."""

import csv
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from broken_rules import change
from hydra.core.global_hydra import GlobalHydra
from mutations import mutate

from sgdlab import cli, verify
from sgdlab.verify import catalogue, runner
from sgdlab.verify.case import VerifyCheck, VerifyCurve

ONE = "processes=1"


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """The command line in an empty folder: code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        GlobalHydra.instance().clear()
        argv = ["sgdlab", "verify", *arguments]
        with mock.patch.object(sys, "argv", argv), mock.patch.dict("os.environ"):
            try:
                code = cli.main()
            except SystemExit as end:
                code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "verify.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_that_holds(command, tmp_path):
    code, out, err = command("rows=[29]", ONE, "hydra.run.dir=here")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["row", "experiment", "predicted", "measured", "error", "allowed"]
    assert lines[1].split()[:3] == ["29", "Kiefer–Wolfowitz,", "width"]
    assert lines[-2].startswith("1 row, 2 checks: all hold (")
    assert max(map(len, lines)) <= 100
    rows = _rows(tmp_path / "here")
    assert list(rows[0]) == [
        "row", "family", "experiment", "kind", "predicted", "measured", "error", "tolerance",
        "status", "seconds",
    ]  # fmt: skip
    assert [(row["row"], row["family"], row["kind"], row["status"]) for row in rows] == [
        ("29", "equivalence", "absolute", "ok")
    ] * 2
    for row in rows:
        assert 0 <= float(row["error"]) <= float(row["tolerance"]) == 1e-12
        assert float(row["error"]) == abs(float(row["measured"]) - float(row["predicted"]))
        assert float(row["seconds"]) > 0
    assert sorted(p.name for p in (tmp_path / "here").iterdir()) == [
        "equivalence.svg", "verify.csv", "written.sha256",
    ]  # fmt: skip


def test_a_broken_optimizer_fails(command, tmp_path, monkeypatch):
    mutate(
        monkeypatch, "sgdlab.optimizers.kiefer_wolfowitz.KieferWolfowitz",
        "p.sub_(p.grad", "p.add_(p.grad",
    )  # fmt: skip
    code, out, _ = command("rows=[29]", ONE, "hydra.run.dir=here", "plots=false")
    assert code == 1
    assert sum(line.endswith("FAILED") for line in map(str.rstrip, out.splitlines())) == 2
    assert "1 row, 2 checks: 2 FAILED, in 29 (" in out
    assert {row["status"] for row in _rows(tmp_path / "here")} == {"failed"}
    assert not (tmp_path / "here" / "equivalence.svg").exists()


def test_a_broken_optimizer_of_torch_fails(command, monkeypatch):
    change(monkeypatch, "SGD", maximize=True)
    code, out, _ = command("rows=[4]", ONE, "plots=false")
    assert code == 1
    assert "FAILED, in 4 (" in out


def _broken():
    yield VerifyCheck("29a", "fine [so far]", 1.0, 1.0, 0.0)
    raise RuntimeError("out of\nluck")


def _silent():
    yield VerifyCheck("29a", "half", 1.0, 1.0, 0.0, curves=(VerifyCurve("c", [1.0], [1.0]),))


@pytest.mark.parametrize(
    ("experiment", "rows", "said"),
    [(_broken, ("29",), "RuntimeError: out of luck"), (_silent, ("29", "30"), "no check of")],
)
def test_an_experiment_that_raises_or_leaves_out_a_row_fails(
    command, tmp_path, monkeypatch, experiment, rows, said
):
    entry = catalogue.CatalogueEntry("equivalence", rows, experiment)
    for module in (catalogue, runner):
        monkeypatch.setattr(module, "CATALOGUE", (entry,))
    code, out, _ = command("families=[equivalence]", ONE, "plots=false", "hydra.run.dir=here")
    assert code == 1
    assert f"FAILED, in {rows[-1]} (" in out
    found = _rows(tmp_path / "here")
    assert [(row["row"], row["status"]) for row in found] == [("29", "ok"), (rows[-1], "failed")]
    assert said in found[1]["experiment"]
    assert found[1]["measured"] == "nan"


def test_only_the_rows_that_were_asked_for_are_shown(command, tmp_path, monkeypatch):
    def both():
        yield VerifyCheck("1", "one", 1.0, 1.0, 0.0)
        yield VerifyCheck("2", "other", 1.0, 2.0, 0.0)

    entry = catalogue.CatalogueEntry("descent", ("1", "2"), both)
    for module in (catalogue, runner):
        monkeypatch.setattr(module, "CATALOGUE", (entry,))
    assert command("rows=[1]", "plots=false", "hydra.run.dir=here")[0] == 0
    assert [row["row"] for row in _rows(tmp_path / "here")] == ["1"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rows=[37]"], "rows=37: must be a number from 1 to 36, logistic, ridge"),
        (["families=[equivalnce]"], "families=equivalnce: did you mean equivalence?"),
        (["row=[1]"], "row=[1]: no such key; did you mean rows=[1]?"),
        (["+row=[1]"], "row: no such key; did you mean rows?"),
        (["processes=0"], "processes=0: must be a whole number from 1"),
        (["plots=maybe"], "plots=maybe: Value 'maybe' is not a valid bool"),
        (["rows=[29]", "families=[ridge]"], "have no experiment in common"),
        (["-m", "rows=[1],[2]"], "verify -m: there is nothing to sweep"),
    ],
)
def test_bad_input_is_one_line(command, tmp_path, arguments, line):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("sgdlab: ")
    assert err.count("\n") == 1
    assert line in err
    assert not list(tmp_path.iterdir())


def test_default_folder(command, tmp_path):
    assert command("rows=[30]", ONE, "plots=false")[0] == 0
    (file,) = tmp_path.glob("runs/verify/*/*/verify.csv")
    assert len(_rows(file.parent)) == 4


def test_catalogue_has_every_row_and_every_experiment():
    assert catalogue.rows() == [*map(str, range(1, 37)), "logistic", "ridge"]
    named = {entry.run for entry in catalogue.CATALOGUE}
    names = sorted(p.stem for p in Path(verify.__file__).parent.glob("*.py"))
    modules = [__import__(f"sgdlab.verify.{n}", fromlist=[n]) for n in names if n != "__init__"]
    functions = [f for m in modules for f in vars(m).values() if inspect.isfunction(f)]
    written = {
        f for f in functions
        if f.__annotations__.get("return") == Iterator[VerifyCheck] and not f.__code__.co_argcount
    }  # fmt: skip
    assert named == written


def test_label_of_a_row():
    assert [catalogue.row_of(label) for label in ("24", "24b", "ridge")] == ["24", "24", "ridge"]


@pytest.mark.slow
def test_two_processes_give_what_one_gives():
    places = catalogue.chosen([], ["29", "30"])
    one = [(r.check.row, r.check.measured) for r in runner.run_all(places, 1)]
    two = [(r.check.row, r.check.measured) for r in runner.run_all(places, 2)]
    assert one == two
    assert len(one) == 6


@pytest.mark.slow
def test_modes_are_measured(command, tmp_path):
    code, out, _ = command("families=[modes]", "hydra.run.dir=here")
    assert code == 0
    assert "mini-batch" in out
    with (tmp_path / "here" / "modes.csv").open(newline="") as file:
        batch, mini, pure = csv.DictReader(file)
    assert [int(row["batch_size"]) for row in (batch, mini, pure)] == [569, 32, 1]
    # What each is known for: batches take the fewest steps, single examples the fewest examples.
    assert int(batch["steps"]) < int(mini["steps"]) < int(pure["steps"])
    assert int(pure["examples"]) < int(mini["examples"]) < int(batch["examples"])
    variances = [float(row["gradient_variance"]) for row in (batch, mini, pure)]
    assert variances[0] < 1e-20 < variances[1] < variances[2]
    for row in (batch, mini, pure):
        cost = float(row["seconds_per_step"])
        assert float(row["seconds"]) == pytest.approx(int(row["steps"]) * cost)
