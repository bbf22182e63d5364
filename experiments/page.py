"""The page docs/results.md, from the experiments and what was recorded of them."""

from experiment import HERE, RECORDS, Experiment, Seen, experiments, read, read_records

PAGE = HERE.parent / "docs" / "results.md"

HEAD = """# Results that can be checked

Findings of the literature, looked for with this program at a size that takes minutes of CPU. Each
is looked for by one command, which makes the runs that are not there yet, prints each figure with
the 95 % t interval of its mean over seeds, and says whether it is within its tolerance
of what stands here (exit code 1 where it is not):

```sh
python experiments/run.py edge_of_stability
python experiments/run.py edge_of_stability --larger   # for a GPU, where one is given
```

The settings are in `experiments/NAME.yaml`, the arithmetic in `experiments/measures.py`; the runs
are ordinary ones, which `sgdlab report` and `sgdlab diagnose` read. **Seen**: the whole interval
lies in the range that the finding implies. **Not seen**: none of it does. **Undecided**: an end of
the range lies in the interval. The ranges are ours, from what the source says, and concern small
models on small data, not those of the source; settings of the runs were tried out before, so that
"seen" is an example and no independent test. Rates are chosen by the mean over the seeds that are
shown.

{table}
"""

FOOT = """
Not looked for yet: the speed-up of Muon and SOAP over a tuned AdamW (Wen et al. 2025).

This page is written by `python experiments/run.py --page`; a test holds that it is what the
experiments and their records give, and the slow tests run those that take under a minute.
"""


def page() -> str:
    """Return the page."""
    found = [(read(name), read_records(name)) for name in experiments()]
    shown = [(experiment, records) for experiment, records in found if records]
    shown.sort(key=lambda pair: pair[0].order)
    head = HEAD.format(table="\n".join(_overview(shown)))
    return "\n".join([head, *(_section(*each) for each in shown)]) + FOOT


def _overview(shown: list[tuple[Experiment, dict[str, Seen]]]) -> list[str]:
    rows = ["| finding | seen | source | min of CPU |", "|---|---|---|---|"]
    for experiment, records in shown:
        verdicts = [seen.verdict for seen in records.values()]
        counts = ", ".join(
            f"{verdicts.count(kind)} {kind}"
            for kind in ("seen", "undecided", "not seen")
            if kind in verdicts
        )
        rows.append(
            f"| [{experiment.title}](#{experiment.name}) | {counts} | "
            f"{experiment.source} | {experiment.minutes:g} |"
        )
    return rows


def _section(experiment: Experiment, records: dict[str, Seen]) -> str:
    rows = "\n".join(
        f"| {seen.figure.says} | {seen.verdict} | {seen.figure.claimed} | {_interval(seen)} |"
        for seen in records.values()
    )
    picture = RECORDS / f"{experiment.name}.svg"
    return f"""<a id="{experiment.name}"></a>

## {experiment.title}

{experiment.source}.
`python experiments/run.py {experiment.name}`: about {experiment.minutes:g} min of CPU.

| figure | verdict | finding | mean [95 % interval over {_seeds(records)} seeds] |
|---|---|---|---|
{rows}

{experiment.remark.strip()}

![{experiment.picture["alt"]}](results/{picture.name})
"""


def _interval(seen: Seen) -> str:
    return f"{seen.mean:.3g} [{seen.low:.3g}, {seen.high:.3g}]"


def _seeds(records: dict[str, Seen]) -> str:
    return " or ".join(map(str, sorted({seen.seeds for seen in records.values()})))
