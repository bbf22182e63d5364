"""Reads what a run left, and names what is wrong with it. Imports neither torch nor Hydra."""

from sgdlab.diagnosis.early import EarlyWatch
from sgdlab.diagnosis.finding import Diagnosis, Finding, Picture
from sgdlab.diagnosis.judge import findings_of, judge
from sgdlab.diagnosis.reading import read_run
from sgdlab.diagnosis.run import RunRecord

__all__ = [
    "Diagnosis",
    "EarlyWatch",
    "Finding",
    "Picture",
    "RunRecord",
    "findings_of",
    "judge",
    "read_run",
]
