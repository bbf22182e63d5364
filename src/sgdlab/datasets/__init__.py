"""Datasets, one per file.

A dataset's function loads all examples; `sgdlab.datasets.split.prepare` splits and standardises
them. A user's own function may return ``(x, y)`` as NumPy arrays, pandas objects or tensors. Test
problems return `Examples` with a `Problem`, a function whose minimum is known.
"""

from sgdlab.datasets.base import Dataset, Examples, Split
from sgdlab.datasets.problem import Problem

__all__ = ["Dataset", "Examples", "Problem", "Split"]
