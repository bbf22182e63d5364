"""Windows that are cut late: drawn anew, or from a file, and the same as those cut at once."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sgdlab.datasets.base import Dataset, Examples
from sgdlab.datasets.split import prepare
from sgdlab.datasets.text import text
from sgdlab.datasets.text_files import Source
from sgdlab.datasets.windows import Windows
from sgdlab.errors import InputError
from sgdlab.steps.batches import BatchPlan
from trainer_runs import Rows, built, fit_from_checkpoint, train

CONTENT = "".join(f"{i * i % 97}: zeile ä\n" for i in range(400))
TINY = (
    "dataset=text", "dataset.context=8", "model=gpt", "model.width=8", "model.depth=1",
    "dtype=float64", "schedule=constant", "schedule.warmup_epochs=0", "batch_size=16",
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (path := tmp_path / "a.txt").write_text(CONTENT)
    return path


def read(file: Path, tokens: str = "bytes", **others: Any) -> Examples:
    return text(path=str(file), tokens=tokens, context=7, **others)


def prepared(examples: Examples) -> Dataset:
    return prepare(examples, name="text", seed=3, val=0.2, test=0.2)


def random_windows(file: Path) -> Windows:
    x = read(file, windows="random").x
    assert isinstance(x, Windows)
    return x


# Drawn anew


def test_random_windows_start_anywhere_in_training_alone(file: Path) -> None:
    found = read(file, windows="random")
    whole = list(CONTENT.encode())
    train = whole[: len(whole) - 2 * round(0.2 * len(whole))]
    starts, contiguous = set(), read(file)
    for seed in range(400):
        x, y = found.x.drawn(seed), found.y.drawn(seed)
        own = x._starts.tolist()
        assert len(own) == len(x) == len(contiguous.x)
        starts.update(own)
        for i in (0, -1):
            assert x[i : len(x) if i else 1][0].tolist() == train[own[i] : own[i] + 7]
            assert y[i : len(y) if i else 1][0].tolist() == train[own[i] + 1 : own[i] + 8]
    assert starts == set(range(len(train) - 7))
    assert torch.equal(found.x.load(), contiguous.x)
    assert found.val is not None
    assert contiguous.val is not None
    assert torch.equal(found.val[0], contiguous.val[0])


def test_each_epoch_draws_by_seed_and_number(file: Path) -> None:
    data = prepared(read(file, windows="random"))
    plan = BatchPlan.of(16, 2, len(data.train.y))

    def epoch(seed: int, number: int, skip: int = 0) -> list[list[int]]:
        updates = plan.epoch(data.train, seed, number, skip)
        return [batch.x.flatten().tolist() for update in updates for batch in update]

    first = epoch(1, 0)
    assert first == epoch(1, 0)
    assert first[4:] == epoch(1, 0, skip=2)
    assert first != epoch(1, 1)
    assert first != epoch(2, 0)
    contiguous = plan.epoch(prepared(read(file)).train, 1, 0)
    assert [len(b) for b in first] == [b.x.numel() for update in contiguous for b in update]


def test_a_run_on_random_windows_repeats_itself_and_survives_a_kill(
    file: Path, tmp_path: Path
) -> None:
    own = (*TINY, f"dataset.path={file}", "dataset.windows=random", "max_steps=31")
    _, whole, _ = train(*own)
    killed = Rows()
    (folder := tmp_path / "killed").mkdir()
    for stop in (True, True, False):
        run = built(*own, "checkpoint.every=11")
        fit_from_checkpoint(run, killed, folder, stop)
    assert run.plan.steps_per_epoch < 31
    assert killed.step_rows == whole.step_rows
    assert len(whole.step_rows) == 31
    _, contiguous, _ = train(*own, "dataset.windows=contiguous")
    assert contiguous.step_rows != whole.step_rows
    first = [rows.evaluations[0] for rows in (contiguous, whole)]
    assert [row[5:] for row in first[:1]] == [row[5:] for row in first[1:]]


# From a file


@pytest.mark.parametrize("tokens", ["bytes", "characters", "bpe"])
def test_tokens_in_a_file_are_those_in_memory(file: Path, tmp_path: Path, tokens: str) -> None:
    if tokens == "bpe":
        pytest.importorskip("tokenizers", reason="pip install 'sgdlab[tokenizers]'")
    more: dict[str, Any] = {"vocabulary": 300} if tokens == "bpe" else {}
    kept, mapped = (read(file, tokens, memory_map_above=n, **more) for n in (None, 100))
    assert isinstance(mapped.x, Windows)
    assert not isinstance(kept.x, Windows)
    one, two = prepared(kept), prepared(mapped)
    assert one.fingerprint == two.fingerprint
    assert (one.num_outputs, one.input_shape, one.token_bytes) == (
        two.num_outputs, two.input_shape, two.token_bytes,
    )  # fmt: skip
    for a, b in zip((one.train, one.val, one.test), (two.train, two.val, two.test), strict=True):
        for own, other in zip(a, b, strict=True):
            assert torch.equal(own, other.load())
            assert torch.equal(own[1:3], other[1:3])
            assert torch.equal(own[torch.tensor([2, 0])], other[torch.tensor([2, 0])])
    assert two.notes[0].partition(", kept in ")[0] == one.notes[0]
    assert {f.suffix for f in (tmp_path / "cache" / "sgdlab").iterdir()} == {".tokens", ".json"}
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.txt", "cache"]


@pytest.mark.parametrize("windows", ["contiguous", "random"])
def test_runs_from_a_file_are_those_in_memory(file: Path, windows: str) -> None:
    own = (*TINY, f"dataset.path={file}", f"dataset.windows={windows}", "max_steps=4")
    own += ("accumulate=2", "evaluate_test=true")
    if windows == "contiguous":
        at_end = (f"~diagnostics.at_end.{name}" for name in ("layers", "minimum"))
        own += ("diagnostics=full", "diagnostics.every=4", *at_end)
    found = [train(*own, f"dataset.memory_map_above={n}") for n in ("null", "1K")]
    assert [isinstance(run.data.val.x, Windows) for _, _, run in found] == [False, True]
    (_, one, a), (_, two, b) = found
    assert one.step_rows == two.step_rows
    without_time = [[(*row[:3], *row[4:]) for row in rows.evaluations] for rows in (one, two)]
    assert without_time[0] == without_time[1]
    for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_file_is_written_once_and_for_its_text(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "sgdlab"
    first = read(file, memory_map_above=100)
    (made,) = folder.glob("*.tokens")
    stamp = made.stat().st_mtime_ns
    read(file, memory_map_above=100)
    assert made.stat().st_mtime_ns == stamp
    first.x._tokens[:50] = 0  # what is done to the tokens stays in the process
    assert read(file, memory_map_above=100).x._tokens[:50].any()
    file.write_text(CONTENT + "more")
    assert bytes(read(file, memory_map_above=100).x[:1][0].tolist()) == CONTENT.encode()[:7]
    assert len([*folder.glob("*.tokens")]) == 2
    assert not [f for f in folder.iterdir() if f.suffix not in (".tokens", ".json")]


def test_half_a_file_is_written_again(file: Path, tmp_path: Path) -> None:
    read(file, memory_map_above=100)
    (head,) = (tmp_path / "cache" / "sgdlab").glob("*.json")
    (tokens,) = (tmp_path / "cache" / "sgdlab").glob("*.tokens")
    assert json.loads(head.read_text())["vocabulary"] == 256
    head.unlink()  # it is the last to be written
    tokens.write_bytes(b"half")
    assert torch.equal(read(file, memory_map_above=100).x.load(), read(file).x)


def test_a_folder_that_cannot_be_written_is_named(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    with pytest.raises(InputError, match=r"kept in .*a\.txt/sgdlab, .*memory_map_above=null"):
        read(file, memory_map_above=100)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"windows": "randm"}, "dataset.windows=randm: did you mean random|valid: contiguous"),
        ({"memory_map_above": "much"}, "dataset.memory_map_above=much: must be bytes"),
    ],
)
def test_impossible_windows_are_refused(file: Path, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(file, **settings)


def test_another_task_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="task=custom: dataset=text is task=language by itself"):
        prepare(read(file, windows="random"), name="text", seed=0, val=0.2, test=0.2, task="custom")


@pytest.mark.parametrize("content", ["ä€𝄞x" * 30_000, "word " * 30_000, "\n" * 70_000, "l\n" * 5])
def test_pieces_are_whole_characters_and_together_the_text(tmp_path: Path, content: str) -> None:
    raw = content.encode()
    held = Source("a", "a", len(raw), held=raw)
    assert "".join(held.characters()) == content
    (tmp_path / "a").write_bytes(raw[:1000])
    (tmp_path / "b").write_bytes(raw[1000:])
    files = Source("a", "a", 0, files=[tmp_path / "a", tmp_path / "b"])
    assert b"".join(files.pieces()) == raw[:1000] + b"\n" + raw[1000:]
    assert all(0 < len(piece) <= 1 << 16 for piece in files.pieces())
