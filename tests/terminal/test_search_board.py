"""What a comparison tells its searches' board: which runs count, and what is the best trial."""

import pytest
from omegaconf import DictConfig, OmegaConf

from sgdlab.comparison.board import SearchBoard
from sgdlab.comparison.contenders import Contender, SearchId
from sgdlab.comparison.workloads import Workload
from sgdlab.results import FINAL, ONE, STOPPED_EARLY, TUNE
from sgdlab.search.space import space_of


def planned(tracks: list[str]) -> SearchBoard:
    space = space_of({"lr": {"low": 0.01, "high": 1.0, "scale": "log"}}, "here")
    contender = Contender("sgd", "sgd", {}, space, {})
    master = OmegaConf.create(
        {"select_by": "final_val_loss", "seeds": 2, "tracks": tracks, "scaling": {"candidates": []}}
    )
    assert isinstance(master, DictConfig)
    board = SearchBoard(master)
    search = SearchId(Workload("wine/linear", {}), contender, 0)
    board.plan([search], {search: 3})
    return board


def run(phase: str, number: int, **cells: object) -> dict:
    return {
        "dataset": "wine", "model": "linear", "contender": "sgd", "replicate": 0, "phase": phase,
        "run_id": f"{phase}{number}", "status": "completed", "reason": None, "base_lr": 0.1,
        **cells,
    }  # fmt: skip


@pytest.mark.parametrize("tracks", [["tuned"], ["tuned", "one"], ["tuned", "one", "defaults"]])
def test_every_track_trains_the_seeds_again(tracks: list[str]):
    board, seeds = planned(tracks), 2 * len(tracks)
    assert board.to_come() == 3 + seeds
    phases = [FINAL, ONE][: len(tracks)]
    for done, phase in enumerate(phases, 1):
        board.add(run(phase, 0))
        assert board.to_come() == 3 + seeds - done
    assert board.lines(90, 5)[1].split()[-1] == f"{len(phases)}/{seeds}"


def test_a_trial_that_its_own_rule_has_stopped_is_a_result_and_a_failed_one_is_none():
    board = planned(["tuned"])
    board.add(run(TUNE, 0, final_val_loss=0.5))
    stopped = {"status": "stopped", "reason": f"{STOPPED_EARLY} after step 9"}
    board.add(run(TUNE, 1, final_val_loss=0.25, **stopped))
    board.add(run(TUNE, 2, final_val_loss=0.125, status="failed", reason="it broke"))
    assert board.lines(90, 5)[1].split()[:4] == ["sgd", "0", "3/3", "0.25"]
