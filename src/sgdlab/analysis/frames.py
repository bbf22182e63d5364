# pyright: reportMissingTypeStubs=false
"""Rows as a table: `frame`."""

from collections.abc import Sequence
from typing import Any

import pandas as pd


def frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a table with exactly ``columns``; counts stay integers beside gaps."""
    # NaN alone differs from itself.
    cells = [[None if (cell := row.get(c)) != cell else cell for c in columns] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(columns), dtype=object)
