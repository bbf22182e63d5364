"""What each parameter of a model is: a weight, a bias, the scale of a normalisation.

Asked of the module that a parameter belongs to, whatever its shape: the scales of a layer norm over
``[channels, height, width]`` have three axes and are no weights.
"""

import re
from collections.abc import Iterator

from torch import nn

KINDS = ("embedding", "weight", "magnitude", "norm", "bias", "vector")
"""What a parameter can be; one that several modules share is the first of these that it is to any.

``magnitude`` scales a weight or features and is no matrix: the length in
`torch.nn.utils.parametrizations.weight_norm`, scales ``[channels, 1, 1]``. ``vector`` is what has
at most one axis and is none of the others."""

BIAS_AND_NORM = ("norm", "bias", "vector")
"""The kinds to which weight decay does not apply by default."""

EMBEDDING = "embedding"
"""The kind that `decay.embeddings` is about."""

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_WEIGHTED = (
    nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd, nn.RNNBase, nn.RNNCellBase,
    nn.MultiheadAttention,
)  # fmt: skip
_LISTS = (nn.ParameterList, nn.ParameterDict)
_NORM_NAME = re.compile(r"[Nn]orm(ali[sz]ation)?(?![a-z])")  # LayerNorm2d, LlamaRMSNorm; not Normal
_OTHER_NAME = re.compile(r"Linear|Conv|Dense|Embed|Attention|Block|Head|Net|Model|M[Ll][Pp]")


def kinds_of(model: nn.Module) -> dict[str, str]:
    """Return the kind of each parameter, one of `KINDS`, by its name in ``named_parameters()``.

    In this order: what belongs to a normalisation of torch's or a subclass of it is ``norm``; what
    is called bias is ``bias``; what belongs to a layer of torch's is a ``weight`` or ``embedding``;
    what belongs to a class that is called a norm is ``norm``. The rest belongs to a module of the
    user's own: with one axis or none it is a ``vector``; else an ``embedding`` if it is called so,
    a ``weight`` if several axes are longer than 1, a ``norm`` if it is called gamma or beta, or
    else a ``magnitude``. A tensor under a parametrization is what it was without.
    """
    found: dict[int, str] = {}
    modules = dict(model.named_modules(remove_duplicate=False))
    for path, module in modules.items():
        for name, p in module.named_parameters(recurse=False):
            kind = _kind(modules, path, name)
            known = found.get(id(p), kind)
            found[id(p)] = min(kind, known, key=KINDS.index)
    return {name: found[id(p)] for name, p in model.named_parameters()}


def _kind(modules: dict[str, nn.Module], path: str, name: str) -> str:
    own = dict(modules[path].named_parameters(recurse=False))
    owner, owner_name = _owner(modules, path, name)
    words = set(_words(owner_name))
    if isinstance(owner, _NORMS):
        return "norm"
    if words & {"bias", "biases"}:
        return "bias"
    if "weight" in words and isinstance(owner, nn.Embedding | nn.EmbeddingBag):
        return "embedding"
    if "weight" in words and isinstance(owner, _WEIGHTED):
        return "magnitude" if _is_magnitude(own, name) else "weight"
    called = type(owner).__name__
    if _NORM_NAME.search(called) and not _OTHER_NAME.search(called):
        return "norm"
    if own[name].ndim <= 1:
        return "vector"
    if words & {"embed", "embedding", "embeddings", "token"}:
        return "embedding"
    if _axes(own[name]) > 1:
        return "weight"
    return "norm" if words & {"gamma", "beta"} else "magnitude"


def _is_magnitude(own: dict[str, nn.Parameter], name: str) -> bool:
    """Say whether a part of a weight is its length, as the weight norms of torch call it."""
    direction = "original1" if name == "original0" else f"{name.removesuffix('_g')}_v"
    return direction in own and _axes(own[name]) <= 1


def _axes(p: nn.Parameter) -> int:
    """Return how many axes are longer than 1."""
    return sum(length > 1 for length in p.shape)


def _owner(modules: dict[str, nn.Module], path: str, name: str) -> tuple[nn.Module, str]:
    """Return the module that a parameter means something to, and its name there."""
    parent, _, last = path.rpartition(".")
    if parent == "parametrizations" or parent.endswith(".parametrizations"):
        if name.startswith("original"):
            return modules[parent.removesuffix("parametrizations").rstrip(".")], last
    elif isinstance(modules[path], _LISTS) and path:
        return modules[parent], f"{last}_{name}"
    return modules[path], name


def _words(name: str) -> Iterator[str]:
    """Yield the words of an identifier, in lower case."""
    return (word.lower() for word in re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])", name) if word)
