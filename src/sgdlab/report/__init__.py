"""Markdown and HTML pages with figures, from analysis; no torch."""

from sgdlab.report.build import Report, build, write
from sgdlab.report.show import show

__all__ = ["Report", "build", "show", "write"]
