"""Import of torchvision beside a torch that it was not built for."""

from types import ModuleType

import torch

_MISSING = "operator torchvision::"
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> ModuleType:
    """Import torchvision's datasets, also where its compiled operators cannot be loaded.

    A torchvision built for CUDA beside a torch built for CPU (the default wheels of the two
    indices mix so) cannot load its operators, skips them in silence, and then fails at import
    because it describes two of them, ``nms`` and ``qnms``, that nobody declared. Here they are
    declared without an implementation, and only after that very failure: an operator that is
    called still fails, and one that exists is left alone. Reading datasets needs neither.

    Returns:
        ``torchvision.datasets``.
    """
    try:
        import torchvision.datasets
    except RuntimeError as error:
        if _MISSING not in str(error):
            raise
        for operator in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, operator):
                torch.library.define(f"torchvision::{operator}", _SCHEMA)
        import torchvision.datasets
    return torchvision.datasets
