"""Search spaces, and the trials that a search proposes. No torch."""

from sgdlab.search.choose import METHODS, Search, search_of
from sgdlab.search.draw import Settings
from sgdlab.search.space import Dimension, Space, Value, space_of

__all__ = [
    "METHODS",
    "Dimension",
    "Search",
    "Settings",
    "Space",
    "Value",
    "search_of",
    "space_of",
]
