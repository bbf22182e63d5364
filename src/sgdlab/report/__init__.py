"""Markdown and HTML pages from analysis; no torch."""
