"""Whose settings the exported winners are; tests/snippet and tests/cli run them."""

from pathlib import Path

import pytest
from run_folders import make_run

from sgdlab.analysis import analyse
from sgdlab.errors import InputError
from sgdlab.report import build
from sgdlab.report import winners as module


def a_study(root: Path, *names: str) -> Path:
    """Two searches each: the second is better by validation loss, the first by the test split."""
    for place, name in enumerate(names):
        for replicate, (lr, loss, test) in enumerate([(0.1, 0.3, 0.99), (0.2, 0.2, 0.9)]):
            cells = {
                "replicate": replicate,
                "contender": name,
                "final_val_loss": loss,
                "lr": 2 * lr,
            }
            make_run(
                root / f"run-{place}-{replicate}", name, lr=lr, seed=replicate, phase="final",
                test=test, summary=cells,
            )  # fmt: skip
    return root


def test_the_best_search_by_validation_loss_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "snippet", lambda config, lr: f"{config['optimizer']['lr']} {lr}")
    found = module.winners(analyse([a_study(tmp_path, "adam", "sgd", "sgd!")]))
    assert set(found.sources) == {
        "winner-digits-mlp-adam.py", "winner-digits-mlp-sgd.py", "winner-digits-mlp-sgd-2.py",
    }  # fmt: skip
    assert set(found.sources.values()) == {"0.2 0.4"}
    assert found.missing == []


@pytest.mark.slow
def test_what_cannot_be_exported_is_said_and_old_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(config: object, lr: object) -> str:
        raise InputError("staleness.delay=2: plain PyTorch has no such thing")

    study = a_study(tmp_path / "study", "sgd", "adam")
    out = tmp_path / "report"
    monkeypatch.setattr(module, "snippet", lambda config, lr: "")
    build([study], out, formats=("svg",))
    assert len(list(out.glob("winner-*.py"))) == 2
    own = out / "winner-of-mine.py"
    own.write_text("")
    monkeypatch.setattr(module, "snippet", refuse)
    build([study], out, formats=("svg",))
    assert list(out.glob("winner-*.py")) == [own]
    page = (out / "report.md").read_text()
    assert "Not exported: adam: staleness.delay=2: plain PyTorch has no such thing" in page
