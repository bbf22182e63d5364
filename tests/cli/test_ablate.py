"""``sgdlab ablate``: planted ingredients are told apart, numbers are SciPy's, input is checked."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, refused, rows

from guarded import guarded
from sgdlab.commands.ablate import translated
from sgdlab.comparison.ablation import value_of
from sgdlab.comparison.ingredients import INGREDIENTS
from sgdlab.config.compose.one import compose_run
from sgdlab.results.ablation import ALONE, FULL, LEFT_OUT, NONE, alone, question, without

DIGITS = ("dataset=digits", "model=linear", "schedule=constant")
"""360 examples in the test split: fine enough for one point to be told."""

RECIPE = ("epochs=2", "schedule.warmup_epochs=0", "retune=false", "lr=0.05", "seeds=1")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, Path, str]:
    """Return an ablation of what matters (the rate), what does nothing, and what is between.

    A bound on the gradient norm of a thousand million never acts; at a rate of 1e-12 no weight
    moves, and the accuracy is that of the initial weights.
    """
    cli = Cli(tmp_path_factory.mktemp("ablate"))
    result = cli(
        "ablate", *DIGITS, *RECIPE, "clip_norm=1e9", "replicates=4", "study=planted",
        "ingredients=[clipping,decay]", "ingredients.rate={lr: 1e-12}",
    )  # fmt: skip
    assert result.code == 0, result.err
    return cli, cli.folder / "runs" / "planted", result.out


def test_what_matters_earns_its_place_and_what_does_nothing_does_not_matter(
    planted: tuple[Cli, Path, str],
) -> None:
    _, folder, out = planted
    found = {
        (row["ingredient"], row["question"]): row for row in rows(folder / "report/ablation.csv")
    }
    assert found["rate", LEFT_OUT]["verdict"] == "earns its place"
    assert found["rate", ALONE]["verdict"] == "earns its place"
    assert found["clipping", LEFT_OUT]["verdict"] == "does not matter"
    assert float(found["clipping", LEFT_OUT]["gain"]) == 0.0
    assert float(found["clipping", ALONE]["gain"]) == 0.0
    assert "rate earns its place; of no matter: clipping" in out
    page = (folder / "report/report.md").read_text()
    assert "| Ingredient | In the recipe | Alone |" in page


def test_gains_are_paired_and_corrected_for_the_number_of_ingredients(
    planted: tuple[Cli, Path, str],
) -> None:
    """Of the rate: it has the smallest p-value of three, so Holm's is three times as large.

    The p-value is the paired t-test's, with an error that may be wider.
    """
    _, folder, _ = planted
    runs = rows(folder / "runs.csv")
    of: dict[str, dict[str, float]] = {}
    for run in runs:
        of.setdefault(run["contender"], {})[run["replicate"]] = float(run["test_metric"])
    assert set(of) == {
        FULL, NONE, *(f(n) for n in ("clipping", "decay", "rate") for f in (without, alone)),
    }  # fmt: skip
    for asked, more, less in ((LEFT_OUT, FULL, without("rate")), (ALONE, alone("rate"), NONE)):
        pairs = [(of[more][r], of[less][r]) for r in sorted(of[more])]
        assert len(pairs) == 4
        row = next(
            r for r in rows(folder / "report/ablation.csv")
            if (r["ingredient"], r["question"]) == ("rate", asked)
        )  # fmt: skip
        oracle = guarded(*zip(*pairs, strict=True))
        assert float(row["gain"]) == pytest.approx(sum(a - b for a, b in pairs) / 4)
        assert float(row["p_value"]) == pytest.approx(oracle.p)
        assert float(row["p_adjusted"]) == pytest.approx(min(1, 3 * oracle.p))
        assert float(row["ci_low"]) == pytest.approx(oracle.low)
    pairs = [r for r in rows(folder / "report/pairwise.csv") if r["metric"] == "test_metric"]
    assert sorted({r["family"] for r in pairs} - {""}) == sorted([ALONE, LEFT_OUT])
    assert sum(bool(r["family"]) for r in pairs) == 6


def test_runs_share_weights_and_data(planted: tuple[Cli, Path, str]) -> None:
    """The variants of a replicate have one seed, and what never acts leaves the same loss."""
    _, folder, _ = planted
    losses: dict[tuple[str, str], str] = {}
    for run in rows(folder / "runs.csv"):
        losses[run["contender"], run["seed"]] = run["final_train_loss"]
    seeds = {seed for _, seed in losses}
    assert len(losses) == 8 * len(seeds)
    assert all(losses[FULL, s] == losses[without("clipping"), s] for s in seeds)


@pytest.mark.slow
def test_typed_again_nothing_is_run_again(planted: tuple[Cli, Path, str]) -> None:
    cli, folder, _ = planted
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("summary.csv")}
    again = cli(
        "ablate", *DIGITS, *RECIPE, "clip_norm=1e9", "replicates=4", "study=planted",
        "ingredients=[clipping,decay]", "ingredients.rate={lr: 1e-12}",
    )  # fmt: skip
    assert again.code == 0, again.err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("summary.csv")} == before


@pytest.mark.slow
def test_every_variant_is_tuned_anew(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "work")
    result = cli(
        "ablate", *QUICK, "epochs=2", "clip_norm=1.0", "schedule.warmup_epochs=0", "replicates=2",
        "trials=2", "seeds=1", "study=tuned", "ingredients=[clipping,decay]",
    )  # fmt: skip
    assert result.code == 0, result.err
    runs = rows(cli.folder / "runs/tuned/runs.csv")
    # Of two ingredients, each alone is the recipe without the other.
    variants = {FULL, NONE, without("clipping"), without("decay")}
    assert {run["contender"] for run in runs} == variants
    tuned = [run for run in runs if run["phase"] == "tune"]
    assert len(tuned) == 4 * 2 * 2
    for run in runs:
        decays = run["contender"] in (FULL, without("clipping"))
        assert (float(run["optimizer.weight_decay"]) > 0) == decays
    assert len({run["base_lr"] for run in tuned}) > 2


def test_the_questions_of_pairs() -> None:
    names = ("a", "b", "c")
    assert question(without("b"), FULL, names) == LEFT_OUT
    assert question(NONE, alone("c"), names) == ALONE
    assert question(FULL, NONE, names) == ""
    assert question(without("a"), without("b"), names) == ""
    assert question(NONE, without("b"), ("a", "b")) == ALONE
    assert question(FULL, without("a"), ("a",)) == LEFT_OUT


def test_an_ablation_is_a_comparison() -> None:
    assert translated(["optimizer=adamw", "retune=false", "lr=1e-3", "ingredients=[decay]"]) == [
        "optimizers=[adamw]", "tracks=[defaults]",
        "++ablation={ingredients: {decay: {optimizer.weight_decay: 0.0}}, lr: 0.001}",
    ]  # fmt: skip
    assert translated(["epochs=3"])[-1] == "++ablation={ingredients: null, lr: null}"


def test_every_ingredient_has_keys_that_some_recipe_has() -> None:
    """Of an image classifier with a transformer, or the practitioners' recipe."""
    configs = [
        compose_run("loss=cross_entropy", "optimizer=nesterov"),
        compose_run("dataset=images_synthetic", "model=vit"),
    ]
    for name, own in INGREDIENTS.items():
        for key in own:
            values = [value_of(config, key) for config in configs]
            assert any(isinstance(v, str | int | float | None) for v in values), name


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("ingredients=[warmpu]", "did you mean warmup"),
        ("ingredients=[clipping]", "the recipe has clip_norm=None already, so it cannot be left"),
        ("ingredients.mine={no.such:1}", "the recipe has no key no.such"),
        ("ingredients.mine=3", "ingredients.mine=3: must be {key: value_without}"),
        ("retune=maybe", "retune=maybe: must be true or false"),
        ("lr=0.1", "every variant tunes its own; add retune=false"),
        ("tracks=[tuned]", "ablate decides it; use retune=true or false"),
        ("optimizers=[sgd,adam]", "use optimizer=NAME"),
        ("optimizer=nosuch", "no such optimizer"),
        ("retune=false lr=abc", "lr=abc: must be a number"),
        ("search.scientific={clip_norm:[1.0,2.0]}", "without search.scientific"),
        ("ingredients=[", "[ has no partner"),
    ],
)
def test_bad_input_is_refused_in_a_line(tmp_path: Path, typed: str, said: str) -> None:
    assert said in refused(Cli(tmp_path / "work"), "ablate", *QUICK, *typed.split())


def test_help_lists_the_ingredients(tmp_path: Path) -> None:
    result = Cli(tmp_path / "work")("ablate", "--help")
    assert result.code == 0
    assert "  warmup     {schedule.warmup_epochs: 0.0}" in result.out
    assert "ingredients.NAME={KEY: VALUE}" in result.out
