"""Runs of others as runs: tables, text logs and event files, by columns that are named or told."""

from sgdlab.analysis.logs.read import LoggedRuns, LogOptions, read_logs

__all__ = ["LogOptions", "LoggedRuns", "read_logs"]
