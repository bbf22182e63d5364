"""A model whose outputs are an object with logits has the same quantities as one without."""

from types import SimpleNamespace

from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.loop import fit
from trainer_runs import Rows, built

OPTIONS = (
    "dataset=wine", "model.hidden=[4]", "max_steps=4", "diagnostics=full", "diagnostics.every=2",
    "dtype=float64", "threads=1",
)  # fmt: skip


def test_all_quantities_are_the_same() -> None:
    found = []
    for wrapped in (False, True):
        run, rows = built(*OPTIONS), Rows()
        if wrapped:
            plain = run.model.forward
            run.model.forward = lambda x, plain=plain: SimpleNamespace(logits=plain(x))
        assert fit(run, rows, NoDisplay()).status == "completed"
        found.append(repr(rows.step_rows))
    assert found[0] == found[1]
