"""Weights & Biases runs, offline: files in a folder that ``wandb sync`` may send later, or never.

Nothing is sent from here: the mode is offline, error reports, machine facts, git and code capture
are off, and every folder that the library keeps is inside the one that was named.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmreview.domain.errors import MmreviewError, WriteFailed
from mmreview.domain.versions import Version
from mmreview.formats.training_log import Story, version_scalars

_PROJECT = "mmreview"


class WandbLog:
    """``TrainingLog`` into a folder: a run for each version.

    Raises:
        MmreviewError: ``error.wandb_missing`` where the extra is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("wandb") is None:
            raise MmreviewError("error.wandb_missing")
        self._folder = folder

    def write(self, story: Story, version: Version, card: Mapping[str, Any]) -> None:
        """Write one round."""
        folder = self._folder.absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteFailed(detail=str(error)) from error
        with _offline(folder):
            import wandb

            run = wandb.init(
                project=_PROJECT,
                name=f"version {version.id}",
                mode="offline",
                dir=str(folder),
                config={"version": version.id, "fusion": version.fusion, "sha256": version.sha256},
                settings=wandb.Settings(
                    silent=True, console="off", save_code=False, disable_code=True,
                    disable_git=True, x_disable_meta=True, x_disable_stats=True,
                    x_disable_machine_info=True, host="", username="", root_dir=str(folder),
                ),
            )
            for iteration, loss, held_out in story.losses:
                values = {"loss/training": loss, "loss/held_out": held_out}
                run.log({n: v for n, v in values.items() if v is not None}, step=iteration)
            run.summary.update(version_scalars(version, card))
            run.finish()
            wandb.teardown()  # its service ends now, not with the program


@contextmanager
def _offline(folder: Path) -> Iterator[None]:
    """The library reads its environment when it is imported and when its service starts."""
    wished = {
        "WANDB_MODE": "offline",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "WANDB_DIR": str(folder),
        **{f"WANDB_{name}_DIR": str(folder / "library" / name.lower())
           for name in ("CACHE", "CONFIG", "DATA", "ARTIFACT")},
    }
    before = {name: os.environ.get(name) for name in wished}
    os.environ.update(wished)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
