"""Markdown and HTML pages with figures, from analysis; no torch."""

from sgdlab.report.build import Report, build

__all__ = ["Report", "build"]
