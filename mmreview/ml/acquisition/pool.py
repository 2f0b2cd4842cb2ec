"""What the policies look at: a pool of unread cases, read a block at a time.

A policy says what it wants of a case as a *lens*, a function from a ``Block`` of cases to a few
numbers each; ``Pool.scan`` lays one or more lenses over every case in one pass and keeps nothing
but what they say. So memory is that of the answer, whatever the width of the features, and every
step can be cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.acquisition import AcquisitionRequest, PolicyNeedsVersion
from mmreview.domain.cases import Partition
from mmreview.domain.errors import Message
from mmreview.domain.predictions import ScoreTable
from mmreview.domain.progress import Progress
from mmreview.ml import device as devices
from mmreview.ml.calibration import sigmoid
from mmreview.ml.encoders.card import PARTS
from mmreview.ml.model import Opinions
from mmreview.ml.predictor import BundlePredictor
from mmreview.ml.samples import CachedFeatures, are_sound, rows_of
from mmreview.ml.scoring import score_block

Array = NDArray[np.float32]
Hashes = Mapping[str, Sequence[tuple[str, ...]]]

#: Cases that are looked at together: their features should stay in a core's cache.
BLOCK = 1024
#: Blocks between two looks at whether to go on: about a tenth of a second.
_STEP = 8
_RUN = 32
#: Of so many damaged cases the keys are named; the rest is only skipped.
_NAMED = 20


class Block:
    """Some cases with their (n, width) features and (n,) presence by modality, and what the
    serving version says of them once a lens asks."""

    def __init__(
        self, features: Mapping[str, Array], present: Mapping[str, NDArray[np.bool_]],
        predictor: BundlePredictor | None,
    ) -> None:
        self.features = features
        self.present = present
        self._predictor = predictor

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) whether a case has any sound feature."""
        return np.logical_or.reduce(list(self.present.values()))

    @cached_property
    def opinions(self) -> Opinions:
        """What the version that serves believes."""
        assert self._predictor is not None
        return self._predictor.models[0].opinions(self.features, self.present)

    @cached_property
    def fused(self) -> NDArray[np.float64]:
        """(n, findings) fused probabilities; NaN where there is no opinion."""
        return sigmoid(self.opinions.log_odds)

    @property
    def members(self) -> list[Array]:
        """The fused probabilities by the model of each fold; by the whole one where a version has
        none."""
        assert self._predictor is not None
        models = self._predictor.models[1:] or self._predictor.models
        opinions = (model.opinions(self.features, self.present) for model in models)
        return [sigmoid(each.log_odds).astype(np.float32) for each in opinions]

    @cached_property
    def scores(self) -> ScoreTable:
        """Opinions, conflicts and wrong pairs."""
        assert self._predictor is not None
        model, pairs = self._predictor.models[0], self._predictor.pairs
        return score_block(model, pairs, self.features, self.present)


Lens = Callable[[Block], NDArray]


def known(block: Block) -> NDArray:
    """The lens that sees which cases have any sound feature."""
    return block.known


