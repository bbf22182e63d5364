"""The figures of one workload, with captions that say what is drawn."""

import re
from collections.abc import Mapping

from sgdlab.analysis import words
from sgdlab.analysis.curves import (
    MOST_LOST,
    PERCENTILES_FROM,
    Curve,
    Line,
    bin_width,
    binned_steps,
    curves,
    evaluations,
    seeds,
    to_seconds,
)
from sgdlab.analysis.load import Runs
from sgdlab.analysis.statistics import describe
from sgdlab.analysis.study import Result
from sgdlab.analysis.tables import by_seed
from sgdlab.analysis.targets import completed, validation
from sgdlab.analysis.verdicts import metric_name
from sgdlab.checks import is_number
from sgdlab.report.document import Image
from sgdlab.report.figures import lines, points
from sgdlab.report.figures import seeds as seeds_of
from sgdlab.report.figures.style import Look

STEPS, SECONDS = "steps", "training time (s)"


def slug(name: str) -> str:
    """Return a name as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "workload"


class _Figures:
    def __init__(self, runs: Runs, result: Result, looks: Mapping[str, Look], prefix: str) -> None:
        self.runs, self.result, self.looks, self.prefix = runs, result, looks, prefix
        self.entries = result.entries
        self.percent = result.workload.metric == "accuracy"
        self.unit = " (%)" if self.percent else ""
        self.width = bin_width(runs, self.entries)
        chosen = [row for entry in self.entries for row in entry.chosen]
        self.steps = binned_steps(runs, chosen, ("loss", "grad_norm"), self.width)

    def band(self) -> str:
        counts = seeds(self.runs, self.entries)
        if not counts:
            return f"No run completed.{self.lost()}"
        if max(counts) == 1:
            return f"One run each, no band.{self.lost()}"
        which = (
            "10th to 90th percentile" if min(counts) >= PERCENTILES_FROM else "smallest to largest"
        )
        low, high = min(counts), max(counts)
        n = words.count(high, "seed") if low == high else f"{low} to {high} seeds"
        text = f"Line: median of {n}; band: {which}."
        return text + self.lost()

    def clock(self, x: str) -> str:
        if x != SECONDS or not any(is_number(row["timing_runs"]) for row in self.result.rows):
            return ""
        return " Seconds of stacked runs are steps times the seconds per step measured alone."

    def lost(self) -> str:
        chosen = [row for entry in self.entries for row in entry.chosen]
        if len(completed(self.runs, chosen)) == len(chosen):
            return ""
        lost = len(chosen) - len(completed(self.runs, chosen))
        some = f", up to {MOST_LOST} of each optimizer" if lost > MOST_LOST else ""
        return f" Thin lines: runs that did not complete (× diverged, | others{some})."

    def loss(self) -> list[Image]:
        done = [row for e in self.entries for row in completed(self.runs, e.chosen)]
        by_eval = bool(done) and all(
            (table := validation(self.runs, row, "loss", "train")) is not None
            and len(table["step"]) >= 3
            for row in done
        )
        if by_eval:
            label = "training loss"
            how = "Loss over the whole training split at each evaluation."

            def at_steps(row: int) -> Line | None:
                return evaluations(self.runs, row, "loss", "train", "step")

            def at_seconds(row: int) -> Line | None:
                return evaluations(self.runs, row, "loss", "train", "train_seconds")
        else:
            label = "minibatch loss"
            how = f"Loss of the minibatches, mean over {words.count(self.width, 'step')}."

            def at_steps(row: int) -> Line | None:
                return self.steps["loss"].get(row)

            def at_seconds(row: int) -> Line | None:
                line = at_steps(row)
                return None if line is None else to_seconds(self.runs, row, line)

        both = (("loss-steps", STEPS, at_steps), ("loss-seconds", SECONDS, at_seconds))
        return [
            image
            for name, x, line in both
            if (
                image := self.image(
                    name,
                    lines.draw(self.curves(line), self.looks, x, label, log=True),
                    f"{label.capitalize()} against {_plain(x)}. {how}{self.clock(x)} {self.band()}",
                )
            )
        ]

    def metric(self) -> list[Image]:
        workload, target = self.result.workload, self.result.target.value
        images: list[Image | None] = []
        for name, x, column in (
            ("validation-steps", STEPS, "step"),
            ("validation-seconds", SECONDS, "train_seconds"),
        ):

            def line(row: int, column: str = column) -> Line | None:
                return evaluations(self.runs, row, workload.metric, "val", column)

            drawn = lines.draw(
                self.curves(line), self.looks, x, f"validation {workload.metric}{self.unit}",
                percent=self.percent, target=target,
            )  # fmt: skip
            caption = f"Validation {workload.metric} against {_plain(x)}.{self.clock(x)}"
            caption += f" {self.band()}"
            if target is not None:
                caption += f" Dashed: target, {words.metric(target, workload.metric)}."
            caption += " The first sixth may lie outside the frame."
            images.append(self.image(name, drawn, caption))
        return [image for image in images if image]

    def gradient(self) -> Image | None:
        drawn = lines.draw(
            self.curves(self.steps["grad_norm"].get),
            self.looks, STEPS, "gradient norm", log=True,
        )  # fmt: skip
        how = f"Global L2 norm before clipping, mean over {words.count(self.width, 'step')}."
        return self.image("gradient-norm", drawn, f"Gradient norm. {how} {self.band()}")

    def learning_rates(self) -> Image | None:
        workload = self.result.workload
        trials: list[points.Trials] = []
        for entry in self.entries:
            rows = entry.trials if entry.trials else [*entry.chosen, *entry.others]
            at = [
                (float(lr), self.runs.rows[row])
                for row in rows
                if is_number(lr := self.runs.rows[row]["base_lr"]) and lr > 0
            ]
            found = [(x, run["final_val_metric"]) for x, run in at if run["status"] == "completed"]
            kept = [(x, float(y)) for x, y in found if is_number(y)]
            lost = [x for x, run in at if run["status"] != "completed"]
            chosen = entry.settings.get("lr")
            best = float(chosen) if isinstance(chosen, int | float) else None
            trials.append(points.Trials(entry.optimizer, kept, lost, best))
        drawn = points.learning_rates(
            trials, self.looks, f"final validation {workload.metric}{self.unit}",
            workload.maximise, self.percent,
        )  # fmt: skip
        what = "tuning trials" if any(e.trials for e in self.entries) else "all runs"
        if points.many_rates(trials):
            line = f"The line is the median over a {points.LINE_BINS}th of the range of rates."
        else:
            line = "Where a rate was run more than once, the line is the median."
        return self.image(
            "learning-rate",
            drawn,
            f"Final validation {workload.metric} against learning rate, {what}. Triangles: the "
            f"learning rates compared; × at the edge: runs that did not complete. {line}",
        )

    def seeds(self) -> Image | None:
        name = metric_name(self.result.workload, self.result.column)
        samples: list[seeds_of.Sample] = []
        for entry in self.entries:
            values = by_seed(self.runs, entry, self.result.column)
            samples.append(
                seeds_of.Sample(entry.optimizer, values, describe(list(values.values())))
            )
        drawn = seeds_of.seeds(samples, self.looks, f"{name}{self.unit}", self.percent)
        title = f"{name[0].upper()}{name[1:]}"
        if seeds_of.crowd(samples):
            how = f"{title} of all seeds, as histograms of equal area"
        else:
            how = (
                f"{title} of every seed. Grey lines link the same seed of neighbours; equal values "
                "are stacked"
            )
        caption = f"{how}; diamond and bar: mean and its 95 % interval."
        return self.image("seeds", drawn, caption)

    def curves(self, line: object) -> list[Curve]:
        return curves(self.runs, self.entries, line)  # type: ignore[arg-type]

    def image(self, name: str, drawn: str | None, caption: str) -> Image | None:
        return None if drawn is None else Image(f"{self.prefix}-{name}", drawn, caption)


def _plain(label: str) -> str:
    return label.replace(" (s)", "")


def figures(runs: Runs, result: Result, looks: Mapping[str, Look], prefix: str) -> list[Image]:
    """Return the figures of a workload that have anything to show."""
    make = _Figures(runs, result, looks, prefix)
    seed_by_seed, rates, gradient = make.seeds(), make.learning_rates(), make.gradient()
    pairs = [*make.metric(), *make.loss()]
    # Pages have two columns: steps and seconds stay side by side.
    if (seed_by_seed is None) == (rates is None):
        found = [seed_by_seed, rates, *pairs, gradient]
    else:
        found = [seed_by_seed, rates, gradient, *pairs]
    return [image for image in found if image is not None]
