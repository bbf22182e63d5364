# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportAttributeAccessIssue=false
"""TensorBoard's event files: a folder per study, in it one per run, and one for its report."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sgdlab.errors import InputError
from sgdlab.trackers.base import Ending, Record, StepPoint, TrackedRun
from sgdlab.trackers.settings import require_folder

# Hidden, so that who reads all tables in a folder does not take it for one.
_EVENTS, _RECORD = "events.out.tfevents.sgdlab", ".sgdlab.json"


class TensorBoard:
    """Writes event files, as ``tensorboard --logdir`` shows them.

    Every number is a scalar of its step; the config is a text and, with the results, a session of
    the hyperparameter page; pictures of a report are images.

    Args:
        directory: The folder for all studies.
        every: Steps between those that are sent of ``steps.csv``; evaluations are all sent.
    """

    extra, package, most_open = "tensorboard", "tensorboard", 1_000_000
    pictures = (".png",)

    def __init__(self, directory: str, every: int = 1) -> None:
        self._root, self.every = Path(str(directory)), every

    def check(self) -> str:
        """Return the folder.

        Raises:
            InputError: It cannot be written.
        """
        require_folder("logger.tensorboard.directory", self._root)
        return str(self._root)

    def open(self) -> None:
        """Import TensorBoard, and make the folder."""
        import tensorboard.compat.proto.event_pb2 as _  # noqa: F401

        self._root.mkdir(parents=True, exist_ok=True)

    def sink(self, run: TrackedRun) -> "EventFolder":
        """Return the folder of a run: that with its name, if it is not of another one."""
        folder = self._root / run.group / run.name
        if _read(folder).get("identity", run.identity) != run.identity:
            folder = folder.with_name(f"{folder.name}-{run.identity[:6]}")
        return EventFolder(folder, run)

    def study(self, run: TrackedRun, files: Sequence[Path]) -> None:
        """Write the pictures of a study's report as images."""
        shown = [file for file in files if file.suffix in self.pictures]
        folder = self._root / run.group / "report"
        if shown:
            _write_whole(folder / _EVENTS, [_head(0.0), *map(_picture, shown)])

    def close(self) -> None:
        """Nothing is open."""


class EventFolder:
    """The event file of a run, and beside it how much of the run is in it.

    A process that was killed may have left more in the event file than was told of: that is cut
    off first.
    """

    def __init__(self, folder: Path, run: TrackedRun) -> None:
        self._folder, self._run = folder, run
        self._told = _read(folder)
        if self._told.get("identity") != run.identity or not (folder / _EVENTS).is_file():
            self._told = {}

    def record(self) -> Record:
        """Return how much of the run is in the event file."""
        return dict(self._told.get("record", {}))

    def reset(self) -> None:
        """Begin the event file anew."""
        self._told = {}

    def send(self, points: Sequence[StepPoint], record: Record) -> None:
        """Append scalars."""
        self._append([_scalars(p.step, p.time, p.values) for p in points], record)

    def end(self, ending: Ending, record: Record) -> None:
        """Append the results, the session of the hyperparameter page and pictures."""
        results = {f"summary/{name}": value for name, value in ending.results.items()}
        shown = [path for path in ending.pictures if path.suffix == ".png"]
        self._append(
            [
                _scalars(ending.step, ending.time, results),
                *_session(self._run, ending),
                *map(_picture, shown),
            ],
            record,
        )

    def close(self) -> None:
        """Nothing is open."""

    def _append(self, events: Sequence[Any], record: Record) -> None:
        path = self._folder / _EVENTS
        if not self._told:
            _write_whole(path, [_head(self._run.started), *_config(self._run)])
            self._tell({})
        with path.open("r+b") as file:
            file.truncate(self._told["bytes"])
            file.seek(0, os.SEEK_END)
            for event in events:
                file.write(_framed(event))
        self._tell(record)

    def _tell(self, record: Record) -> None:
        size = (self._folder / _EVENTS).stat().st_size
        self._told = {"identity": self._run.identity, "bytes": size, "record": record}
        part = self._folder / f"{_RECORD}.part"
        part.write_text(json.dumps(self._told), encoding="utf-8")
        part.replace(self._folder / _RECORD)


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_whole(path: Path, events: Sequence[Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(map(_framed, events)))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _framed(event: Any) -> bytes:
    """Return an event as a record of a TFRecord file: length, its CRC, content, its CRC."""
    import io

    from tensorboard.summary.writer.record_writer import RecordWriter

    out = io.BytesIO()
    RecordWriter(out).write(event.SerializeToString())
    return out.getvalue()


def _head(time: float) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=time, file_version="brain.Event:2")


def _scalars(step: int, time: float, values: Mapping[str, float]) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    own = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    return Event(wall_time=time, step=step, summary=Summary(value=own))


def _config(run: TrackedRun) -> Iterator[Any]:
    """Yield the config as a text that is a table."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.text.summary_v2 import text_pb

    rows = [f"| {key} | {value} |" for key, value in sorted({**run.tags, **run.settings}.items())]
    text = "\n".join(["| key | value |", "| --- | --- |", *rows])
    yield Event(wall_time=run.started, summary=text_pb("config", text))


def _session(run: TrackedRun, ending: Ending) -> Iterator[Any]:
    """Yield what the hyperparameter page shows of a run."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2, summary_v2

    settings = {k: v for k, v in {**run.tags, **run.settings}.items() if v is not None}
    start = summary_v2.hparams_pb(settings, run.identity, run.started)
    done = ending.status in ("completed", "stopped")
    status = api_pb2.STATUS_SUCCESS if done else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ending.time)
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata

    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=data.SerializeToString())
    value = Summary.Value(
        tag="_hparams_/session_end_info", metadata=SummaryMetadata(plugin_data=plugin)
    )
    yield Event(wall_time=ending.time, summary=start)
    yield Event(wall_time=ending.time, summary=Summary(value=[value]))


def _picture(path: Path) -> Any:
    from PIL import Image
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    with Image.open(path) as image:
        width, height = image.size
    content = Summary.Image(
        height=height, width=width, colorspace=4, encoded_image_string=path.read_bytes()
    )
    value = Summary.Value(tag=f"figures/{path.stem}", image=content)
    return Event(wall_time=path.stat().st_mtime, summary=Summary(value=[value]))
