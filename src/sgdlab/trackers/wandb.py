# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportAttributeAccessIssue=false
"""Weights & Biases: a run each, grouped by study; offline unless asked, for ``wandb sync``."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sgdlab.checks import require_one_of
from sgdlab.trackers.base import UNCERTAIN, Ending, Record, StepPoint, TrackedRun
from sgdlab.trackers.settings import require_folder

_RECORD = ".sgdlab.json"


class Wandb:
    """Logs to W&B as a run of its own would.

    Offline, a run is a folder ``DIRECTORY/wandb/offline-run-*-ID``, whose id is made from the run's
    folder: what was synced before is the same run there. An offline run cannot be gone on with, so
    that one of which a part was sent is sent again as a whole, in place of the old folder.

    Args:
        directory: The folder in which ``wandb`` makes its own.
        mode: ``offline`` or ``online``.
        project: The project.
        entity: The user or team; None: that of the login.
        every: Steps between those that are sent of ``steps.csv``; evaluations are all sent.
    """

    extra, package, most_open = "wandb", "wandb", 4
    pictures = (".png",)

    def __init__(
        self,
        directory: str = ".",
        mode: str = "offline",
        project: str = "sgdlab",
        entity: str | None = None,
        every: int = 1,
    ) -> None:
        self._root, self._mode = Path(str(directory)), mode
        self._project, self._entity, self.every = project, entity, every

    def check(self) -> str:
        """Return the folder.

        Raises:
            InputError: It cannot be written, or the mode is none.
        """
        require_one_of("logger.wandb.mode", self._mode, ("offline", "online"))
        require_folder("logger.wandb.directory", self._root)
        return str(self._root / "wandb")

    def open(self) -> None:
        """Import W&B, told to say nothing and to ask nobody."""
        os.environ["WANDB_SILENT"] = "true"
        os.environ["WANDB_ERROR_REPORTING"] = "false"
        import wandb as _  # noqa: F401

        self._root.mkdir(parents=True, exist_ok=True)

    def sink(self, run: TrackedRun) -> "WandbRun":
        """Return the run in W&B that is that of a folder."""
        tags = [run.tags[key] for key in ("study", "phase") if key in run.tags]
        tags += [f"{key}={run.tags[key]}" for key in ("replicate",) if key in run.tags]
        about = {
            "id": run.identity, "name": run.name, "tags": [tag[:64] for tag in tags],
            "group": run.group[:128], "job_type": run.tags.get("phase", "train"),
            "config": {**run.tags, **run.settings, "directory": str(run.directory)},
        }  # fmt: skip
        return WandbRun(self._root, about, self._begin)

    def _begin(self, about: dict[str, Any]) -> Any:
        import wandb

        settings = wandb.Settings(
            console="off", disable_git=True, disable_code=True, x_disable_stats=True,
            x_disable_meta=True, init_timeout=30, save_code=False,
        )  # fmt: skip
        return wandb.init(
            project=self._project, entity=self._entity, dir=str(self._root), mode=self._mode,
            reinit="create_new", settings=settings,
            resume="allow" if self._mode == "online" else None, **about,
        )  # fmt: skip

    def study(self, run: TrackedRun, files: Sequence[Path]) -> None:
        """Log the page of a study's report and its pictures as a run of their own in its group."""
        import wandb

        about = {"id": f"report{run.study_identity}", "name": "report", "group": run.group[:128],
                 "job_type": "report", "tags": [run.study[:64]]}  # fmt: skip
        sink = WandbRun(self._root, about, self._begin)
        sink.reset()
        shown: dict[str, Any] = {
            f"figures/{path.stem}": wandb.Image(str(path))
            for path in files
            if path.suffix in self.pictures
        }
        shown |= {
            f.stem: wandb.Html(f.read_text(encoding="utf-8")) for f in files if f.suffix == ".html"
        }
        sink.log(shown, 0)
        sink.close()

    def close(self) -> None:
        """Nothing is open."""


class WandbRun:
    """A run in W&B."""

    def __init__(self, root: Path, about: dict[str, Any], begin: Any) -> None:
        self._root, self._about, self._begin_run = root, about, begin
        self._run: Any = None

    def record(self) -> Record:
        """Return what was sent, of a run that was sent as a whole."""
        for folder in self._folders():
            try:
                return json.loads((folder / _RECORD).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return UNCERTAIN
        return {}

    def reset(self) -> None:
        """Remove the folder of the run, of which a part was sent."""
        for folder in self._folders():
            shutil.rmtree(folder)

    def send(self, points: Sequence[StepPoint], record: Record) -> None:
        """Log the numbers of each step."""
        for point in points:
            self.log(point.values | {"_timestamp": point.time}, point.step)

    def log(self, values: dict[str, Any], step: int) -> None:
        """Log the values of a step."""
        if self._run is None:
            self.reset()
            self._run = self._begin_run(self._about)
        self._run.log(values, step=step)

    def end(self, ending: Ending, record: Record) -> None:
        """Log the results as the summary, and end the run; only then its folder is whole."""
        import wandb

        pictures = {path.stem: wandb.Image(str(path)) for path in ending.pictures
                    if path.suffix == ".png"}  # fmt: skip
        self.log({"_timestamp": ending.time, **pictures}, ending.step)
        told = {"status": ending.status, "reason": ending.reason}
        self._run.summary.update({f"summary/{k}": v for k, v in ending.results.items()} | told)
        done = ending.status in ("completed", "stopped")
        self._run.finish(exit_code=0 if done else 1)
        self._run = None
        for folder in self._folders():
            (folder / _RECORD).write_text(json.dumps(record), encoding="utf-8")

    def close(self) -> None:
        """Finish a run that has not ended; it is sent again when it has."""
        if self._run is not None:
            self._run.finish(exit_code=1)
        self._run = None

    def _folders(self) -> list[Path]:
        return sorted((self._root / "wandb").glob(f"*run-*-{self._about['id']}"))
