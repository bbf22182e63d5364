"""Metrics, by which runs are judged besides their loss; one is chosen for a run.

``metric=auto`` follows the task. A metric of your own is named by a ``_target_``: a function of
outputs and targets, or an object of torchmetrics.
"""