def drawn_runs(total: int, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """About ``count`` of so many rows, ascending: all, or a draw of runs of ``_RUN`` neighbours.
    Runs are read as they lie, from few pages of the store and of the cache."""
    if total <= count:
        return np.arange(total)
    runs = np.sort(rng.choice(total // _RUN, count // _RUN, replace=False))
    return (runs[:, None] * _RUN + np.arange(_RUN)).ravel()


class Pool:
    """The cases of one request. ``load`` gives its version's predictor; it is called once, and
    only if a policy asks for an opinion."""

    def __init__(
        self, request: AcquisitionRequest, features: CachedFeatures,
        load: Callable[[], BundlePredictor],
    ) -> None:
        self.request = request
        self.features = features
        self._load = load
        self._told: set[int] = set()

    def __len__(self) -> int:
        return len(self.request.keys)

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """The pool's keys, ascending."""
        return np.asarray(self.request.keys, np.int64)

    @cached_property
    def predictor(self) -> BundlePredictor:
        """The serving version (PolicyNeedsVersion, BundleInvalid)."""
        if self.request.version is None or self.request.folder is None:
            raise PolicyNeedsVersion(policy=self.request.policy)
        return self._load()

    @cached_property
    def modalities(self) -> tuple[str, ...]:
        """Those that the features have."""
        return tuple(self.features.modalities)

    @cached_property
    def positives(self) -> dict[str, int]:
        """How many training labels say *present*, by finding."""
        return self._counted(self._targets == 1)

    @cached_property
    def labelled(self) -> dict[str, int]:
        """How many training labels there are, by finding."""
        return self._counted(~np.isnan(self._targets))

    @property
    def _targets(self) -> Array:
        table = self.request.table
        return table.targets[rows_of(table, Partition.TRAIN)]

    def _counted(self, labels: NDArray[np.bool_]) -> dict[str, int]:
        return dict(zip(self.request.findings, labels.sum(axis=0).tolist(), strict=True))

    def scan(
        self, *lenses: Lens, opinions: bool = True, rows: NDArray[np.intp] | None = None
    ) -> Generator[Progress, None, list[NDArray]]:
        """What each lens sees of every case of the pool (of ``rows`` of it, ascending), as arrays
        of one row a case. ``opinions`` says whether a lens asks for some (PolicyNeedsVersion)."""
        predictor = self.predictor if opinions else None
        total = len(self) if rows is None else len(rows)

        def asked(begin: int) -> tuple[NDArray[np.int64], Hashes]:
            end = min(begin + BLOCK, total)
            hashes = self.request.hashes
            if rows is None:
                return self.keys[begin:end], {m: hashes[m][begin:end] for m in hashes}
            part = rows[begin:end].tolist()
            # Case by case, so that a sequence that asks the store turns each page once.
            each = [tuple(own[row] for own in hashes.values()) for row in part]
            return self.keys[part], dict(zip(hashes, zip(*each, strict=True), strict=bool(each)))

        return (yield from self._laid(lenses, asked, total, predictor))

    def scan_labelled(
        self, rows: NDArray[np.intp], *lenses: Lens
    ) -> Generator[Progress, None, list[NDArray]]:
        """What lenses that ask for no opinion see of ``rows`` of the label table."""
        table = self.request.table

        def asked(begin: int) -> tuple[NDArray[np.int64], Hashes]:
            part = rows[begin : begin + BLOCK].tolist()
            return table.keys[part], {
                m: [own[row] for row in part] for m, own in table.hashes.items()
            }

        return (yield from self._laid(lenses, asked, len(rows), None))

    def _laid(
        self, lenses: Sequence[Lens], asked: Callable[[int], tuple[NDArray[np.int64], Hashes]],
        total: int, predictor: BundlePredictor | None,
    ) -> Generator[Progress, None, list[NDArray]]:
        look = partial(self._look, lenses, predictor)
        begins = iter(range(0, max(total, 1), BLOCK))
        found: list[NDArray] = []
        done = 0
        while step := list(islice(begins, _STEP)):
            with devices.split_over_threads() as threads:
                one = self.request.threads == 1 or len(step) == 1
                # What is asked is made here: a sequence that asks the store is asked by one thread.
                blocks = [asked(begin) for begin in step]
                answers = list(map(look, blocks) if one else threads.map(look, blocks))
            damaged: list[tuple[int, str]] = []
            for (keys, _), (rows, ill) in zip(blocks, answers, strict=True):
                if not found:
                    found = [np.empty((total, *row.shape[1:]), row.dtype) for row in rows]
                for whole, row in zip(found, rows, strict=True):
                    whole[done : done + len(keys)] = row
                done += len(keys)
                damaged += ill
            yield Progress("progress.acquire", done, total, self._problems(damaged))
        return found

    def _look(
        self, lenses: Sequence[Lens], predictor: BundlePredictor | None,
        asked: tuple[NDArray[np.int64], Hashes],
    ) -> tuple[list[NDArray], list[tuple[int, str]]]:
        """What the lenses see of one block, and which key's features of which modality are none
        because they are damaged."""
        keys, hashes = asked
        features: dict[str, Array] = {}
        present: dict[str, NDArray[np.bool_]] = {}
        damaged: list[tuple[int, str]] = []
        nothing: list[tuple[str, ...]] = [()] * len(keys)
        for m in self.modalities:
            rows, there = self.features.matrix(m, hashes.get(m, nothing))
            sound = are_sound(rows)
            if not sound.all():
                damaged += [(key, m) for key in keys[there & ~sound].tolist()]
                rows[~sound] = 0
            features[m], present[m] = rows, there & sound
        for m in self.features.part_widths if predictor and predictor.reads_parts else ():
            parts, _ = self.features.matrix(m + PARTS, hashes.get(m, nothing))
            features[m + PARTS] = np.nan_to_num(parts, posinf=0.0, neginf=0.0)
        block = Block(features, present, predictor)
        return [lens(block) for lens in lenses], damaged

    def _problems(self, damaged: Sequence[tuple[int, str]]) -> tuple[Message, ...]:
        fresh = [(key, m) for key, m in damaged if key not in self._told]
        room = max(0, _NAMED - len(self._told))
        self._told |= {key for key, _ in fresh}
        return tuple(
            Message("acquire.damaged", {"key": key, "modality": m}) for key, m in fresh[:room]
        )
