"""The folder of a run: what both engines write into it, and when."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import torch

from sgdlab.config.schema import KEEP, REFUSE, RERUN, RunConfig
from sgdlab.errors import InputError
from sgdlab.results import (
    COMPLETED,
    ENDED,
    FAILED,
    BlockWriter,
    Cell,
    RunWriter,
    refuse_foreign,
    write_config,
    write_environment,
    write_error,
    write_summary,
)  # fmt: skip
from sgdlab.results.packed import is_there
from sgdlab.terminal.display import shown
from sgdlab.terminal.notices import warn
from sgdlab.training.aside import SET_ASIDE
from sgdlab.training.checkpoint_files import CHECKPOINT, CheckpointFiles, write_tensors
from sgdlab.training.damage import in_the_way, is_whole, whole_summary
from sgdlab.training.environment import environment
from sgdlab.training.evidence import Evidence, as_evidence, evidence_now, recorded_in

Engine = Literal["sequential", "stacked"]
_OTHER: dict[Engine, Engine] = {"sequential": "stacked", "stacked": "sequential"}


class RunFolder:
    """Head, checkpoint and end of one run; the rows between are those of its writer.

    Args:
        directory: The run directory; made when the run begins.
        run_id: The id of the run's config.
        engine: The engine that trains it; each goes on from its own checkpoints only.
    """

    def __init__(self, directory: Path, run_id: str, engine: Engine) -> None:
        self.directory, self.run_id = directory, run_id
        self.engine: Engine = engine
        self.evidence: Evidence | None = None
        """What the run is made from, once it is built: kept, and asked before it goes on."""
        self.ids = {"run_id": run_id}
        """By any of these its checkpoints are known."""
        self.writer: RunWriter | BlockWriter | None = None
        """What writes the rows between, once they are begun: it knows their sums."""
        self._checkpoints = CheckpointFiles(directory)
        self._environment: dict[str, Any] = {}
        self.begun = False
        """Whether it holds what a run opens with: from then on, what is raised fails the run."""

    def begin(
        self,
        config: RunConfig,
        device: torch.device,
        compiled: bool | None = None,
        anew: bool = True,
        data: Mapping[str, Any] | None = None,
        form: str | None = None,
    ) -> None:
        """Write ``config.yaml`` and ``environment.json``.

        Args:
            config: The config of the run.
            device: Where it trains.
            compiled: Whether compiled code trains it: the config says so, since the last bits
                depend on it.
            anew: Whether it starts at its first step: what an earlier start has saved belongs to
                rows that are overwritten.
            data: What ``environment.json`` says of the data.
            form: In a stack, how it computes a model; the last bits depend on it.

        Raises:
            InputError: Something that is no file has the place of one; nothing was written.
        """
        if (obstacle := in_the_way(self.directory)) is not None:
            raise InputError(obstacle)
        content = config.plain() | {"engine": self.engine}
        if self.engine == "stacked" and compiled is not None:
            content["stacked"] = vars(config.stacked) | {"compile": compiled}
        elif compiled:
            content["compile"] = True
        if anew:
            self._checkpoints.remove()
        for name in SET_ASIDE.values():
            (self.directory / name).unlink(missing_ok=True)
        write_config(self.directory, content)
        self._environment = environment(device, data) | ({"stacked_form": form} if form else {})
        self._write_environment()
        self.begun = True

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint atomically: a kill leaves the old one or the new one.

        All rows of the run up to here must be on disk already.
        """
        seen = {} if self.evidence is None else {"evidence": asdict(self.evidence.undisturbed())}
        tables = {} if self.writer is None else self.writer.sums()
        self._checkpoints.save({**self.ids, **seen, **state}, tables)

    def _write_environment(self) -> None:
        if self.evidence is not None:
            self._environment |= self.evidence.undisturbed().recorded()
        write_environment(self.directory, self._environment)

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write tensors and plain values to a file of the run, atomically."""
        write_tensors(self.directory / name, content)

    def load(self, stale: str = RERUN, any_engine: bool = False) -> dict[str, Any] | None:
        """Return the newest checkpoint that is whole; None when there is none of this run.

        Args:
            stale: What to do with one whose run saw other data, code, files or versions: those of
                the two parts of a run are never mixed unnoticed.
            any_engine: Whether one of the other engine counts, too.

        Raises:
            InputError: It did, and is to be refused.
        """
        state = self._checkpoints.load(lambda found: self._is_ours(found, any_engine))
        if state is None or self.evidence is None:
            return state
        seen = state.get("evidence")
        left = recorded_in(self.directory)
        before = left if seen is None else as_evidence(seen)
        if left.versions:  # it was built: what it has written itself before it failed is no change
            files = {name: old for name, old in before.files.items() if name in left.files}
            before = replace(before, files=files)
        changes = self.evidence.changes(before) + self.evidence.other_versions(before)
        where = f"{shown(self._checkpoints.newest)} is of a run with"
        if not changes or may_stay(f"{where} {', '.join(changes)}", stale, warn):
            return state
        return None

    def _is_ours(self, state: Mapping[str, Any], any_engine: bool) -> bool:
        if not any(state.get(name) == own for name, own in self.ids.items()):
            return False
        if not any_engine and ("slots" in state) != (self.engine == "stacked"):
            where = shown(self._checkpoints.newest)
            warn(f"{where} is of engine={_OTHER[self.engine]}: the run starts again")
            return False
        return True

    def fail(self, error: BaseException) -> None:
        """Write the traceback of what ends the run as failed to ``error.txt``."""
        write_error(self.directory, "".join(traceback.format_exception(error)))

    def end(self, summary: Mapping[str, Cell], keep_checkpoint: bool = False) -> None:
        """Write ``summary.csv``: the run has ended. A failed one may go on from its checkpoint.

        Args:
            summary: The summary.
            keep_checkpoint: Whether the checkpoint of the end stays.
        """
        if self.evidence is not None and self.evidence.undisturbed() != self.evidence:
            self._write_environment()
        # What a failure has left of a file is what stands there.
        failed = summary["status"] == FAILED
        known = {} if failed or self.writer is None else self.writer.sums()
        write_summary(self.directory, summary, known)
        if failed:
            return
        if keep_checkpoint:
            self._checkpoints.remove_previous()
        else:
            self._checkpoints.remove()


def finished(
    directory: Path, config: RunConfig, identity: str, say: Callable[[str], None] = warn
) -> dict[str, Cell] | None:
    """Return the summary of a run that need not run again.

    One that was made from other data, code or files than are there now runs again, as ``stale``
    says. Other versions of packages are told, and its results stay: they are results still.

    Args:
        directory: The run directory.
        config: The resolved config of the run.
        identity: Its id.
        say: Receives a line where something is other than it was.

    One with damaged files runs again, too.

    Raises:
        InputError: The directory holds another run, or what is none, or one that is stale and to be
            refused.
    """
    refuse_foreign(directory)
    summary = whole_summary(directory, say if config.resume else lambda _: None)
    if summary is None:
        return None
    if summary["run_id"] != identity:
        raise InputError(
            f"{directory} holds another run ({summary['run_id']}, this one is {identity}): "
            "choose another hydra.run.dir"
        )
    if not config.resume or summary["status"] not in ENDED:
        return None
    if not is_whole(directory, say):
        return None
    now, before = evidence_now(config), recorded_in(directory)
    changes, where = now.changes(before), f"{shown(directory)} finished with"
    if changes and not may_stay(f"{where} {', '.join(changes)}", config.stale, say):
        return None
    if not changes and (versions := now.other_versions(before)):
        say(f"{where} {', '.join(versions)}: its results stay; resume=false repeats it")
    for name, wanted in (("final.pt", config.save_final), (CHECKPOINT, config.checkpoint.final)):
        if wanted and summary["status"] == COMPLETED and not is_there(str(directory / name)):
            say(f"{shown(directory)} finished without {name}: resume=false makes one")
    return summary


def may_stay(what: str, stale: str, say: Callable[[str], None]) -> bool:
    """Say whether what is stale counts all the same, and tell a person.

    Args:
        what: What is stale, and why.
        stale: ``rerun``, ``refuse`` or ``keep``.
        say: Receives the line.

    Raises:
        InputError: It is to be refused.
    """
    if stale == REFUSE:
        raise InputError(f"{what}: stale=rerun makes it anew, stale=keep takes it as it is")
    if stale == KEEP:
        say(f"{what}: counts all the same (stale=keep)")
        return True
    say(f"{what}: made anew (stale=keep takes it as it is)")
    return False
