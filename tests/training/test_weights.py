"""Weights from a file: what is loaded, what is refused in which words, what changed."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sgdlab.config.paths import resolve_paths
from sgdlab.config.run_id import run_id
from sgdlab.errors import InputError
from sgdlab.training.evidence import evidence_of
from sgdlab.training.weights import load_weights, weights_file
from trainer_runs import built, config_of


def network(outputs: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, outputs))


def saved(folder: Path, state: object, name: str = "w.pt") -> str:
    torch.save(state, folder / name)
    return str(folder / name)


@pytest.mark.parametrize("wrapper", ["", "module.", "_orig_mod."])
@pytest.mark.parametrize("holder", [None, "state_dict", "model"])
def test_a_state_dict_is_taken_as_it_is(tmp_path: Path, wrapper: str, holder: str | None) -> None:
    source, model = network(), network().double()
    state = {f"{wrapper}{name}": t for name, t in source.state_dict().items()}
    load_weights(model, saved(tmp_path, state if holder is None else {holder: state, "epoch": 3}))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name].to(tensor.dtype)), name


def test_skipped_names_keep_what_they_have(tmp_path: Path) -> None:
    source, model = network(3), network(7)
    head = model[2].weight.clone()
    load_weights(model, saved(tmp_path, source.state_dict()), ["2.*"])
    assert torch.equal(model[2].weight, head)
    assert torch.equal(model[0].weight, source[0].weight)


def test_tied_tensors_need_one_of_their_names(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Embedding(6, 4), nn.Linear(4, 6, bias=False))
    model[1].weight = model[0].weight
    weight = torch.arange(24.0).view(6, 4)
    load_weights(model, saved(tmp_path, {"0.weight": weight}))
    assert torch.equal(model[1].weight, weight)


def test_counters_of_old_files_may_be_missing(tmp_path: Path) -> None:
    state = network().state_dict()
    del state["1.num_batches_tracked"]
    load_weights(network(), saved(tmp_path, state))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("0.bias"), "lacks 0.bias (nearest: 2.bias)"),
        (lambda s: s.update({"2.wieght": s.pop("2.weight")}), "lacks 2.weight (nearest: 2.wieght)"),
        (lambda s: s.update(extra=torch.ones(1)), "has extra that the model lacks"),
        (lambda s: s.update({"2.bias": torch.ones(9)}), "2.bias is [9], in the model [3]"),
        (
            lambda s: s.update({"2.bias": torch.ones(3, dtype=torch.complex64)}),
            "2.bias is complex [3], in the model [3]",
        ),
        (lambda s: s.clear(), "must be a state dict, names with tensors"),
        (lambda s: s.update(x=3), "it holds a mapping of other things"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change, said: str) -> None:
    state = dict(network().state_dict())
    change(state)
    model = network()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(InputError, match=r"^weights=") as refusal:
        load_weights(model, saved(tmp_path, state))
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_objects_are_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has Python objects, which are not loaded"):
        load_weights(network(), saved(tmp_path, network()))
    (tmp_path / "text.pt").write_text("no zip")
    with pytest.raises(InputError, match=r"holds no plain tensors"):
        load_weights(network(), str(tmp_path / "text.pt"))


def test_a_folder_is_the_file_that_it_holds(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"save_final=true"):
        weights_file(str(tmp_path))
    saved(tmp_path, network().state_dict(), "final.pt")
    assert weights_file(str(tmp_path)) == tmp_path / "final.pt"
    with pytest.raises(InputError, match=r"no such file; did you mean final.pt\?"):
        weights_file(str(tmp_path / "finl.pt"))


def test_safetensors_are_read(tmp_path: Path) -> None:
    kept = pytest.importorskip("safetensors.torch")
    source, model = network(), network()
    kept.save_file(source.state_dict(), tmp_path / "w.safetensors")
    load_weights(model, str(tmp_path / "w.safetensors"))
    assert torch.equal(model[0].weight, source[0].weight)


def test_a_pattern_of_nothing_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, network().state_dict())
    with pytest.raises(InputError, match=r"weights_skip: head\.\* matches no name"):
        load_weights(network(), path, ["head.*"])
    with pytest.raises(InputError, match=r"of no file; set weights=FILE"):
        config_of("weights_skip=[a.*]")


def test_a_run_starts_from_the_file_and_knows_its_content(tmp_path: Path) -> None:
    source = built("seed=3").model
    path = saved(tmp_path, source.state_dict())
    config = config_of(f"weights={path}")
    model = built(f"weights={path}").model
    pairs = zip(model.parameters(), source.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    before = evidence_of(config, "ab")
    assert list(before.files) == [path]
    saved(tmp_path, built("seed=4").model.state_dict())
    assert evidence_of(config, "ab").changes(before) == [f"other files ({path} changed)"]
    assert run_id(config) != run_id(config_of())


def test_a_relative_path_is_known_as_it_was_written() -> None:
    def resolved(overrides: list[str], folders: list[str]) -> tuple[str, str]:
        plain = {"weights": "w.pt", "relative_paths": {}, "names": {}, "import_from": []}
        resolve_paths(plain, overrides, "/here", folders)
        return plain["weights"], plain["relative_paths"]["weights"]

    assert resolved(["weights=w.pt"], []) == ("/here/w.pt", "$PWD/w.pt")
    assert resolved([], ["/my"]) == ("/my/w.pt", "w.pt")
