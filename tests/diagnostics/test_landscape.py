import csv
from pathlib import Path

import pytest
import torch
from harness import Steps
from test_layers import concluded

from sgdlab.diagnostics.landscape import Landscape, filter_normalised
from sgdlab.diagnostics.loss_at import LossAt
from sgdlab.errors import InputError
from sgdlab.report.landscape import draw_landscape


def test_slices_pass_through_the_final_loss_and_hold_what_a_shifted_model_has():
    steps = Steps("dataset=wine", "model.dropout=0.5", "model.batch_norm=true", "dtype=float64")
    for _ in range(5):
        steps.take()
    subject = steps.subject
    found = concluded(steps, Landscape(points=5, span=0.5))
    assert found["slice"] == ["line"] * 9 + ["plane"] * 25
    assert found["x"][:9] == [-0.5, -0.375, -0.25, -0.125, 0.0, 0.125, 0.25, 0.375, 0.5]
    assert found["y"][:9] == [None] * 9
    x, y = subject.data.train
    model = subject.model.eval()
    with torch.no_grad():
        here = float(subject.loss(model(x), y))
    assert found["loss"][4] == pytest.approx(here, rel=1e-12)
    assert found["loss"][9 + 12] == pytest.approx(here, rel=1e-12)
    along, across = filter_normalised(subject, 0), filter_normalised(subject, 1)
    with torch.no_grad():
        for p, a, b in zip(subject.parameters, along, across, strict=True):
            p += -0.5 * a + 0.25 * b
        moved = float(subject.loss(model(x), y))
    assert (found["x"][9 + 15], found["y"][9 + 15]) == (-0.5, 0.25)
    assert found["loss"][9 + 15] == pytest.approx(moved, rel=1e-12)


def test_directions_have_the_norm_of_every_filter_and_depend_on_the_seed_alone():
    steps = Steps("model=cnn", "model.batch_norm=true")
    along = filter_normalised(steps.subject, 0)
    for p, d in zip(steps.subject.parameters, along, strict=True):
        if p.ndim > 1:
            torch.testing.assert_close(d.flatten(1).norm(dim=1), p.detach().flatten(1).norm(dim=1))
        else:
            assert not d.any()
    torch.manual_seed(123)
    for a, b in zip(along, filter_normalised(steps.subject, 0), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(along[0], filter_normalised(steps.subject, 1)[0])


def test_a_function_is_cut_along_its_variables():
    steps = Steps("dataset=quadratic", "dtype=float64")
    (direction,) = filter_normalised(steps.subject, 0)
    torch.testing.assert_close(direction.norm(), steps.subject.parameters[0].detach().norm())


def test_the_loss_is_a_mean_over_examples_whatever_the_chunks(monkeypatch):
    steps = Steps("dataset=wine", "dtype=float64")
    whole = LossAt(steps.subject, 100)(steps.subject.parameters)
    monkeypatch.setattr("sgdlab.diagnostics.loss_at._FORWARD", 7)
    parts = LossAt(steps.subject, 100)(steps.subject.parameters)
    assert parts == pytest.approx(whole, rel=1e-12)


def written(path: Path, rows: list[tuple]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("slice", "x", "y", "loss"), *rows])
    return path


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 1e6, float("inf"), float("nan"), 0.0])
@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_is_drawn_whatever_the_range(tmp_path, scale, suffix):
    axis = [-1.0, 0.0, 1.0]
    line = [("line", x, "", 0.1 + scale * x * x if x else 0.1) for x in axis]
    plane = [("plane", x, y, 0.1 + (scale * x * x if x else 0)) for y in axis for x in axis]
    table = written(tmp_path / "landscape.csv", [*line, *plane])
    figure = tmp_path / f"landscape.{suffix}"
    draw_landscape(table, figure)
    assert figure.stat().st_size > 2000
    if suffix == "svg":
        text = figure.read_text()
        draw_landscape(table, figure)
        assert figure.read_text() == text
        assert "training loss" in text


def test_what_cannot_be_drawn_is_said(tmp_path):
    with pytest.raises(InputError, match=r"landscape.csv: No such file"):
        draw_landscape(tmp_path / "landscape.csv", tmp_path / "a.svg")
    empty = written(tmp_path / "empty.csv", [])
    with pytest.raises(InputError, match="has no slices"):
        draw_landscape(empty, tmp_path / "a.svg")


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match="points=4: must be odd"):
        Landscape(points=4)
    with pytest.raises(InputError, match="span=0"):
        Landscape(span=0)
