"""One round of training as a walk over durable states, and what becomes of one that was cut off.

``Rounds.run`` goes snapshot → training → evaluating and hands the result to ``register``, whose one
transaction stores the version, its event and the round's end: all or nothing. No lock of the
database is held between the steps. A kill leaves a round that never ended and perhaps a folder that
no version owns; ``recover`` ends the one and removes the other when the project is next opened for
writing. The corrections are all there: what was lost is a computation that the next round repeats.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

from mmreview.domain.errors import (
    Cancelled,
    MmreviewError,
    VersionNotFound,
    WriteFailed,
    message_of,
)
from mmreview.domain.ports import (
    RoundStore,
    Trainer,
    TrainingRequest,
    TrainingResult,
    VersionStore,
)
from mmreview.domain.progress import TrainingStep
from mmreview.domain.rounds import Round, RoundState
from mmreview.domain.versions import Version

#: From this phase on a round measures what it has fitted.
_EVALUATES = "training.phase.measuring"


class RoundRunning(MmreviewError):
    """One round at a time: another one of this project runs."""

    code = "error.round_running"


class Rounds:
    """The rounds of one project, one at a time."""

    def __init__(
        self, *, rounds: RoundStore, versions: VersionStore, trainer: Trainer, folder: Path
    ) -> None:
        self._rounds = rounds
        self._versions = versions
        self._trainer = trainer
        self._folder = folder
        self._turn = threading.Lock()  # held while a round runs

    def run(
        self,
        wish: Round,
        *,
        snapshot: Callable[[], TrainingRequest],
        register: Callable[[TrainingRequest, TrainingResult], Version],
    ) -> Generator[TrainingStep, None, Version]:
        """Walk one round to its version. Closing the generator ends it as cancelled.

        Raises:
            RoundRunning: another round runs.
            WriteFailed: a step cannot be stored.
            Whatever ``snapshot``, the trainer or ``register`` raise; nothing of the round is left
            then but the word of how it ended.
        """
        if not self._turn.acquire(blocking=False):
            raise RoundRunning()
        try:
            yield TrainingStep("training.phase.snapshot", 0.0)
            begun = self._rounds.begin(wish)
            folder = self._folder / version_folder(begun.version or 0)
            try:
                request = snapshot()
                shutil.rmtree(folder, ignore_errors=True)
                self._rounds.advance(begun.id, RoundState.TRAINING)
                result = yield from self._trained(request, begun)
                yield TrainingStep("training.phase.saving", 1.0)
                return register(request, result)
            except BaseException as error:
                self._give_up(begun, folder, error)
                raise
        finally:
            self._turn.release()

    def _trained(
        self, request: TrainingRequest, begun: Round
    ) -> Generator[TrainingStep, None, TrainingResult]:
        """What the trainer does; that it has come to evaluating is stored on the way."""
        training = self._trainer.train(request)
        evaluating = False
        try:
            while True:
                try:
                    step = next(training)
                except StopIteration as done:
                    result: TrainingResult = done.value
                    return result
                if step.phase == _EVALUATES and not evaluating:
                    evaluating = True
                    self._rounds.advance(begun.id, RoundState.EVALUATING)
                yield step
        finally:
            training.close()

    def _give_up(self, begun: Round, folder: Path, error: BaseException) -> None:
        """Remove what the round has written and say how it ended. Where even that cannot be
        stored, the next round or the next opening does it."""
        if not self._is_registered(begun.version or 0):
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, Exception) and not isinstance(error, Cancelled):
            state, reason = RoundState.FAILED, message_of(error)
        else:  # closed by whoever runs it, or Ctrl+C
            state, reason = RoundState.CANCELLED, Cancelled().message
        with suppress(MmreviewError):
            self._rounds.end(begun.id, state, reason)

    def _is_registered(self, number: int) -> bool:
        """True also where the store cannot say: files are never removed on a guess."""
        try:
            self._versions.get(number)
        except VersionNotFound:
            return False
        except MmreviewError:
            return True
        return True

    def recover(self) -> int:
        """End the rounds that a kill cut off, and remove what it left half written among the
        versions. Returns how many rounds that were. A full disk leaves it to the next time.

        Call it once, when the project has been opened for writing: no round runs yet.
        """
        known = {version.folder for version in self._versions.versions()}
        for path in sorted((self._folder / "versions").glob("*")):
            if f"versions/{path.name}" in known:
                for partial in path.glob("*.partial"):
                    partial.unlink(missing_ok=True)
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        try:
            return self._rounds.interrupt()
        except WriteFailed:
            return 0


def version_folder(number: int) -> str:
    """Where version ``number`` lies, relative to the project."""
    return f"versions/{number:05d}"
