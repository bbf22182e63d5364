"""Statistics and tables from finished runs: pandas in, pandas out, no torch."""

from sgdlab.analysis.result import Result
from sgdlab.analysis.study import Analysis, analyse

__all__ = ["Analysis", "Result", "analyse"]
