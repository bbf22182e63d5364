# pyright: reportMissingTypeStubs=false
"""The table of claims to reach a fixed target."""

from dataclasses import asdict

import pandas as pd

from sgdlab.analysis import Analysis, Result, words
from sgdlab.analysis.statistics import UNDECIDED
from sgdlab.report.document import Table
from sgdlab.report.verdict.claimed import fine

CLAIM_COLUMNS = (
    "workload", "track", "name", "target", "n", "mean", "best", "sd", "ahead", "statistic", "p",
    "p_adjusted", "by_chance", "verdict", "note",
)  # fmt: skip
"""``claims.csv``: a row per claim to reach a fixed target.

Columns:
    workload: ``dataset/model``.
    target: The value of the metric that is claimed.
"""


def claims_table(analysis: Analysis) -> pd.DataFrame:
    """Return the content of ``claims.csv``; empty where no fixed target was asked about."""
    rows = [
        {
            "workload": result.workload.name,
            "track": result.track,
            "target": result.goal,
            **{k: None if v != v else v for k, v in asdict(claim).items()},
        }
        for result in analysis.results
        for claim in result.claims
    ]
    cells = [[row[column] for column in CLAIM_COLUMNS] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(CLAIM_COLUMNS), dtype=object)


def claims(result: Result) -> Table:
    """Return the claims of a workload as a table."""
    metric = result.workload.metric
    spread = "σ" if result.sigma is not None else "SD"
    by = "z" if result.sigma is not None else "t"
    columns = ["Claim", "Runs", "Mean", "Best", spread, by, "p", "Adjusted p", "Verdict"]
    rows: list[list[str]] = []
    strong: set[int] = set()
    for number, claim in enumerate(result.claims):
        if claim.verdict != UNDECIDED:
            strong.add(number)
        rows.append(
            [
                claim.name, str(claim.n), fine(claim.mean, claim, metric),
                fine(claim.best, claim, metric),
                words.difference(claim.sd, metric, unit=False).lstrip("+"),
                words.number(claim.statistic, 3), words.p_value(claim.p),
                words.p_value(claim.p_adjusted),
                claim.verdict + (f" ({claim.note})" if claim.note else ""),
            ]
        )  # fmt: skip
    ahead = "above" if result.workload.maximise else "below"
    caption = (
        f"Claims that the true mean of {result.metric_name} is {ahead} "
        f"{words.metric(result.goal, metric)}: one-sided, the adjusted p is Holm's over all claims"
    )
    attempts = result.workload.attempts
    caption += f" and corrected for {attempts:,} attempts." if attempts > 1 else "."
    numeric = frozenset(columns[1:8])
    return Table(columns, rows, caption, numeric=numeric, strong=frozenset(strong))
