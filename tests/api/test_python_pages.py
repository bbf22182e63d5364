"""docs/python.md and docs/python.ipynb: every snippet and cell runs as it stands."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sgdlab

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/python.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
FILE = re.compile(r"# (\w+\.py)\n")


@pytest.mark.slow
def test_every_snippet_of_the_page_runs_in_order(tmp_path: Path):
    assert len(BLOCKS) >= 11
    code: list[str] = []
    for block in BLOCKS:
        if (named := FILE.match(block)) is not None:
            (tmp_path / named[1]).write_text(block)
        else:
            code.append(block)
    (tmp_path / "page.py").write_text("\n".join(code))
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = done.stdout.splitlines()
    assert said[0].startswith("completed ")
    assert "{'bias_and_norm': True," in done.stdout
    assert "did you mean optimizer=nesterov" in done.stdout
    assert "stopped callbacks.watch: training loss below 0.5" in said
    assert {path.name for path in tmp_path.glob("*.[ps][nv]g")} == {
        "loss.png", "rates.svg", "seeds.png",
    }  # fmt: skip
    assert float(said[-1]) == pytest.approx(0, abs=1e-12)  # the cosine has ended


def test_the_page_names_every_optimizer_schedule_and_figure():
    import torch

    from sgdlab.optimizers import schedule_free
    from sgdlab.startup import conf_dir

    for name in (*sgdlab.optim._PLACES, *(set(sgdlab.schedules._PLACES) - {"Schedule"})):
        assert f"`{name}`" in PAGE, name
    for name in (name for name in dir(sgdlab.Comparison) if name.startswith("plot_")):
        assert f"`{name}`" in PAGE, name
    for name in sgdlab.optim._PLACES:
        assert issubclass(getattr(sgdlab.optim, name), torch.optim.Optimizer)
    # What a shipped YAML names of ours is there by its last name.
    for group, module in (("optimizer", sgdlab.optim), ("schedule", sgdlab.schedules)):
        for path in (conf_dir() / group).glob("*.yaml"):
            target = re.search(r"^_target_: sgdlab\.\S*\.(\w+)$", path.read_text(), re.M)
            if target is not None:
                assert target[1] in module._PLACES, path.name
    assert schedule_free.ScheduleFree.__name__ not in sgdlab.optim._PLACES  # abstract


def outputs_of(cell: dict[str, Any]) -> dict[str, str]:
    """Return what a cell shows, by MIME type; the text of its streams under their names."""
    found: dict[str, str] = {}
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            found[output["name"]] = found.get(output["name"], "") + "".join(output["text"])
        else:
            found |= {kind: "".join(text) for kind, text in output["data"].items()}
    return found


EXECUTE = """
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, "executed.ipynb")
"""


@pytest.mark.slow
def test_the_notebook_runs_and_shows_tables_and_figures(tmp_path: Path):
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, ROOT / "docs/python.ipynb"], cwd=tmp_path,
        capture_output=True, text=True, check=False,
        env={**os.environ, "JUPYTER_PLATFORM_DIRS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "executed.ipynb").read_text())["cells"]
    shown = {
        "".join(cell["source"]).rpartition("\n")[2]: outputs_of(cell)
        for cell in cells
        if cell["cell_type"] == "code"
    }
    assert not [source for source, output in shown.items() if "stderr" in output]
    for figure in ("run.plot_metric()", "study.plot_learning_rate()", "found.plot_seeds()"):
        assert shown[figure]["image/svg+xml"].startswith("<?xml")
        assert "data:image/svg+xml;base64," in shown[figure]["text/html"]
    assert "<table" in shown["run"]["text/html"]
    assert "completed" in shown["run"]["text/html"]
    headline = shown["print(found.verdict.number)"]["stdout"].splitlines()[0]
    assert headline.replace("&", "&amp;") in shown["found"]["text/html"]
    (folder,) = (tmp_path / "runs").glob("compare-*")
    assert isinstance(sgdlab.load(folder), sgdlab.Comparison)
    assert sgdlab.load(folder).verdict.headline == headline  # type: ignore[attr-defined]
