"""The labels that hold, joined with the features that are cached: what heads and fusions fit on.

Bit ``i`` of a label's basis is the ``i``-th modality of the features. A label may teach a head only
where its bit is set, and the fusion only where every bit is.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import Partition
from mmreview.domain.errors import FeaturesMissing, MmreviewError, TooFewLabels
from mmreview.domain.labels import LabelTable
from mmreview.ml.encoders.card import PARTS, Weighing
from mmreview.ml.prepared import Shelf
from mmreview.ml.relay import relay
from mmreview.ml.unread import Unread, contents_of

#: A reader's correction counts this many imported labels when a head learns: it was looked at on
#: purpose, an imported label is often read off the report by a program. Calibration and fusion
#: count every label once, so that probabilities keep their meaning. Measured on patients set aside,
#: 5 or 15 % of the imported labels wrong, a fifth or a half of all corrected (macro AUROC against
#: counting once, 6 seeds; diagnoses / zones / ultrasound): +.000 to +.011 / -.004 to -.000 / +.002
#: to +.009; four times +.001 to +.021 / -.007 to -.002 / +.003 to +.016; eight times to -.014 on
#: the zones.
#: More pays only where imports are bad, and costs the image's opinion where they are good.
CORRECTION_WEIGHT = 2.0

#: What a model believes of an unlabelled case counts this many imported labels (``unlabelled``).
BELIEF_WEIGHT = 0.25

#: An uncertain label counts this much of an imported one when a head learns, drawn halfway between
#: the finding's usual log-odds and even ones (``heads``). Measured by nested folds (4 seeds or
#: more): where two radiologists disagree on the zones (154 of 966 labels), AUROC +.003 of all and
#: +.004 of the others, log-loss -.003 and -.006; twice or four times the weight +.005 and +.008.
#: Labels of diagnoses and ultrasound called uncertain at random, the worst case: fused AUROC -.000
#: and -.002 (at four times the weight -.012 and -.008; with a target of one half -.008 at this
#: weight and -.043 at four times), as if they were present or absent on the zones: -.007 and .000,
#: log-loss +.001 and +.022.
UNCERTAIN_WEIGHT = 0.25

#: A finding can be learned from this many labels of either kind on.
LEARNABLE = 5

_BLOCK = 512


class PartsMissing(MmreviewError):
    """``fusion`` reads parts, and ``count`` labelled cases have none."""

    code = "error.parts_missing"


class CachedFeatures(Protocol):
    """The read side of the feature cache (``ml.features``)."""

    modalities: tuple[str, ...]
    #: Modalities whose features are values and then marks that each is there.
    marked: frozenset[str]

    def width(self, modality: str) -> int:
        """How many numbers describe one case."""
        ...

    def blocks(self, modality: str) -> tuple[int, ...]:
        """The widths of the parts that the features come from, in order."""
        ...

    def weighing(self, modality: str) -> tuple[Weighing, ...]:
        """How heads weigh each of those parts; none: all alike."""
        ...

    def pieces(self, modality: str) -> tuple[tuple[str, int], ...]:
        """The names and widths of what stands in the features, in order; empty: one thing."""
        ...

    def fingerprint(self, modality: str) -> str:
        """What made the features: encoder, weights, preprocessing, view."""
        ...

    @property
    def part_widths(self) -> Mapping[str, int]:
        """The length of one part of each modality that has parts (see ``encoders.card``)."""
        ...

    def want_parts(self) -> None:
        """Count parts among what is encoded, from now on."""
        ...

    def parts_cached(self) -> bool:
        """Whether there are parts of every modality that has some."""
        ...

    def cached(self, modality: str) -> int:
        """How many contents have features of this modality."""
        ...

    def matrix(
        self, modality: str, hashes: Sequence[tuple[str, ...]],
        out: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(n, width) features, the mean over a case's hashes, and where there are any. ``out``
        takes the features, if given."""
        ...


