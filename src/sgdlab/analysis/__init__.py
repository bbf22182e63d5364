"""Statistics and tables from finished runs: pandas in, pandas out, no torch."""

from sgdlab.analysis.hypothesis import NO_HYPOTHESIS, Hypothesis
from sgdlab.analysis.result import Result
from sgdlab.analysis.study import Analysis, analyse, analyse_runs

__all__ = ["NO_HYPOTHESIS", "Analysis", "Hypothesis", "Result", "analyse", "analyse_runs"]
