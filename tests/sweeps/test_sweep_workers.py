"""Chunks of runs on workers: how they are cut, handed out again, gathered, and refused."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from sgdlab.config.launcher import refuse_missing_launcher, refuse_unreachable
from sgdlab.errors import InputError
from sgdlab.results.lock import HeldError, each_held, held, leaders_of, witness_of, working_for
from sgdlab.sweeps import hand_out as handing
from sgdlab.sweeps.chunks import Ended, cut, single
from sgdlab.sweeps.gather import put, taken
from sgdlab.sweeps.gpu_slots import GpuSlots, slots_of
from sgdlab.sweeps.hand_out import Unanswered, hand_out
from sgdlab.sweeps.pool import Pool
from sgdlab.sweeps.worker import shares


@pytest.mark.parametrize(
    ("count", "workers", "most", "smallest", "sizes"),
    [
        (10, 3, None, 1, [3, 3, 4]),
        (10, 3, None, 4, [5, 5]),
        (3, 8, None, 4, [3]),
        (10, 1, 4, 1, [3, 3, 4]),
        (0, 4, None, 1, []),
    ],
)
def test_runs_are_cut_into_chunks_of_nearly_one_size(
    count: int, workers: int, most: int | None, smallest: int, sizes: list[int]
):
    parts = cut(count, workers, most, smallest)
    assert [len(range(count)[part]) for part in parts] == sizes
    assert [n for part in parts for n in range(count)[part]] == list(range(count))


def test_single_runs_are_handed_out_one_by_one_until_there_are_very_many():
    assert len(single(range(20), 2, None)) == 20
    assert len(single(range(100_000), 4, None)) == 64


class _Job:
    def __init__(self, directory: Path) -> None:
        self.directory, self.config, self.run_id = directory, None, directory.name


class Workers:
    """A pool whose rounds a test writes: what each says of its pieces."""

    def __init__(self, *rounds: Any) -> None:
        self.rounds, self.handed = list(rounds), []

    def map(self, pieces: Sequence[Any], study: Path) -> Any:
        self.handed.append(list(pieces))
        answer = self.rounds.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def pairs(todo: Mapping[int, Any]) -> list[tuple[list[int], Any]]:
    """Return pieces of two runs, each of which is the tuple of its runs' names."""
    numbers = list(todo)
    parts = [numbers[at : at + 2] for at in range(0, len(numbers), 2)]
    return [(part, tuple(todo[n].run_id for n in part)) for part in parts]


def test_what_a_worker_that_died_has_not_done_is_handed_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    jobs = [_Job(tmp_path / f"r{n}") for n in range(4)]
    ended = {"r0", "r1", "r3"}  # the worker of r2 and r3 has died between them
    monkeypatch.setattr(handing, "has_ended", lambda job: job.run_id in ended)
    fine = [Ended(None), Ended(None)]
    pool = Workers([fine, RuntimeError("a worker died")], [[Ended(None)]])
    assert hand_out(pool, jobs, pairs) == {}  # pyright: ignore[reportArgumentType]
    assert pool.handed == [[("r0", "r1"), ("r2", "r3")], [("r2",)]]
    assert "1 run has not come back (RuntimeError: a worker died)" in capsys.readouterr().err


def test_a_launcher_that_never_gets_further_ends_the_runs_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(handing, "has_ended", lambda job: False)
    jobs = [_Job(tmp_path / f"r{n}") for n in range(2)]
    pool = Workers(OSError("no such queue"), OSError("no such queue"), OSError("never asked"))
    errors = hand_out(pool, jobs, pairs)  # pyright: ignore[reportArgumentType]
    assert len(pool.handed) == handing.MOST_FRUITLESS
    assert {type(e) for e in errors.values()} == {Unanswered}
    assert "no such queue" in str(errors[0])


def test_what_goes_wrong_with_one_run_is_no_matter_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(handing, "has_ended", lambda job: job.run_id == "r0")
    jobs = [_Job(tmp_path / f"r{n}") for n in range(2)]
    wrong = InputError("model=mine: no such file")
    pool = Workers([[Ended(None), Ended(wrong)]])
    assert hand_out(pool, jobs, pairs) == {1: wrong}  # pyright: ignore[reportArgumentType]


def test_files_come_back_whole_and_the_summary_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    there = tmp_path / "there"
    there.mkdir()
    files = {"config.yaml": "defaults:\n- train_schema\n", "steps.csv": "step\n", "error.txt": "?"}
    for name, text in files.items():
        (there / name).write_text(text)
    (there / "checkpoint.pt").write_bytes(b"large")
    (there / ".sgdlab.lock").write_bytes(b"")
    here = tmp_path / "here" / "r1"
    put(here, taken(there))
    assert {p.name: p.read_text() for p in here.iterdir()} == files
    written: list[str] = []
    replace = os.replace
    monkeypatch.setattr(
        os, "replace", lambda a, b: (written.append(Path(b).name), replace(a, b))[1]
    )
    from sgdlab.results import SUMMARY_COLUMNS, write_summary

    cells = dict.fromkeys(SUMMARY_COLUMNS) | {"run_id": "r1", "status": "completed"}
    write_summary(there, cells, {})
    content = taken(there)
    written.clear()
    put(here, content)
    assert written[-2:] == ["manifest.json", "summary.csv"]
    assert (here / "checkpoint.pt").read_bytes() == b"large"


