"""The answer over several workloads, what to do next, and the same words for programs."""

import json
from pathlib import Path

import numpy as np
import pytest
from run_folders import make_pair, make_replicates, make_run

from sgdlab.analysis import Analysis, analyse
from sgdlab.report.verdict import answers, joint
from sgdlab.report.verdict.as_json import as_json

NOISE = np.random.default_rng(0).normal(size=(3, 5)) / 500


def workload(root: Path, model: str, **means: float) -> None:
    """Write five seeds of some optimizers whose means lie this far apart."""
    for row, (name, mean) in zip(NOISE, means.items(), strict=False):
        for seed, noise in enumerate(row):
            make_run(
                root / f"{model}-{name}-{seed}", name, seed=seed, phase="final", model=model,
                test=mean + float(noise),
            )  # fmt: skip


def told(folder: Path, command: object) -> None:
    """Let every run below a folder say which command made it."""
    for path in folder.rglob("config.yaml"):
        (path.parent / "environment.json").write_text(json.dumps({"command": command}))


def over(root: Path) -> Analysis:
    return analyse([root])


def test_of_one_workload_there_is_no_joint_answer(tmp_path: Path) -> None:
    workload(tmp_path, "mlp", adam=0.9, sgd=0.8)
    assert joint(over(tmp_path)) is None


def test_two_are_counted_by_workload(tmp_path: Path) -> None:
    workload(tmp_path, "mlp", adam=0.9, sgd=0.8)
    workload(tmp_path, "cnn", adam=0.8, sgd=0.9)
    workload(tmp_path, "vit", adam=0.9, sgd=0.7)
    workload(tmp_path, "linear", adam=0.9, sgd=0.9)
    found = joint(over(tmp_path))
    assert found is not None
    assert found.headline == "adam is better on 2 of 4 workloads, sgd on 1"
    assert found.number.startswith("No difference found on digits/linear. Each workload has a test")
    assert found.contenders == ["adam", "sgd"]
    stands = {
        workload: [found.cells[row][column].split()[-1] for row in range(2)]
        for column, workload in enumerate(found.workloads)
    }
    assert stands["digits/mlp"] == ["best", "worse"]
    assert stands["digits/cnn"] == ["worse", "best"]
    assert sorted(stands["digits/linear"]) == ["best", "equivalent"]
    column = found.workloads.index("digits/mlp")
    assert found.cells[0][column] == f"{90 + 100 * NOISE[0].mean():.2f} % best"


def test_three_are_named_by_how_often_they_are_among_the_best(tmp_path: Path) -> None:
    workload(tmp_path, "mlp", adam=0.9, sgd=0.8, lion=0.7)
    workload(tmp_path, "cnn", adam=0.9, sgd=0.9, lion=0.7)
    found = joint(over(tmp_path))
    assert found is not None
    assert found.headline == "adam is among the best on 2 of 2 workloads"
    assert found.contenders == ["adam", "sgd", "lion"]


def test_where_nothing_differs_or_nothing_is_known_that_is_said(tmp_path: Path) -> None:
    for model in ("mlp", "cnn"):
        workload(tmp_path / "level", model, adam=0.9, sgd=0.9)
        make_run(tmp_path / "one" / model, model=model)
        make_run(tmp_path / "one" / f"{model}2", "adam", model=model)
    level, one = joint(over(tmp_path / "level")), joint(over(tmp_path / "one"))
    assert level is not None
    assert level.headline == "adam and sgd: equivalent on 2 workloads"
    assert one is not None
    assert one.headline == "nothing can be concluded on any of 2 workloads"


def test_a_workload_without_a_contender_shows_it(tmp_path: Path) -> None:
    workload(tmp_path, "mlp", adam=0.9, sgd=0.8)
    workload(tmp_path, "cnn", adam=0.9)
    make_run(tmp_path / "dead", "lion", model="cnn", phase="final", status="diverged")
    found = joint(over(tmp_path))
    assert found is not None
    column = found.workloads.index("digits/cnn")
    cells = {name: row[column] for name, row in zip(found.contenders, found.cells, strict=True)}
    assert cells["sgd"] == "not run"
    assert cells["lion"] == "none completed"


@pytest.mark.parametrize("count", range(2, 8))
@pytest.mark.parametrize("step", [0.0, 0.004, 0.1])
def test_a_headline_has_twelve_words_at_most(tmp_path: Path, count: int, step: float) -> None:
    noise = np.random.default_rng(count).normal(size=(count, 4)) / 400
    samples = {
        f"o{row}": [[0.9 - step * row + float(value)] for value in values]
        for row, values in enumerate(noise)
    }
    samples["o0"][-1] = []
    (answer,) = answers(analyse([make_replicates(tmp_path, samples)], margin=0.01))
    assert len(answer.headline.split()) <= 12


def test_the_next_command_is_the_one_typed_with_more_replicates(tmp_path: Path) -> None:
    noise = 0.01 * NOISE[0] / NOISE[0].std(ddof=1)
    samples = {"a": [[0.905 + float(v)] for v in noise], "b": [[0.9]] * 5}
    study = make_replicates(tmp_path / "study", samples)
    told(study, "sgdlab compare 'optimizers=[a,b]' study=study replicates=5 epochs=3")
    (answer,) = answers(analyse([study]))
    assert answer.next is not None
    assert answer.next.what.startswith("about ")
    count = int(answer.next.what.split()[1])
    assert answer.next.command == (
        f"sgdlab compare 'optimizers=[a,b]' epochs=3 study=study replicates={count}"
    )


def test_a_sweep_is_told_to_take_more_seeds(tmp_path: Path) -> None:
    make_pair(tmp_path, [0.9], [0.8])
    told(tmp_path, "sgdlab train -m optimizer=adam,sgd seed=3")
    (answer,) = answers(analyse([tmp_path]))
    assert answer.next is not None
    assert answer.next.what == "at least 5 seeds of each"
    assert answer.next.command == "sgdlab train -m optimizer=adam,sgd seed=0,1,2,3,4"


@pytest.mark.parametrize("command", ["rm -rf ~", "sgdlab compare 'x", "sgdlab", "", 7])
def test_what_is_no_command_of_ours_is_not_passed_on(tmp_path: Path, command: object) -> None:
    make_pair(tmp_path, [0.9], [0.8])
    told(tmp_path, command)
    (answer,) = answers(analyse([tmp_path]))
    assert answer.next is not None
    assert answer.next.command == ""


def test_programs_read_the_same_words(tmp_path: Path) -> None:
    workload(tmp_path, "mlp", adam=0.9, sgd=0.8)
    workload(tmp_path, "cnn", adam=0.8, sgd=0.9)
    analysis = over(tmp_path)
    said, found = answers(analysis), joint(analysis)
    content = json.loads(as_json(analysis, said, found, "1.2.3"))
    assert content["sgdlab"] == "1.2.3"
    assert found is not None
    assert content["joint"]["headline"] == found.headline
    assert content["joint"]["matrix"]["adam"]["digits/mlp"].endswith(" best")
    for one, answer, result in zip(content["answers"], said, analysis.results, strict=True):
        assert (one["headline"], one["number"]) == (answer.headline, answer.number)
        assert one["facts"] == answer.facts
        (pair,) = one["pairs"]
        assert pair["mean_difference"] == result.primary[0]["mean_difference"]
        assert pair["verdict"] == "first better"
