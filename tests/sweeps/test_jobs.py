"""Jobs that are composed quickly are those that Hydra and `resolve` give."""

import functools
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig, open_dict

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.compose.pattern import number_of
from sgdlab.config.job import Job
from sgdlab.config.resolve import resolve
from sgdlab.config.run_id import run_id
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError
from sgdlab.sweeps import preflight
from sgdlab.sweeps.jobs import prepare

Load = Callable[..., "Sweep"]


class Sweep:
    """A loader and its master config, with the plain way beside the quick one."""

    def __init__(self, overrides: Sequence[str] = (), common: Sequence[str] = ()) -> None:
        self.hydra = GlobalHydra.instance().config_loader()
        self.master, bases = _loaded(tuple(overrides), tuple(common))
        self.common = list(common)
        self.loader = QuickLoader(self.hydra.get_search_path(), common)
        self.loader._bases = bases

    def plainly(self, job: Sequence[str]) -> tuple[RunConfig, Path]:
        """Compose and resolve one job with nothing but Hydra and `resolve`."""
        composed = self.hydra.load_sweep_config(self.master, [*self.common, *job])
        sweep = composed.hydra.sweep
        return resolve(composed), Path(sweep.dir) / sweep.subdir

    def quickly(self, *job: str) -> Job | None:
        """Return a job as the second one of its form is made; None: it is composed by itself."""
        assert self.loader._quick_job(self.master, job) is None
        return self.loader._quick_job(self.master, job)

    def assert_same(self, *job: str, quick: bool = True) -> None:
        expected, directory = self.plainly(job)
        made = self.quickly(*job)
        assert (made is not None) == quick, "not the way it should go"
        for found in (self.loader.job(self.master, job), *([made] if made else [])):
            assert repr(found.config.plain()) == repr(expected.plain())  # types and order, too
            assert found.run_id == run_id(expected)
            assert found.directory == directory


@functools.cache
def _loaded(overrides: tuple[str, ...], common: tuple[str, ...]) -> tuple[DictConfig, dict]:
    """Return a master config, and room for what loaders compose of it once per set of groups."""
    hydra = GlobalHydra.instance().config_loader()
    return hydra.load_configuration("train", list(overrides), RunMode.MULTIRUN), {}


@pytest.fixture
def sweep() -> Iterator[Load]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield Sweep


def members(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


@pytest.mark.parametrize(
    "job",
    [
        "",
        "lr=0.3 seed=3",
        "lr=1 optimizer.momentum=0",
        "optimizer.lr=1",
        "optimizer.lr=0.2 lr=0.2",
        "lr=null optimizer=adamw lr=0.1",
        "optimizer=adamw optimizer.betas=[0.8,0.95] optimizer.eps=1e-6",
        "optimizer=adamw optimizer.betas.1=0.95 optimizer.betas.0=0.5",
        "model.hidden=[] model.activation=tanh",
        "model.hidden=[8,16,8] batch_size=full",
        "decay.multipliers={1.*:0.1,2:3} lr_multipliers={*.bias:2}",
        "max_steps=7 epochs=3 phase=tune trial=4 study=a/b",
        "study=1",
        "study=null phase='null'",
        "study='x.y' phase=\"é\"",
        "seed=1 seed=2 seed=3",
        "+optimizer.extra=1 optimizer.extra=2",
        "~scaling.candidates seed=2",
        "scaling=linear scaling.candidates=[0.5,1] scaling.candidate=2",
        "dataset=least_squares model=problem seed=4",
        "device=cpu threads=1 evaluate_test=true resume=false",
        "limits.loss_factor=5 clip_norm=3 split.val=0.1 eval.every=2",
    ],
)
def test_a_job_is_what_hydra_and_resolve_give(sweep: Load, job: str):
    # A rate or a seed said twice; a number that is a name.
    composed = ("optimizer.lr=0.2 lr=0.2", "study=1", "seed=1 seed=2 seed=3")
    sweep().assert_same(*_split(job), quick=job not in composed)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("evaluate_test", "1 1 0"),  # a truth value: every number but zero is true
        ("decay.bias_and_norm", "2 1 0"),
        ("resume", "1 1 0"),
        ("limits.loss_factor", "1e17 2e17 3e17"),  # too large for halves
        ("limits.loss_factor", "1e20 1e30 1e31"),
        ("seed", "2 3 4"),  # the numbers that stand in for a job's own
        ("lr", "2.5 3.5 2"),
        ("epochs", "1 2 3"),
    ],
)
def test_the_third_job_of_a_form_is_what_hydra_and_resolve_give(sweep: Load, key: str, values: str):
    tried = sweep()
    for value in values.split():
        job = (f"{key}={value}", "trial=7", "study=s")
        made, (expected, directory) = tried.loader.job(tried.master, job), tried.plainly(job)
        assert made.config == expected
        assert (made.run_id, made.directory) == (run_id(expected), directory)