@dataclass(frozen=True)
class Samples:
    """Labelled cases with features. Arrays have one row a case; ``features[m]`` is (n, width)
    with zeros where ``present[m]`` is False (parts of it, if asked for, are ``features[m + PARTS]``
    in 16 bits, each ``part_widths[m]`` long); ``targets`` is (n, findings) with NaN unlabelled.
    ``blocks[m]`` are the widths of what ``features[m]`` is made of, ``weighing[m]`` says how heads
    weigh each, ``pieces[m]`` are names and widths (see ``plans``); ``marked`` are the modalities
    whose features are values and then marks that each is there. ``uncertain`` and ``confirmed``
    are those of the label table; None is nowhere. ``beliefs`` (n, findings) are probabilities that
    teach the heads of cases without a label, NaN elsewhere (``unlabelled``). ``replayed`` are
    (n, findings) factors on the weights with which labels teach heads; None: all teach alike
    (``replay``). ``contents[m]`` is what all of ``features[m]`` are known by, where they were read
    for ``m`` as they are (``unread``)."""

    modalities: tuple[str, ...]
    features: dict[str, NDArray[np.float32] | Unread]
    present: dict[str, NDArray[np.bool_]]
    keys: NDArray[np.int64]
    groups: NDArray[np.str_]
    targets: NDArray[np.float32]
    corrected: NDArray[np.bool_]
    basis: NDArray[np.int8]
    blocks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    damaged: Mapping[str, int] = field(default_factory=dict)
    marked: frozenset[str] = frozenset()
    part_widths: Mapping[str, int] = field(default_factory=dict)
    pieces: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    weighing: Mapping[str, tuple[Weighing, ...]] = field(default_factory=dict)
    uncertain: NDArray[np.bool_] | None = None
    confirmed: NDArray[np.bool_] | None = None
    beliefs: NDArray[np.float64] | None = None
    replayed: NDArray[np.float32] | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Samples:
        """Some of the rows."""
        return Samples(
            modalities=self.modalities,
            features={m: x[rows] for m, x in self.features.items()},
            present={m: p[rows] for m, p in self.present.items()},
            keys=self.keys[rows],
            groups=self.groups[rows],
            targets=self.targets[rows],
            corrected=self.corrected[rows],
            basis=self.basis[rows],
            blocks=self.blocks,
            marked=self.marked,
            part_widths=self.part_widths,
            pieces=self.pieces,
            weighing=self.weighing,
            uncertain=_some(self.uncertain, rows),
            confirmed=_some(self.confirmed, rows),
            beliefs=None if self.beliefs is None else self.beliefs[rows],
            replayed=None if self.replayed is None else self.replayed[rows],
        )

    def joined(self, spare: Samples) -> Samples:
        """These cases, and behind them ``spare`` ones, whose labels are not looked at."""
        count = (len(spare), self.targets.shape[1])

        def both(mine: NDArray, theirs: NDArray) -> NDArray:
            return np.concatenate([mine, theirs])

        nothing = np.full((len(self), count[1]), np.nan)
        return replace(
            self,
            features={m: both(x, spare.features[m]) for m, x in self.features.items()},
            contents={},
            present={m: both(p, spare.present[m]) for m, p in self.present.items()},
            keys=both(self.keys, spare.keys),
            groups=both(self.groups, spare.groups),
            targets=both(self.targets, np.full(count, np.nan, np.float32)),
            corrected=both(self.corrected, np.zeros(count, bool)),
            basis=both(self.basis, np.zeros(count, np.int8)),
            uncertain=_and_none(self.uncertain, count),
            confirmed=_and_none(self.confirmed, count),
            replayed=None
            if self.replayed is None
            else both(self.replayed, np.ones(count, np.float32)),
            beliefs=both(
                nothing if self.beliefs is None else self.beliefs,
                np.full(count, np.nan) if spare.beliefs is None else spare.beliefs,
            ),
        )

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Which rows have every modality."""
        return self.having(self.modalities)

    def having(self, modalities: tuple[str, ...]) -> NDArray[np.bool_]:
        """Which rows have all of these modalities."""
        return np.logical_and.reduce([self.present[m] for m in modalities])

    def teaching(self, modality: str) -> NDArray[np.float32]:
        """(n, findings) weights with which labels teach ``modality``'s head, 0 where none does."""
        bit = 1 << self.modalities.index(modality)
        teaches = ~np.isnan(self.targets) & ((self.basis & bit) != 0)
        teaches &= self.present[modality][:, None]
        return teaches * np.where(self.corrected, CORRECTION_WEIGHT, 1.0).astype(np.float32)

    def with_beliefs(
        self, modality: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n, findings) targets and weights of labels, and of beliefs where there is no label."""
        weights = self.teaching(modality)
        if self.beliefs is None:
            return self.targets, weights
        believed = np.isnan(self.targets) & ~np.isnan(self.beliefs)
        targets = np.where(believed, self.beliefs, self.targets).astype(np.float32)
        weights[believed & self.present[modality][:, None]] = BELIEF_WEIGHT
        return targets, weights

    def doubting(self, modality: str) -> NDArray[np.float32] | None:
        """(n, findings) weights with which uncertain labels teach ``modality``'s head, softly;
        None where there are none."""
        if self.uncertain is None or not self.uncertain.any():
            return None
        bit = 1 << self.modalities.index(modality)
        doubts = self.uncertain & ((self.basis & bit) != 0) & self.present[modality][:, None]
        return doubts * np.float32(UNCERTAIN_WEIGHT)

    @property
    def judged(self) -> NDArray[np.float64]:
        """(n, findings) truths that teach and measure the fused opinion: labels that rest on
        every modality; NaN elsewhere."""
        return self.judged_by(self.modalities)

    def judged_by(self, modalities: tuple[str, ...]) -> NDArray[np.float64]:
        """(n, findings) truths that rest on all of these modalities; NaN elsewhere."""
        bits = sum(1 << self.modalities.index(m) for m in modalities)
        return np.where((self.basis & bits) == bits, self.targets, np.nan).astype(np.float64)

    def truth(self, modality: str) -> NDArray[np.float64]:
        """(n, findings) truths that measure ``modality``'s own opinion; NaN elsewhere."""
        return np.where(self.teaching(modality) > 0, self.targets, np.nan).astype(np.float64)


