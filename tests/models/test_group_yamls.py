"""Every YAML of the groups that are plain constructors agrees with what it constructs."""

import inspect
from pathlib import Path

import pytest
import torch
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf"
AT_CALL_TIME = {
    "dataset": {"task", "held_out"},
    "model": {
        "input_shape",
        "num_outputs",
        "problem",
        "parametrization",
        "data_task",
        "data_vocabulary",
    },
    "loss": {"task", "num_outputs", "class_counts"},
    "metric": {
        "task", "scale", "minimum", "num_outputs", "threshold", "ignored", "token", "token_bytes",
    },
    "schedule": set(),
    "scaling": set(),
}  # fmt: skip
YAMLS = [path for group in AT_CALL_TIME for path in sorted((CONF / group).glob("*.yaml"))]


def _id(path: Path) -> str:
    return f"{path.parent.name}={path.stem}"


def test_groups_have_members() -> None:
    assert {path.parent.name for path in YAMLS} == set(AT_CALL_TIME)


@pytest.mark.parametrize("path", YAMLS, ids=_id)
def test_first_line_describes_the_member(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert 10 <= len(first) <= 100


@pytest.mark.parametrize("path", YAMLS, ids=_id)
def test_keys_are_the_parameters(path: Path) -> None:
    keys = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(keys, dict)
    keys.pop("defaults", None)
    target = get_object(keys.pop("_target_"))
    parameters = set(inspect.signature(target).parameters) - AT_CALL_TIME[path.parent.name]
    assert set(keys) == parameters


@pytest.mark.parametrize("path", YAMLS, ids=_id)
def test_numbers_have_the_type_of_the_parameter(path: Path) -> None:
    keys = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(keys, dict)
    keys.pop("defaults", None)
    parameters = inspect.signature(get_object(keys.pop("_target_"))).parameters
    for key, value in keys.items():
        if parameters[key].annotation in (int, bool, str):
            assert type(value) is parameters[key].annotation, key


@pytest.mark.parametrize(
    "path", [p for p in YAMLS if p.parent.name in ("schedule", "scaling")], ids=_id
)
def test_schedules_and_scalings_build_from_their_yaml(path: Path) -> None:
    built = instantiate(OmegaConf.load(path), _convert_="all")
    if path.parent.name == "schedule":
        assert 0 < built(0, 100, 10) <= 1
    else:
        assert built(0.1, 64) == 0.1


# What makes the large models of the papers small enough to train here.
SMALL: dict[str, dict[str, object]] = {
    "airbench": {"width": 8},
    "resnet18": {"width": 4},
    "resnet34": {"width": 4},
    "resnet50": {"width": 4},
    "wide_resnet": {"depth": 10, "widen": 1},
}

# These take no images, or need a name first: their tests are in tests/datasets, and in files of
# their own.
OTHERS = {"problem", "gpt", "lstm", "torchvision", "huggingface"}
IMAGE_MODELS = [p for p in YAMLS if p.parent.name == "model" and p.stem not in OTHERS]


def test_small_settings_belong_to_members() -> None:
    assert {path.stem for path in IMAGE_MODELS} >= SMALL.keys()


@pytest.mark.parametrize("path", IMAGE_MODELS, ids=_id)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)], ids=str)
def test_models_learn_from_images_of_any_size(path: Path, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    config = OmegaConf.merge(OmegaConf.load(path), SMALL.get(path.stem, {}))
    model = instantiate(config, input_shape=shape, num_outputs=7, _convert_="all")
    x, y = torch.randn(5, *shape), torch.arange(5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(5):
        output = model(x)
        assert output.shape == (5, 7)
        loss = torch.nn.functional.cross_entropy(output, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
