"""Architectures of transformers: trained as the module itself, or a line that says why not."""

import sys
from pathlib import Path

import pytest
import torch

from sgdlab.errors import InputError
from sgdlab.models.huggingface import huggingface
from trainer_runs import built, train

GPT2 = (
    "model.overrides={n_layer:1,n_embd:16,n_head:2,resid_pdrop:0.0,embd_pdrop:0.0,attn_pdrop:0.0}"
)
TEXT = (
    "dataset=text", "dataset.context=16", "model=huggingface", "model.config=gpt2", GPT2,
    "batch_size=8", "max_steps=3", "schedule=constant", "dtype=float64", "threads=1",
    "optimizer=sgd", "optimizer.weight_decay=0", "lr=0.1", "eval.batch_size=256",
)  # fmt: skip


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers")  # ten seconds of imports: hence slow


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"pip install .*\[transformers\]"):
        huggingface(input_shape=(4,), num_outputs=5, config="gpt2", data_task="language")


@pytest.mark.slow
def test_a_gpt2_trains_as_the_module_itself(transformers) -> None:
    run = built(*TEXT)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=run.data.num_outputs, n_positions=16, n_layer=1, n_embd=16, n_head=2,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None,
        )
    ).double()  # fmt: skip
    model.load_state_dict(run.model.state_dict())
    expected = []
    for (batch,) in run.updates(0):
        if len(expected) == 3:
            break
        logits = model(input_ids=batch.x).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.y.flatten())
        expected.append(loss.item())
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for p, g in zip(model.parameters(), gradients, strict=True):
                p -= 0.1 * g
    outcome, rows, _ = train(*TEXT)
    assert outcome.status == "completed"
    assert [row[4] for row in rows.step_rows] == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_sequences_have_a_class_each(transformers) -> None:
    model = huggingface(
        input_shape=(8,), num_outputs=3, config="gpt2", data_task="classification",
        data_vocabulary=7, overrides={"n_layer": 1, "n_embd": 8, "num_attention_heads": 2},
    ).eval()  # fmt: skip
    x = torch.randint(7, (4, 8), generator=torch.manual_seed(0))
    assert model(x).logits.shape == (4, 3)
    hidden = model.transformer(x).last_hidden_state
    torch.testing.assert_close(model(x).logits, model.score(hidden[:, -1]))


@pytest.mark.slow
def test_images_have_the_size_and_channels_of_the_data(transformers) -> None:
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = huggingface(
        input_shape=(1, 8, 8), num_outputs=3, config="vit", data_task="classification",
        overrides={**small, "intermediate_size": 16, "patch_size": 4},
    )  # fmt: skip
    assert model(torch.zeros(2, 1, 8, 8)).logits.shape == (2, 3)
    assert model.training
    assert model.config.num_labels == 3


@pytest.mark.slow
def test_a_folder_gives_the_same_as_its_name(tmp_path: Path, transformers) -> None:
    data = {"input_shape": (8,), "num_outputs": 6, "data_task": "language"}
    small = {"n_layer": 1, "n_embd": 8, "n_head": 2}
    torch.manual_seed(0)
    first = huggingface(config="gpt2", overrides=small, **data)
    first.config.save_pretrained(tmp_path)
    torch.manual_seed(0)
    second = huggingface(folder=str(tmp_path), **data)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"config": "gtp2"}, "did you mean gpt2"),
        ({}, "needs model.config=gpt2 or model.folder=DIR"),
        ({"folder": "nowhere"}, "model.folder=nowhere: has no config.json"),
        ({"config": "gpt2", "overrides": {"n_layers": 1}}, "did you mean n_layer"),
        ({"config": "gpt2", "overrides": {"n_head": 5, "n_layer": 1}}, "cannot be built for"),
        ({"config": "vit"}, "has no AutoModelForCausalLM of it"),
        ({"config": "gpt2", "data_task": "regression"}, "needs tokens [context], integers"),
        (
            {
                "config": "bert",
                "overrides": {
                    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
                    "intermediate_size": 8, "is_decoder": False,
                },
            },
            "sees the tokens that it is to predict",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_a_line(settings: dict, said: str, transformers) -> None:
    data = {"input_shape": (8,), "num_outputs": 6, "data_task": "language"}
    with pytest.raises(InputError) as refusal:
        huggingface(**{**data, **settings})
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
