"""TensorBoard event files, by TensorBoard's own writer (an extra; no TensorFlow, no torch).

``DIR/version-00007`` holds the losses of that round over its iterations, ``DIR/versions`` what each
version is worth over the versions: ``tensorboard --logdir DIR`` shows both.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmreview.domain.errors import MmreviewError, WriteFailed
from mmreview.domain.versions import Version
from mmreview.formats.training_log import Story, version_scalars


class TensorBoardLog:
    """``TrainingLog`` into a folder.

    Raises:
        MmreviewError: ``error.tensorboard_missing`` where the extra is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise MmreviewError("error.tensorboard_missing")
        self._folder = folder

    def write(self, story: Story, version: Version, card: Mapping[str, Any]) -> None:
        """Write one round."""
        try:
            _write(self._folder / f"version-{version.id:05d}", story.scalars())
            worth = version_scalars(version, card).items()
            of_version = ((name, value, version.id) for name, value in worth)
            _write(self._folder / "versions", of_version)
        except OSError as error:
            raise WriteFailed(detail=str(error)) from error


def _write(folder: Path, scalars: Iterable[tuple[str, float, int]]) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    folder.mkdir(parents=True, exist_ok=True)
    writer = EventFileWriter(str(folder))
    try:
        for name, value, step in scalars:
            told = Summary(value=[Summary.Value(tag=name, simple_value=value)])
            writer.add_event(Event(wall_time=time.time(), step=step, summary=told))
    finally:
        writer.close()