def rows_of(table: LabelTable, partition: Partition) -> NDArray[np.intp]:
    """The rows of one partition. Train rows teach; audit rows only measure; the control partition
    does neither: it stays the untouched arm that the queue is compared with."""
    return np.flatnonzero([drawn is partition for drawn in table.partitions])


def labels_needed(table: LabelTable) -> int:
    """The least number of further labels that makes some finding learnable; 0 if one is."""
    targets = table.targets[rows_of(table, Partition.TRAIN)]
    lacking = sum(
        np.maximum(LEARNABLE - (targets == value).sum(axis=0), 0) for value in (1.0, 0.0)
    )
    return int(np.min(lacking)) if np.size(lacking) else 2 * LEARNABLE


def rarer_labels(samples: Samples) -> dict[str, list[int]]:
    """By opinion (``fused`` and the modalities): how many labels of the rarer kind taught it, of
    each finding."""
    truths = {"fused": samples.judged, **{m: samples.truth(m) for m in samples.modalities}}
    return {
        name: np.minimum((truth == 1).sum(axis=0), (truth == 0).sum(axis=0)).tolist()
        for name, truth in truths.items()
    }


def require_labels(table: LabelTable) -> None:
    """Raise TooFewLabels unless some finding has enough labels of both kinds to train on."""
    needed = labels_needed(table)
    if needed:
        raise TooFewLabels(needed=needed, count=needed)