def _split(job: str) -> list[str]:
    return job.split()


NEEDED = {
    "model=torchvision": ("model.name=resnet18",), "model=huggingface": ("model.config=gpt2",),
}  # fmt: skip
"""What members have no default for."""


@pytest.mark.parametrize(
    "group",
    [
        *("scaling", "average"),
        *(
            pytest.param(group, marks=pytest.mark.slow)
            for group in ("model", "schedule", "loss", "optimizer")
        ),
    ],
)
def test_every_member_of_a_group_goes_the_quick_way(sweep: Load, group: str):
    tried = sweep()
    for name in members(group):
        own = NEEDED.get(f"{group}={name}", ())
        tried.assert_same(f"{group}={name}", *own, "lr=0.125", "seed=5", "study=s")


@pytest.mark.slow
def test_every_number_of_the_shipped_config_goes_the_quick_way(sweep: Load):
    tried = sweep()
    config = tried.plainly([])[0].plain()

    def leaves(section: dict, prefix: str) -> Iterator[tuple[str, object]]:
        for key, value in section.items():
            if isinstance(value, dict):
                yield from leaves(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value

    numbers = {k: v for k, v in leaves(config, "") if type(v) in (int, float) and v > 0}  # type: ignore[arg-type]
    assert len(numbers) > 15
    for key, value in numbers.items():
        extra = [f"lr={value}"] if key == "optimizer.lr" else []
        tried.assert_same(f"{key}={value}", *extra, quick=not extra)


@pytest.mark.parametrize(
    "job",
    [
        "lr=-1", "lr=abc", "lr=inf", "seed=1.5", "seed=true", "seed=null", "epochs=0", "lrr=1",
        "optimizer.momentun=0.9", "optimizer.lr=0.1 lr=0.2", "optimizer=nosuch", "lr=0.1,0.2 x=",
        "names.optimizer=x", "model.hidden.0=x model=linear", "evaluate_test=maybe",
        "batch_size=0", "decay=3", "decay.multipliers=3", "device=gpu", "optimizer=sgd lr=null",
        "import_from=3", "staleness.delay=1 local_sgd.workers=2", "split.val=abc",
        "dtype=float64 precision=bf16", "model.hidden={a:1} model.width.deep=2", "lr=${nosuch}",
        "hydra.sweep.nosuch=1", "lr", "optimizer.momentum.x=1",
    ],
)  # fmt: skip
def test_a_refusal_is_in_the_words_of_the_plain_way(sweep: Load, job: str):
    tried = sweep()
    other = sweep()
    other.loader._quick_job = lambda *_: None  # type: ignore[method-assign]
    said = [_said(lambda t=t: t.loader.job(t.master, _split(job))) for t in (tried, other)]
    assert said[0] == said[1]
    assert said[0] is not None


def _said(act: Callable[[], object]) -> str | None:
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], str]:
    """Return an override that adds a folder with one optimizer of the user's own."""

    def add(text: str) -> str:
        (tmp_path / "optimizer").mkdir(exist_ok=True)
        (tmp_path / "optimizer/own.yaml").write_text(f"_target_: torch.optim.SGD\n{text}")
        return f"hydra.searchpath=[file://{tmp_path}]"

    return add


