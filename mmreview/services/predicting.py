"""What the serving version believes: of the open case at once, of all cases in the background.

The serving predictor is one immutable reference; ``serve`` swaps it. Everything shown carries the
id of the version it came from.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace

from mmreview.domain.cases import Case, Partition, WorklistFilter, WorklistSort
from mmreview.domain.errors import BundleInvalid, Message
from mmreview.domain.ports import (
    CaseStore,
    Features,
    Predictor,
    ScoreStore,
    VersionStore,
)
from mmreview.domain.predictions import CaseScore, Prediction
from mmreview.domain.progress import Progress
from mmreview.domain.queues import scores
from mmreview.domain.versions import ServingModel
from mmreview.services.standing_in import StandingIn

_BLOCK = 512
#: Cases that are scored between two looks at whether to go on: some hundredths of a second.
_SCORED = 4096
#: Cases at the head of the queue that are scored before the others: what a reader sees next.
_HEAD = 256


class Predicting:
    """Encoding, prediction and scoring for one project. Safe from any thread."""

    def __init__(
        self,
        *,
        cases: CaseStore,
        versions: VersionStore,
        scores: ScoreStore,
        features: Features,
        standing: StandingIn,
    ) -> None:
        self._cases = cases
        self._versions = versions
        self._scores = scores
        self._features = features
        self._standing = standing
        self._predictor: Predictor | None = None
        self._lock = threading.Lock()

    # --- the serving version ------------------------------------------------------------------

    def warm_up(self) -> ServingModel | None:
        """Load the serving version and the encoders; the first call imports the model room.

        Raises:
            BundleInvalid: the serving version's files are damaged.
        """
        model = self.serve()
        self._features.warm_up()
        return model

    def serve(self) -> ServingModel | None:
        """Make the registered champion the predictor of every later call; None without one. For
        one that is damaged the version before it stands in (``notice`` tells).

        Raises:
            BundleInvalid: it cannot answer, and nobody can stand in.
        """
        champion = self._versions.champion()
        with self._lock:
            if champion is None:
                self._predictor = None
            elif self._predictor is None or self._predictor.version != champion.id:
                self._predictor = self._standing.champion(champion)
        return self.serving()

    @property
    def notice(self) -> Message | None:
        """That a version stands in for a damaged one, and which."""
        return self._standing.notice

    def outgrown(self) -> bool:
        """Whether only a new version can make use of what there is: the champion was trained on
        features that this program no longer makes and cannot answer any more, or the project has
        come to have a modality that it does not know.

        Raises:
            BundleInvalid: its files are damaged.
        """
        try:
            self.serve()
        except BundleInvalid as error:
            if error.is_damage:
                raise
            return True
        predictor = self._predictor
        return predictor is not None and not set(self.modalities) <= set(predictor.modalities)

    @property
    def version(self) -> int | None:
        """The number of the version that answers now, None while there is none."""
        predictor = self._predictor
        return None if predictor is None else predictor.version

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that the project's cases are encoded by."""
        return self._features.modalities

    def serving(self) -> ServingModel | None:
        """The version that answers now, with its weights; None while there is no model."""
        predictor = self._predictor
        if predictor is None:
            return None
        metrics = self._versions.get(predictor.version).metrics
        return ServingModel(
            version=predictor.version,
            fusion=predictor.fusion,
            weights=predictor.weights,
            weights_cv=predictor.weights_cv,
            weights_learned=predictor.weights_learned,
            metrics=metrics,
        )

    # --- one case -----------------------------------------------------------------------------

    def opinion(self, case: Case) -> tuple[Prediction | None, Message]:
        """The serving version's opinion of one case and ``prediction.ready``, or None and why
        not. Never encodes: a case without features is ``prediction.not_encoded``."""
        if self._predictor is None:
            try:
                self.serve()
            except BundleInvalid as error:
                return None, error.message
        predictor = self._predictor
        if predictor is None:
            return None, Message("prediction.no_model")
        if self._features.missing([case]):
            return None, Message("prediction.not_encoded")
        [prediction] = predictor.predict([case])
        prediction = replace(prediction, value_parts=predictor.value_parts(case))
        return prediction, Message("prediction.ready", {"version": prediction.version})

    def encode_case(self, case: Case) -> list[Message]:
        """Encode one case now (the open one, before its turn in the bulk lane)."""
        return [problem for step in self._features.encode([case]) for problem in step.problems]

    # --- all cases ----------------------------------------------------------------------------

    def encode_all(self) -> Generator[Progress, None, int]:
        """Cache the features of every case; durable batch by batch, so that it resumes. Returns
        how many items could not be encoded (each is a problem of its step)."""
        total, seen, failed = self._cases.count(), 0, 0
        for batch in self._cases.batches(_BLOCK):
            missing = self._features.missing(batch)
            yield Progress("progress.encode", seen, total)
            for step in self._features.encode(missing):
                failed += len(step.problems)
                share = step.done / step.total if step.total else 0.0
                done = seen + len(batch) - len(missing) + int(share * len(missing))
                yield Progress("progress.encode", min(done, total), total, step.problems)
            seen += len(batch)
        yield Progress("progress.encode", total, total)
        return failed

    def predict_all(self, *, audit: bool = True) -> Iterator[Prediction]:
        """The serving version's opinion of every case, in order of import, from cached features;
        without ``audit`` those of the audit set are left out.

        A case that no modality of is cached gets an empty opinion.
        """
        self.serve()
        predictor = self._predictor
        if predictor is None:
            return
        for batch in self._cases.batches(_BLOCK):
            asked = [case for case in batch if audit or case.partition is not Partition.AUDIT]
            yield from predictor.predict(asked)

    def score_all(self) -> Generator[Progress, None, int]:
        """Fill the sort keys of the serving version for every case that lacks one, and sort the
        worklist by them from now on. Audit cases get none: their place in the worklist must not
        give an opinion away.

        Right after another version has begun to serve, the cases at the head of the queue come
        first, by themselves: the first step tells that they are done. What a kill leaves over is
        made up for the next time.
        """
        self.serve()
        predictor = self._predictor
        total = self._cases.count()
        if predictor is None:
            self._scores.serve(None)
            return 0
        done = after = 0
        if self._scores.serving != predictor.version:
            # In the order of the version before, which is gone with the switch.
            due = self._cases.worklist_keys(WorklistFilter(unread=True), WorklistSort.QUEUE)
            self._scores.serve(predictor.version)
            head = sorted(due[:_HEAD])
            self._score(predictor, head)
            done += len(head)
            yield Progress("progress.score", done, total)
        while keys := self._scores.missing(predictor.version, _SCORED, after=after):
            self._score(predictor, keys)
            done += len(keys)
            after = keys[-1]
            yield Progress("progress.score", min(done, total), total)
        return done

    def _score(self, predictor: Predictor, keys: list[int]) -> None:
        contents = self._cases.contents(keys)
        found = scores(predictor.score(contents.hashes), keys=keys, findings=predictor.findings)
        self._scores.replace(
            predictor.version,
            [
                _neutral(score.key) if partition is Partition.AUDIT else score
                for score, partition in zip(found, contents.partitions, strict=True)
            ],
        )


def _neutral(key: int) -> CaseScore:
    return CaseScore(key=key, conflict=None, priority=None, reason="queue.neutral")
