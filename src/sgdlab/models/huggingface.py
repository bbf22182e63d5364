"""Any architecture of Hugging Face's transformers, by the name of its config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.checks import require_package
from sgdlab.errors import InputError, reason_of, shortened, suggest
from sgdlab.models.outputs import outputs_of

_TOKENS = ("bos_token_id", "eos_token_id", "decoder_start_token_id", "sep_token_id")
_KINDS = {
    "language": ("AutoModelForCausalLM", "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"),
    "tokens": (
        "AutoModelForSequenceClassification", "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    ),
    "images": ("AutoModelForImageClassification", "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES"),
}  # fmt: skip


def huggingface(
    *,
    input_shape: tuple[int, ...],
    num_outputs: int,
    config: str | None = None,
    folder: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    data_task: str | None = None,
    data_vocabulary: int | None = None,
) -> nn.Module:
    """Return a model of transformers at fresh weights, of the size that the dataset asks for.

    Which one follows the data: ``AutoModelForCausalLM`` for the task ``language``,
    ``AutoModelForSequenceClassification`` for tokens with a target for each sequence, and
    ``AutoModelForImageClassification`` for images. Vocabulary, context, image size, channels and
    number of outputs are those of the data; the rest is the default of the config's class. Tokens
    that mark beginning, end and padding are none where the vocabulary has no room for them;
    sequences get one token more, for padding, which never occurs.

    Args:
        input_shape: ``(context,)``, or ``(channels, height, width)``.
        num_outputs: Classes, regression targets, or tokens of the vocabulary.
        config: A ``model_type`` of transformers, such as ``gpt2``, ``llama``, ``bert``, ``vit``.
        folder: Instead of it, a folder with a ``config.json``; ``~`` is the home folder. Its
            weights are loaded by the root key ``weights``.
        overrides: Settings of the config, such as ``{n_layer: 2, n_embd: 32, n_head: 2}``.
        data_task: The task of the dataset.
        data_vocabulary: Tokens that occur in inputs, the largest and one more; None: no tokens.

    Raises:
        InputError: The package is missing, an unknown config or setting, data that no such model
            takes, or a language model that sees what it is to predict.
    """
    transformers = require_package("transformers", "transformers", "model=huggingface")
    kind = _kind_of(input_shape, data_task, data_vocabulary)
    base, where = _base(transformers, config, folder)
    _require_kind(transformers, kind, base.model_type, where)
    own = dict(overrides or {})
    known = {*base.to_dict(), *base.attribute_map}
    if unknown := [key for key in own if key not in known]:
        hint = suggest(unknown[0], known)
        raise InputError(f"model.overrides: {where} has no setting {unknown[0]}; {hint}")
    settings = _settings(base, kind, input_shape, num_outputs, data_vocabulary) | {
        base.attribute_map.get(key, key): value for key, value in own.items()
    }
    try:
        made = type(base).from_dict({**base.to_dict(), **settings})
        if kind != "language":
            made.num_labels = num_outputs
        model = getattr(transformers, _KINDS[kind][0]).from_config(made)
        _try(model, kind, input_shape)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except Exception as error:
        said = shortened(reason_of(error), 300)
        raise InputError(
            f"{where}: cannot be built for inputs {list(input_shape)} with model.overrides={own}: "
            f"{said}"
        ) from error
    return model.train()


def _kind_of(input_shape: tuple[int, ...], task: str | None, vocabulary: int | None) -> str:
    if task == "language":
        return "language"
    if len(input_shape) == 3:
        return "images"
    if len(input_shape) == 1 and vocabulary is not None:
        return "tokens"
    raise InputError(
        "model=huggingface needs tokens [context], integers, or images [channels, height, width]; "
        f"the inputs are {list(input_shape)}: model=mlp takes any numbers"
    )


def _base(transformers: Any, config: str | None, folder: str | None) -> tuple[Any, str]:
    """Return the config that settings change, and what messages call it."""
    if (config is None) == (folder is None):
        raise InputError("model=huggingface: needs model.config=gpt2 or model.folder=DIR, not both")
    if folder is not None:
        where, path = f"model.folder={folder}", Path(folder).expanduser()
        if not (path / "config.json").is_file():
            raise InputError(f"{where}: has no config.json")
        try:
            return transformers.AutoConfig.from_pretrained(str(path), local_files_only=True), where
        except Exception as error:
            raise InputError(f"{where}: {shortened(reason_of(error), 300)}") from error
    where = f"model.config={config}"
    known = list(transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES)
    if config not in known:
        raise InputError(f"{where}: no model_type of transformers; {suggest(str(config), known)}")
    return transformers.AutoConfig.for_model(config), where


def _require_kind(transformers: Any, kind: str, model_type: str, where: str) -> None:
    name, table = _KINDS[kind]
    valid = list(getattr(transformers.models.auto.modeling_auto, table))
    if model_type not in valid:
        raise InputError(
            f"{where}: transformers has no {name} of it, which these data need; "
            f"{suggest(model_type, valid)}"
        )


def _settings(
    base: Any, kind: str, shape: tuple[int, ...], outputs: int, vocabulary: int | None
) -> dict[str, Any]:
    """Return what the data decide of a config, by the names of its class."""
    found: dict[str, Any] = {"dtype": None, "use_cache": False}
    if kind == "images":
        found |= {"num_channels": shape[0], "image_size": shape[1]}
        if shape[1] != shape[2]:
            found["image_size"] = list(shape[1:])
    else:
        size = outputs if kind == "language" else (vocabulary or 0)
        found |= {"vocab_size": size, "max_position_embeddings": shape[0], "pad_token_id": None}
        found |= {key: None for key in _TOKENS if (getattr(base, key, None) or 0) >= size}
        if kind == "tokens":
            found |= {"vocab_size": size + 1, "pad_token_id": size}
        else:
            found["is_decoder"] = True
    names = {key: base.attribute_map.get(key, key) for key in found}
    held = base.to_dict()
    return {names[key]: value for key, value in found.items() if names[key] in held}


def _try(model: nn.Module, kind: str, shape: tuple[int, ...]) -> None:
    """Refuse a language model that sees what it is to predict, and inputs that fit no model."""
    x = torch.zeros(2, *shape, dtype=None if kind == "images" else torch.long)
    with torch.no_grad():
        output = outputs_of(model.eval(), x)
        if kind != "language":
            return
        x[:, -1] = 1
        again = outputs_of(model, x)
    seen = isinstance(output, Tensor) and not torch.allclose(output[:, :-1], again[:, :-1])
    if seen and shape[0] > 1:
        raise InputError("sees the tokens that it is to predict; take a decoder, such as gpt2")