@pytest.mark.parametrize(
    ("text", "job", "quick"),
    [
        ("lr: 0.1\nmomentum: ${model.dropout}\n", "model.dropout=0.25", True),
        ("lr: 0.1\nweight_decay: ${lr}\n", "lr=0.5", True),
        ("lr: ${split.val}\n", "split.val=0.125", True),
        ("lr: ${split.val}\nmomentum: ${lr}\n", "split.val=0.125", True),
        ("lr: ${split.val}\n", "optimizer.lr=0.75", True),
        ("lr: ${split.val}\n", "seed=4", True),
        ("lr: 0.1\nnote: s${seed}-${split.seed}\n", "seed=4", False),
        ("lr: 0.1\nnote: s${split.seed}\n", "seed=4", True),
        ("lr: 0.1\nhidden: ${model.hidden}\n", "model.hidden=[3]", True),
        ("lr: 0.1\nhidden: ${model.hidden}\n", "seed=1", True),
        ("lr: 0.1\nfirst: ${model.hidden[0]}\n", "model.hidden=[3]", True),
        ("lr: 0.1\nmomentum: ${.lr}\n", "lr=0.5", True),
        ("lr: 0.1\nnote: ${oc.env:NO_SUCH_THING,0.5}\n", "seed=2", True),
        ("lr: 0.1\nnote: ${hydra:runtime.cwd}/a\n", "seed=2", True),
        ("lr: 0.1\nnote: ${hydra:job.override_dirname}\n", "seed=2", False),
        ("lr: ${oc.decode:'0.5'}\n", "seed=2", False),
        ("lr: ???\n", "lr=0.5", True),
        ("lr: ???\n", "optimizer.lr=0.5", True),
        ("lr: 0.1\nmomentum: ???\n", "optimizer.momentum=0.5", True),
        ("lr: 0.1\nnote: a\\${b}\n", "seed=1", False),
    ],
)
def test_interpolations_of_the_users_own(
    sweep: Load, own: Callable[[str], str], text: str, job: str, quick: bool
):
    sweep([own(text)]).assert_same("optimizer=own", *_split(job), quick=quick)


@pytest.mark.parametrize(
    "place",
    [
        "hydra.sweep.dir=x/${study}/${seed}",
        "hydra.sweep.dir=x/${lr}-${optimizer.momentum}",
        "hydra.sweep.dir=x/${study}-${phase}",
        "hydra.sweep.subdir=${run_name:}",
        "hydra.sweep.subdir=${run_id:}",
        "hydra.sweep.subdir=${phase}/${run_id:}",
        "hydra.sweep.subdir=a-${seed}-${lr}",
    ],
)
def test_a_folder_is_the_one_that_hydra_names(sweep: Load, place: str):
    tried = sweep([place])
    made_of_names = "momentum" not in place and "-${seed}" not in place and "/${run_id" not in place
    tried.assert_same("seed=3", "lr=0.25", "study=s", "phase=tune", quick=made_of_names)


def test_overrides_of_all_jobs_count(sweep: Load):
    sweep(common=["optimizer.lr=0.5", "epochs=2"]).assert_same("seed=3")
    tried = sweep(common=["optimizer.lr=0.5"])
    with pytest.raises(InputError, match=r"lr=0.25 and optimizer.lr=0.5 disagree"):
        tried.loader.job(tried.master, ["lr=0.25"])


def test_a_launcher_gets_what_hydra_composes(sweep: Load):
    tried, job = sweep(), ["optimizer=adamw", "lr=0.25", "seed=3", "study=s"]
    prepared = tried.loader.job(tried.master, job)
    config = tried.loader.load_sweep_config(tried.master, job)
    expected = tried.hydra.load_sweep_config(tried.master, job)
    assert config.hydra.overrides.task == job
    assert config.hydra.job.override_dirname == ",".join(job)
    assert config.hydra.sweep.subdir == expected.hydra.sweep.subdir == prepared.directory.name
    assert resolve(config) == resolve(expected)
    for composed in (config, expected):
        with open_dict(composed):
            composed.pop("hydra")
    assert config == expected


def test_a_worker_is_sent_no_jobs_and_composes_them_alike(sweep: Load):
    tried = sweep()
    jobs = [["study=s", f"seed={seed}"] for seed in range(50)]
    (first,) = prepare(tried.master, tried.loader, jobs[:1])
    before = len(pickle.dumps(tried.loader))
    prepared = prepare(tried.master, tried.loader, jobs)
    assert prepared[0] is first
    sent = pickle.dumps(tried.loader)
    assert len(sent) == before
    worker: QuickLoader = pickle.loads(sent)
    assert worker.job(tried.master, jobs[7]).config == prepared[7].config


