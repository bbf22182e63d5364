"""Layers of stacked models, one kind per file."""
