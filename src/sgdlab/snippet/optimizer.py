"""Source of ``parameter_groups`` and ``make_optimizer``."""

import ast
from collections.abc import Mapping
from typing import Any

from sgdlab.errors import InputError
from sgdlab.optimizers.traits import traits_of
from sgdlab.snippet.source import Part, inlined, methods
from sgdlab.snippet.values import call, literal, member, prose, section, settings, target

# How torch computes, not what: at these values its own default.
_COMPUTATION = {
    "foreach": None,
    "fused": None,
    "capturable": False,
    "differentiable": False,
    "maximize": False,
}
_ONE_GROUP = '''\
def parameter_groups(model: torch.nn.Module) -> list[dict[str, Any]]:
    """Return the trainable parameters in one group{0}."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    return [{{"params": sorted(trainable, key=lambda p: p.ndim <= 1)}}]'''
_TWO_GROUPS = '''\
def parameter_groups(model: torch.nn.Module) -> list[dict[str, Any]]:
    """Return the trainable parameters: matrices with decay, biases and norms without."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    decayed = {"params": [p for p in trainable if p.ndim > 1]}
    exempt = {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0}
    return [group for group in (decayed, exempt) if group["params"]]'''
_BY_PATTERN = '''\
def parameter_groups(model: torch.nn.Module) -> list[dict[str, Any]]:
    """Return the trainable parameters by the factors that their names have."""
    return groups_by_factor(
        model,
        weight_decay={0},
        bias_and_norm={1},
        embeddings={2},
        decay_multipliers=DECAY_MULTIPLIERS,
        lr_multipliers=LR_MULTIPLIERS,{3}
    )'''
_ROLES = """
        roles=roles_given(model{0}),  # {1}"""
_LAST = "name the output layer here if another was registered last"
_TIED = "the output layer is the embedding"
_SCALED = """\
    # Built at the unscaled rate, as in the run: some rules keep what they are built with."""
_SET_LR = """\
    for group in optimizer.param_groups:
        group["lr"] = LR * group.get("lr_multiplier", 1.0)"""
_PROJECT = """\
    project = getattr(model, "project_", None) if getattr(model, "constrained", True) else None
    if project is not None:  # back onto the set that the model is constrained to
        optimizer.register_step_post_hook(torch.no_grad()(lambda *_: project()))"""


def optimizer_part(config: Mapping[str, Any], lr: float) -> Part:
    """Return the definitions of the optimizer.

    Args:
        config: The config of a run.
        lr: The learning rate before scheduling, scaled.

    Raises:
        InputError: The optimizer cannot be written as source.
    """
    module, name = target(config, "optimizer")
    given = settings(config, "optimizer")
    part = Part("", {("torch", None), ("typing", "Any")})
    texts: list[str] = []
    own = module.split(".")[0] == "sgdlab"
    if own:
        rule = inlined([(module, name)])
        part.imports |= rule.imports
        texts.append(rule.text)
    else:
        part.imports.add((module, None))
    mode = section(config, "decay").get("mode")
    if mode is not None:
        hook = inlined([("sgdlab.optimizers.decay", "use_decay_mode")])
        part.imports |= hook.imports
        texts.append(hook.text)
    texts += _groups(config, part)
    texts.append(_make(config, name if own else f"{module}.{name}", given, lr))
    part.text = "\n\n\n".join(texts)
    return part


def _groups(config: Mapping[str, Any], part: Part) -> list[str]:
    """Return the definitions of ``parameter_groups``."""
    if config.get("parametrization", "standard") != "standard":
        raise InputError(
            f"parametrization={config['parametrization']}: its factors on the learning rate belong "
            "to the model, and a snippet knows no model"
        )
    decay, rates = section(config, "decay"), section(config, "lr_multipliers")
    bias_and_norm = bool(decay.get("bias_and_norm", False))
    weight_decay = section(config, "optimizer").get("weight_decay")
    factors = section(decay, "multipliers")
    embeddings = bool(decay.get("embeddings", True))
    roles = bool(traits_of(section(config, "optimizer")).roles)
    if not factors and not rates and not roles and embeddings and _is_of_ours(config):
        if weight_decay is None:
            return [_ONE_GROUP.format("; this optimizer has no weight decay")]
        return [_ONE_GROUP.format(", all with decay") if bias_and_norm else _TWO_GROUPS]
    wanted = [("sgdlab.optimizers.groups", "parameter_groups")]
    if roles:
        wanted.append(("sgdlab.optimizers.roles", "roles_given"))
    general = inlined(
        wanted,
        renamed={"parameter_groups": "groups_by_factor"},
        keep_refusals=True,
    )
    part.imports |= general.imports
    constants = f"{_table('DECAY_MULTIPLIERS', factors)}\n{_table('LR_MULTIPLIERS', rates)}"
    of_roles = _roles(config) if roles else ""
    shown = literal(weight_decay), bias_and_norm, embeddings, of_roles
    by_pattern = _BY_PATTERN.format(*shown)
    return [general.text, f"{constants}\n\n\n{by_pattern}"]


