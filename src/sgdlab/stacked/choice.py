"""In which form a model and its loss are stacked: written out where that is known."""

from typing import Any

import torch
from torch import nn

from sgdlab.datasets.base import Dataset
from sgdlab.stacked import refusals, structure
from sgdlab.stacked.form import ModelForm
from sgdlab.stacked.general.loss import GeneralLoss
from sgdlab.stacked.general.model import GeneralModel
from sgdlab.stacked.losses import StackedLoss, stacked_loss
from sgdlab.stacked.model import StackedModel
from sgdlab.stacked.rules.base import Rule
from sgdlab.training.build import Run, device_of
from sgdlab.training.build_loss import criterion_of


def form_of(model: nn.Module, data: Dataset, dtype: torch.dtype) -> type[ModelForm] | str:
    """Return the form of a model, or why it has none, in words."""
    if reason := refusals.of_data(data):
        return reason
    kind: type[ModelForm] = StackedModel
    if data.task == "language" or structure.refusal(model) is not None:
        kind = GeneralModel
        if reason := GeneralModel.refusal(model):
            return reason
    return refusals.of_forward(model, data, dtype) or kind


def averages_refusal(run: Run, kind: type[ModelForm], rule: Rule) -> str | None:
    """Return why the averages of a run, or of its optimizer, cannot be evaluated in a stack."""
    norms = (nn.modules.batchnorm._NormBase, nn.SyncBatchNorm)
    normalises = any(isinstance(m, norms) and m.track_running_stats for m in run.model.modules())
    if kind.written_out or not normalises or not (run.averager or rule.averages):
        return None
    return "the batch statistics of averaged weights are not made anew in this form"


def loss_of(run: Run, kind: type[ModelForm]) -> StackedLoss | str:
    """Return the stacked form of the loss of a run, or why there is none, in words.

    Args:
        run: The run, on CPU.
        kind: The form of its model.
    """
    criterion, data = run.objective.loss, run.data
    known: Any = None
    if kind.written_out:
        known = stacked_loss(criterion.loss, data.task == "classification")
    if known is not None:
        return known
    if reason := GeneralLoss.refusal(criterion):
        return reason
    device = device_of(run.config)
    return GeneralLoss(
        criterion if device == run.device else criterion_of(run.config, data, device)
    )
