"""Reads what a run left, and names what is wrong with it. Imports neither torch nor Hydra."""

from sgdlab.diagnosis.early import EarlyWarnings
from sgdlab.diagnosis.finding import Diagnosis
from sgdlab.diagnosis.judge import judge
from sgdlab.diagnosis.reading import read_run
from sgdlab.diagnosis.run import RunRecord

__all__ = ["Diagnosis", "EarlyWarnings", "RunRecord", "judge", "read_run"]
