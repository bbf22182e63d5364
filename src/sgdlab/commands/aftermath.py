"""What ``sgdlab train`` says besides a run's result: early warnings, and findings at its end."""

from pathlib import Path

from omegaconf import DictConfig
from rich.markup import escape

from sgdlab.build import plan_of, total_steps
from sgdlab.diagnosis import EarlyWatch, findings_of
from sgdlab.display import stdout
from sgdlab.errors import reason_of
from sgdlab.notices import warn


def early_watch(config: DictConfig) -> EarlyWatch:
    """Return what looks at the steps of a settled config's run as they are made."""
    plan = plan_of(config)
    # A schedule of the user's own need not have a warm-up.
    epochs = config.schedule.get("warmup_epochs") or 0
    warmup = config.schedule.get("warmup_steps") or int(epochs * plan.steps_per_epoch)
    return EarlyWatch(total_steps(config, plan), plan.steps_per_epoch, warmup)


def print_findings(directory: Path, shown: str) -> None:
    """Print the first finding of a run that has ended, and how many more there are.

    Args:
        directory: Of the run.
        shown: Its name for people.
    """
    try:
        found = findings_of(directory)
        alarms = [f for f in found if f.is_alarm or f.symptom == "above_critical_batch"]
    except Exception as error:  # the run itself is finished and written
        warn(f"no diagnosis: {reason_of(error)}")
        return
    console = stdout()
    if not alarms:
        console.print("diagnosis             no symptom found", highlight=False)
        return
    first, *others = alarms
    more = f" and {len(others)} more" if others else ""
    style = "red" if first.severity == "problem" else "yellow"
    line = f"diagnosis             [{style}]{escape(first.title)}[/]{more}: sgdlab diagnose "
    console.print(f"{line}{escape(shown)}", soft_wrap=True, highlight=False)
    action = f"try                   {first.action}"
    console.print(action, soft_wrap=True, highlight=False, markup=False)
