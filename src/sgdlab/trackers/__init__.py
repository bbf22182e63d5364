"""Sends runs to TensorBoard, MLflow, W&B and Trackio, beside the CSVs and from them.

One process per tracker follows the files that runs write (`sgdlab.trackers.follow`), so that every
engine is covered by one place, and a tracker that fails, hangs or is killed takes nothing along.
"""

from sgdlab.trackers.process import following, send
from sgdlab.trackers.settings import Logger, checked, of_option, with_pictures

__all__ = ["Logger", "checked", "following", "of_option", "send", "with_pictures"]