@given(
    st.sampled_from(["lr", "optimizer.momentum", "a_1.b2.c"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers(-(10**20), 10**20).map(str)
    | st.from_regex(r"[-+]?[0-9]{0,3}\.?[0-9]{0,3}([eE][-+]?[0-9]{1,2})?", fullmatch=True),
)
def test_a_number_is_read_as_hydra_reads_it(key: str, value: str):
    quick = number_of(f"{key}={value}")
    if quick is not None:
        (expected,) = OverridesParser.create().parse_overrides([f"{key}={value}"])
        assert repr(quick) == repr((expected.key_or_group, expected.value()))
    if value == repr(0.5):
        assert quick is not None


def test_what_one_run_would_refuse_is_refused_wherever_it_stands(sweep: Load):
    tried = sweep()
    jobs = [["study=s", "optimizer=sgd", f"lr={0.001 * (n + 1)}"] for n in range(60)]
    jobs[41] += ["optimizer.momentum=-1"]
    with pytest.raises(InputError) as quick:
        prepare(tried.master, tried.loader, jobs)
    with pytest.raises(InputError) as plain:
        preflight.check(tried.plainly(jobs[41])[0])
    assert str(quick.value) == str(plain.value)
    assert "momentum" in str(plain.value)


@pytest.mark.parametrize(
    "job",
    [
        "optimizer=sgd optimizer.momentum=1.5x", "optimizer=adamw optimizer.betas=[0.9]",
        "optimizer=nosuch_setting", "schedule.warmup_epochs=-1", "model.hidden=[0]",
        "average=ema average.decay=2", "scaling=gentle scaling.factor=5", "loss=mse loss.nosuch=1",
        "batch_size=100000", "accumulate=100000", "optimizer=schedule_free_sgd average=ema",
        "parametrization=mup model=cnn", "decay.multipliers={nosuch:1}", "device=cuda:77",
        "lr_multipliers={*.bias:-1}", "optimizer=lbfgs staleness.delay=2", "dataset=wine model=cnn",
        "decay.mode=coupled optimizer=rprop", "optimizer.momentum=true",
    ],
)  # fmt: skip
def test_checks_of_plain_configs_refuse_what_check_refuses(sweep: Load, job: str):
    tried, other = sweep(), sweep()
    warm = ["seed=1"]
    prepare(tried.master, tried.loader, [warm])
    said = _said(lambda: prepare(tried.master, tried.loader, [warm, _split(job)]))
    plain = _said(
        lambda: preflight.check(other.loader._job(other.master, tuple(_split(job))).config)
    )
    assert said == plain
    assert said is not None


@pytest.mark.parametrize(
    "job",
    [
        "epochs=1", "scaling=linear optimizer=adamw batch_size=128", 
        "schedule=one_cycle optimizer=rprop",
        "average=swa epochs=1 average.start=0.99", "optimizer=schedule_free_sgd schedule=cosine",
        "scaling.candidates=[0.5,1]", "seed=1",
    ],
)  # fmt: skip
def test_warnings_are_those_of_check(sweep: Load, job: str):
    tried = sweep()
    found = tried.loader.job(tried.master, _split(job))
    checks = preflight.Checks()
    expected = preflight.check(found.config)
    for _ in range(2):
        assert checks.of(found.config) == expected


def test_seeds_and_labels_build_nothing_again(sweep: Load, monkeypatch: pytest.MonkeyPatch):
    tried, built = sweep(), []
    build_run = preflight.build_run
    monkeypatch.setattr(preflight, "build_run", lambda *a: built.append(1) or build_run(*a))
    jobs = [[f"lr={lr}", f"seed={s}", f"trial={s}"] for lr in (0.1, 0.2) for s in range(9)]
    assert len(prepare(tried.master, tried.loader, jobs)) == 18
    assert len(built) == 2


def test_the_same_run_twice_is_refused(sweep: Load):
    tried = sweep()
    for twice in (["lr=1", "study=s"], ["lr=1.0", "study=s"]):
        with pytest.raises(InputError, match=r"same run twice: lr=1(\.0)? equals lr=1$"):
            prepare(tried.master, tried.loader, [["lr=1", "study=s"], twice])
