"""Models of torchvision by name: those that torchvision builds, or a line that says why not."""

from pathlib import Path

import pytest
import torch

from sgdlab.errors import InputError
from sgdlab.models.torchvision import torchvision
from trainer_runs import train

models = pytest.importorskip("torchvision.models")  # sgdlab, imported above, lets it

NAMES = (
    "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1", "resnet18", "mnasnet0_5",
)  # fmt: skip


def built(name: str, shape: tuple[int, ...] = (3, 32, 32), outputs: int = 5, **settings: object):
    torch.manual_seed(0)
    return torchvision(input_shape=shape, num_outputs=outputs, name=name, **settings)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_torchvisions_own(name: str) -> None:
    model = built(name)
    torch.manual_seed(0)
    expected = models.get_model(name, num_classes=5)
    x = torch.randn(4, 3, 32, 32)
    for (key, a), (other, b) in zip(
        model.state_dict().items(), expected.state_dict().items(), strict=True
    ):
        assert key == other
        assert torch.equal(a, b)
    torch.manual_seed(1)
    found = model(x)
    torch.manual_seed(1)
    assert torch.equal(found, expected(x))


def test_grey_images_are_three_equal_channels() -> None:
    model = built("squeezenet1_1", (1, 32, 32)).eval()
    x = torch.randn(2, 1, 32, 32)
    plain = built("squeezenet1_1").eval()
    assert torch.equal(model(x), plain(torch.cat([x, x, x], 1)))


def test_models_for_one_size_are_built_for_that_of_the_images() -> None:
    with torch.device("meta"):  # 86 million weights
        model = built("vit_b_32", (3, 64, 64))
    assert model.encoder.pos_embedding.shape == (1, 1 + 4, 768)
    with pytest.raises(
        InputError, match=r"vit_b_16: cannot be built for images \[3, 20, 20\]: Input"
    ):
        built("vit_b_16", (3, 20, 20))


def test_arguments_reach_the_constructor() -> None:
    assert built("mobilenet_v3_small", arguments={"dropout": 0.5}).classifier[2].p == 0.5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "mobilenetv3_small"}, "did you mean mobilenet_v3_small"),
        ({"name": "fcn_resnet50"}, "no classifier of torchvision; did you mean"),
        ({"name": "resnet18", "shape": (4, 8, 8)}, "3 channels (1 is repeated), and the dataset's"),
        ({"name": "resnet18", "shape": (64,)}, "model=torchvision needs images"),
        ({"name": "alexnet", "shape": (1, 8, 8)}, "cannot take images [1, 8, 8]: "),
        ({"name": "resnet18", "arguments": {"widht": 3}}, "'widht'"),
        ({"name": "resnet18", "arguments": {"num_classes": 3}}, "num_classes=3 is the dataset's"),
        ({"name": "resnet18", "weights": "IMAGNET1K_V1"}, "valid: DEFAULT, IMAGENET1K_V1"),
        ({"name": "resnet18", "weights": "a.pt"}, "is a file: weights=a.pt loads those"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(settings: dict, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        built(**settings)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_weights_are_read_where_torchvision_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    source = models.mobilenet_v3_small()
    url = models.get_model_weights("mobilenet_v3_small").DEFAULT.url
    file = tmp_path / "hub" / "checkpoints" / Path(url).name
    file.parent.mkdir(parents=True)
    torch.save(source.state_dict(), file)
    model = built("mobilenet_v3_small", weights="DEFAULT")
    for name, tensor in source.state_dict().items():
        same = model.state_dict()[name].shape == tensor.shape
        assert same == (not name.startswith("classifier.3."))
        assert not same or torch.equal(model.state_dict()[name], tensor)
    with pytest.raises(InputError, match=r"its weights do not fit features\.\d"):
        built("mobilenet_v3_small", weights="DEFAULT", arguments={"reduced_tail": True})


def test_a_failed_download_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    with pytest.raises(InputError, match=r"cannot download https:.*no network.*checkpoints") as no:
        built("resnet18", weights="DEFAULT")
    assert str(tmp_path / "hub" / "checkpoints" / "resnet18-") in str(no.value)


def test_a_run_trains_one_on_grey_digits() -> None:
    outcome, rows, run = train(
        "model=torchvision", "model.name=shufflenet_v2_x0_5", "max_steps=2", "batch_size=16"
    )
    assert outcome.status == "completed"
    assert len(rows.step_rows) == 2
    assert run.model.fc.out_features == 10
