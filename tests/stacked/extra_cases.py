"""Runs of the optimizers of pytorch-optimizer that have a rule, for `test_rules`."""

from importlib.util import find_spec

from rule_runs import Run


def extra_cases() -> dict[str, list[Run]]:
    """Return five runs of each; none where the package is missing."""
    if find_spec("pytorch_optimizer") is None:
        return {}
    from pytorch_optimizer import (
        AdaBelief,
        Adan,
        AdEMAMix,
        DiffGrad,
        LaProp,
        NovoGrad,
        QHAdam,
        Tiger,
        Yogi,
    )  # fmt: skip

    coupled = {"weight_decay": 0.1, "weight_decouple": False}
    apart = {"weight_decay": 0.3, "weight_decouple": True}
    return {
        "adabelief": _adams(AdaBelief, coupled, apart, {"eps": 1e-8}),
        "yogi": _adams(Yogi, coupled, apart, {"initial_accumulator": 0.1}),
        "diffgrad": _adams(DiffGrad, coupled, apart, {"eps": 1e-3}),
        "qhadam": _adams(QHAdam, coupled, apart, {"nus": (0.5, 0.9)}),
        "laprop": _adams(LaProp, coupled, apart, {"eps": 1e-3}),
        "novograd": _adams(NovoGrad, coupled, apart, {"grad_averaging": True}),
        "ademamix": [
            Run(AdEMAMix, {"lr": 0.01}),
            Run(AdEMAMix, {"lr": 0.01, **coupled, "betas": (0.8, 0.9, 0.99)}),
            Run(AdEMAMix, {"lr": 0.01, **apart}),
            Run(AdEMAMix, {"lr": 0.005, "alpha": 1.0}),
            Run(AdEMAMix, {"lr": 0.01, "eps": 1e-2}),
        ],
        "adan": [
            Run(Adan, {"lr": 0.01}),
            Run(Adan, {"lr": 0.01, **coupled, "betas": (0.8, 0.9, 0.99)}),
            Run(Adan, {"lr": 0.01, **apart}),
            Run(Adan, {"lr": 0.005, "betas": (0.9, 0.5, 0.9)}),
            Run(Adan, {"lr": 0.01, "eps": 1e-2}),
        ],
        "tiger": [
            Run(Tiger, {"lr": 0.01, "weight_decay": 0.0}),
            Run(Tiger, {"lr": 0.02, **coupled, "beta": 0.8}),
            Run(Tiger, {"lr": 0.01, **apart}),
            Run(Tiger, {"lr": 0.005, "beta": 0.5}),
            Run(Tiger, {"lr": 0.01, "beta": 0.0}),
        ],
    }


def _adams(make, coupled, apart, own) -> list[Run]:
    return [
        Run(make, {"lr": 0.01}),
        Run(make, {"lr": 0.02, "betas": (0.8, 0.99), **coupled}),
        Run(make, {"lr": 0.01, **apart}),
        Run(make, {"lr": 0.003, **own}),
        Run(make, {"lr": 0.01, "betas": (0.5, 0.9), **own}),
    ]