def test_a_worker_is_not_refused_by_the_one_it_works_for_but_by_others(tmp_path: Path):
    run = tmp_path / "study" / "r1"
    with held(run.parent):
        witness, leaders = witness_of(run.parent), leaders_of(run.parent)
        assert shares(witness)
        assert len(leaders) == 1
        child = os.fork()
        if child == 0:  # as a worker of a launcher, which holds by itself what it trains
            code = 1
            try:
                os.environ.pop("SGDLAB_HELD")
                with each_held([run]) as others:
                    refused = bool(others)
                with working_for(leaders), each_held([run]) as others:
                    allowed = not others
                code = 0 if refused and allowed else 1
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not shares(witness)
    assert witness_of(run.parent) is None


def test_two_workers_of_one_leader_do_not_train_the_same_run(tmp_path: Path):
    run = tmp_path / "study" / "r1"
    with held(run.parent, shared=True):
        leaders = leaders_of(run.parent)
        ready, tell = os.pipe()
        wait, end = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with working_for(leaders), each_held([run]) as others:
                    os.write(tell, b"-" if others else b"+")
                    os.close(end)
                    os.read(wait, 1)
            finally:
                os._exit(0)
        assert os.read(ready, 1) == b"+"
        with working_for(leaders), each_held([run]) as others:
            assert list(others) == [run]
        with pytest.raises(HeldError), held(run):
            pass
        os.close(end)
        os.waitpid(child, 0)


def test_gpus_are_shared_out_evenly_and_a_place_is_free_again(tmp_path: Path):
    import contextlib

    slots = GpuSlots((0, 1, 3), 2, str(tmp_path / "slots"))
    assert slots.count == 6
    with contextlib.ExitStack() as taken_places:
        numbers = [taken_places.enter_context(slots.place()) for _ in range(6)]
        assert numbers == [0, 1, 3, 0, 1, 3]
    with slots.place() as number:
        assert number == 0


def test_shares_of_gpus_are_counted():
    found = slots_of("all", 0.5, count=4)
    assert found is not None
    assert (found.devices, found.each, found.count) == ((0, 1, 2, 3), 2, 8)
    one = slots_of([2], None, count=4)
    assert one is not None
    assert (one.devices, one.each) == ((2,), 1)
    assert slots_of(None, None, count=0) is None


@pytest.mark.parametrize(
    ("devices", "share", "count", "line"),
    [
        ("all", None, 0, r"hydra\.launcher\.devices=all: torch .* sees no CUDA device here"),
        (None, 0.5, 0, r"hydra\.launcher\.gpus=0\.5: torch .* sees no CUDA device here"),
        ([0, 4], None, 4, r"devices=\[0, 4\]: must be all, or a list of numbers from 0 to 3"),
        ([1, 1], None, 4, "must be all, or a list"),
        ("some", None, 4, "must be all, or a list"),
        ("all", 2.0, 4, "at most 1"),
    ],
)
def test_gpus_that_are_not_there_are_refused(devices: Any, share: Any, count: int, line: str):
    with pytest.raises(InputError, match=line):
        slots_of(devices, share, count)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"workers": 0}, r"hydra\.launcher\.workers=0: must be a whole number from 1"),
        ({"runs": 1.5}, r"hydra\.launcher\.runs=1\.5: must be a whole number from 1"),
        ({"runs": "many"}, r"hydra\.launcher\.runs=many: must be a whole number"),
        ({"gpus": -1}, r"hydra\.launcher\.gpus=-1: must be a number above 0"),
        ({"gpus": 1.5}, "above 1 only whole GPUs"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], line: str):
    config: Any = OmegaConf.create({"hydra": {}})
    context: Any = None
    with pytest.raises(InputError, match=line):
        Pool("hydra_plugins.sgdlab_ray.RayLauncher", settings, config, context).count()


@pytest.mark.parametrize(
    ("settings", "count"),
    [({"n_jobs": 3}, 3), ({"n_jobs": 3, "workers": 7}, 7), ({"array_parallelism": 12}, 12)],
)
def test_a_launcher_says_how_many_workers_it_has(settings: dict[str, Any], count: int):
    config: Any = OmegaConf.create({"hydra": {}})
    context: Any = None
    assert Pool("hydra_plugins.a.B", settings, config, context).count() == count


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("127.0.0.1:9", r"hydra\.launcher\.address=127\.0\.0\.1:9: nobody answers"),
        ("ray://127.0.0.1:9", "nobody answers"),
        ("here", "must be HOST:PORT of a running cluster"),
    ],
)
def test_a_cluster_that_does_not_answer_is_refused_at_once(address: str, line: str):
    with pytest.raises(InputError, match=line):
        refuse_unreachable(address)


@pytest.mark.parametrize("name", ["joblib", "ray", "submitit_local", "submitit_slurm"])
def test_a_launcher_whose_extra_is_missing_is_refused_by_its_name(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    import importlib.util

    from sgdlab.config.catalogue import conf_dir

    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    own = OmegaConf.load(conf_dir() / "hydra" / "launcher" / f"{name}.yaml")
    config: Any = OmegaConf.create(
        {"hydra": {"launcher": own, "runtime": {"choices": {"hydra/launcher": name}}}}
    )
    extra = name.partition("_")[0]
    with pytest.raises(InputError, match=rf"hydra/launcher={name}: .*pip install .*\[{extra}\]"):
        refuse_missing_launcher(config)