def gather(
    features: CachedFeatures, table: LabelTable, partition: Partition, *, parts: bool = False,
    shelves: Mapping[str, Shelf] | None = None,
) -> Generator[float, None, Samples]:
    """Read the features of one partition's rows, block by block, and the ``parts`` behind them;
    yields the share that is done. What ``shelves`` by modality hold ready is left unread."""
    rows = rows_of(table, partition)
    found: dict[str, NDArray[np.float32] | Unread] = {}
    present: dict[str, NDArray[np.bool_]] = {}
    damaged: dict[str, int] = {}
    contents: dict[str, bytes] = {}
    modalities = tuple(features.modalities)
    for position, modality in enumerate(modalities):
        own = table.hashes.get(modality) or ()
        hashes = [own[row] for row in rows.tolist()] if own else [()] * len(rows)
        shelf, there = None if shelves is None else shelves[modality], None
        if shelf is not None and own:
            contents[modality] = contents_of(features, modality, hashes)
            there = shelf.recalls(contents[modality])
        done = partial(_done, position, len(modalities))
        if there is not None:
            found[modality] = Unread(features, modality, hashes=hashes, present=there)
            present[modality] = there
        else:
            reading = _read(features, modality, hashes)
            found[modality], present[modality], lost = yield from relay(reading, done)
            if lost:
                damaged[modality] = lost
                contents.pop(modality, None)  # to be counted each time
        if parts and own and modality in features.part_widths:
            found[modality + PARTS] = yield from relay(
                _read_parts(features, modality + PARTS, hashes), lambda _, done=done: done(1.0)
            )
    return Samples(
        modalities=modalities,
        features=found,
        present=present,
        keys=np.asarray(table.keys, np.int64)[rows],
        groups=np.asarray(table.groups, dtype=str)[rows],
        targets=np.asarray(table.targets, np.float32)[rows],
        corrected=np.asarray(table.corrected, bool)[rows],
        basis=np.asarray(table.basis, np.int8)[rows],
        blocks={m: features.blocks(m) for m in modalities},
        damaged=damaged,
        marked=features.marked,
        part_widths=dict(features.part_widths) if parts else {},
        pieces={m: features.pieces(m) for m in modalities},
        weighing={m: features.weighing(m) for m in modalities},
        uncertain=_some(table.uncertain, rows),
        confirmed=_some(table.confirmed, rows),
        contents=contents,
    )


def _done(position: int, count: int, share: float) -> float:
    """The share that is done of all modalities."""
    return (position + share) / count


def _read(
    features: CachedFeatures, modality: str, hashes: Sequence[tuple[str, ...]]
) -> Generator[float, None, tuple[NDArray[np.float32], NDArray[np.bool_], int]]:
    """The features of these cases, who has some, and how many are damaged."""
    values = np.empty((len(hashes), features.width(modality)), np.float32)
    there, damaged = np.zeros(len(hashes), bool), 0
    for begin in range(0, len(hashes), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        _, there[block] = features.matrix(modality, hashes[block], out=values[block])
        sound = are_sound(values[block])  # a damaged one is none
        damaged += int((there[block] & ~sound).sum())
        there[block] &= sound
        values[block][~there[block]] = 0
        yield min(1.0, (begin + _BLOCK) / len(hashes))
    return values, there, damaged


def _read_parts(
    features: CachedFeatures, name: str, hashes: Sequence[tuple[str, ...]]
) -> Generator[None, None, NDArray[np.float16]]:
    packed = np.zeros((len(hashes), features.width(name)), np.float16)
    for begin in range(0, len(hashes), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        packed[block] = features.matrix(name, hashes[block])[0]
        yield
    return packed


def are_sound(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n,) which of (n, width) features are all finite."""
    # Nothing finite times zero is not a number: cheaper than to ask each of them.
    with np.errstate(invalid="ignore", over="ignore"):
        return np.isfinite(rows @ np.zeros(rows.shape[1], np.float32))


def _some(
    marks: NDArray[np.bool_] | None, rows: NDArray[np.integer] | NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    return None if marks is None else np.asarray(marks, bool)[rows]


def _and_none(
    marks: NDArray[np.bool_] | None, count: tuple[int, int]
) -> NDArray[np.bool_] | None:
    return None if marks is None else np.concatenate([marks, np.zeros(count, bool)])


def lacking_parts(samples: Samples) -> int:
    """How many cases lack the parts of something that they have."""
    lacking = np.zeros(len(samples), bool)
    for m in samples.part_widths:
        there = np.abs(samples.features[m + PARTS]).max(axis=1, initial=0) > 0
        lacking |= samples.present[m] & ~there
    return int(lacking.sum())


def require_parts(samples: Samples, fusion: str) -> None:
    """Raise PartsMissing unless every case has the parts of what it has."""
    count = lacking_parts(samples)
    if count:
        raise PartsMissing(fusion=fusion, count=count)


def require_features(samples: Samples) -> None:
    """Raise FeaturesMissing unless something of these cases is encoded."""
    if not any(there.any() for there in samples.present.values()):
        raise FeaturesMissing()
