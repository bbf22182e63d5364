"""Datasets, one per file.

A dataset's function loads all examples; `sgdlab.datasets.split.prepare` splits and standardises
them. A user's own function may return ``(x, y)`` as NumPy arrays, pandas objects or tensors.
"""

from sgdlab.datasets.base import Dataset, Examples, Split

__all__ = ["Dataset", "Examples", "Split"]
