"""Statistics and tables from finished runs: pandas in, pandas out, no torch."""

from sgdlab.analysis.study import Analysis, Result, analyse

__all__ = ["Analysis", "Result", "analyse"]