def _roles(config: Mapping[str, Any]) -> str:
    """Return the argument ``roles``, by the layer that the model was seen to put out with."""
    model = section(config, "model")
    tied = model and target(config, "model") == ("sgdlab.models.gpt", "GPT") and model.get("tied")
    return _ROLES.format(', {"embedding.weight"}', _TIED) if tied else _ROLES.format("", _LAST)


def _is_of_ours(config: Mapping[str, Any]) -> bool:
    """Say whether the run's model has weights with more than one axis, and no others with them."""
    model = section(config, "model")
    return not model or target(config, "model")[0].startswith("sgdlab.")


def _table(name: str, factors: Mapping[str, Any]) -> str:
    rows = "".join(f"    {literal(str(key))}: {literal(v)},\n" for key, v in factors.items())
    return f"{name} = {{\n{rows}}}" if rows else f"{name} = {{}}"


def _make(config: Mapping[str, Any], name: str, given: Mapping[str, Any], lr: float) -> str:
    shown = prose(member(config, "optimizer"))
    lines = [
        "def make_optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:",
        f'    """Return {shown} over the trainable parameters of ``model``."""',
        call(name, ["parameter_groups(model)", *_arguments(name, given, lr)], 4, "optimizer = "),
    ]
    if given.get("lr", lr) != lr:
        lines.append(_SCALED)
    if given.get("lr") != lr or section(config, "lr_multipliers"):
        lines.append(_SET_LR)
    mode = section(config, "decay").get("mode")
    if mode is not None:
        lines.append(f"    use_decay_mode(optimizer, {literal(mode)}, LR, {literal(shown)})")
    if _may_project(config):
        lines.append(_PROJECT)
    return "\n".join([*lines, "    return optimizer"])


def _may_project(config: Mapping[str, Any]) -> bool:
    """Say whether the run's model may constrain its weights: a test problem, or one of its own."""
    if not section(config, "model"):
        return False
    module = target(config, "model")[0]
    package = module.split(".")[0]
    return module == "sgdlab.models.problem" or package not in ("sgdlab", "torch", "torchvision")


def _arguments(name: str, given: Mapping[str, Any], lr: float) -> list[str]:
    ignored = _COMPUTATION if name.startswith("torch.optim.") else {}
    arguments: list[str] = []
    for key, value in given.items():
        if key in ignored and value is ignored[key]:
            continue
        shown = literal(tuple(value) if isinstance(value, list) else value)
        arguments.append(f"{key}={'LR' if key == 'lr' and value == lr else shown}")
    return arguments


def needs_closure(config: Mapping[str, Any]) -> bool:
    """Say whether the optimizer's step takes a closure that it calls as often as it likes."""
    return bool(traits_of(section(config, "optimizer")).takes_closure)


def takes_values(config: Mapping[str, Any]) -> bool:
    """Say whether the closure is asked for the loss alone, ``closure(gradient=False)``."""
    module, name = target(config, "optimizer")
    if module.split(".")[0] != "sgdlab":
        return False
    step = methods(module, name).get("step")
    return step is not None and any(
        isinstance(n, ast.keyword) and n.arg == "gradient" for n in ast.walk(step)
    )


def evaluates_average(config: Mapping[str, Any]) -> bool:
    """Say whether the optimizer evaluates other weights than it trains, by ``eval()``."""
    return bool(traits_of(section(config, "optimizer")).averages_itself)


def is_unknown(config: Mapping[str, Any]) -> bool:
    """Say whether nobody has told how the optimizer's step is called."""
    traits = traits_of(section(config, "optimizer"))
    return traits.takes_closure is None or traits.averages_itself is None
