"""A feature cache that holds synthetic features, and label tables with known truth."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mmreview.domain.cases import Case, ImageRef, Partition
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import TrainingRequest
from mmreview.domain.versions import LambdaChoice, Role, Version
from mmreview.ml.trainer import FusionTrainer


class FakeFeatures:
    """The read side of the feature cache over arrays in memory."""

    def __init__(self, matrices, *, prints=None, part_widths=None):
        self.part_widths = part_widths or {}
        self.modalities = tuple(m for m in matrices if not m.endswith(".parts"))
        self.marked = frozenset()
        self.wanted = False
        self._matrices = matrices
        self.prints = prints or {m: f"print-of-{m}" for m in matrices}

    def width(self, modality):
        return self._matrices[modality].shape[1]

    def blocks(self, modality):
        return (self.width(modality),)

    def pieces(self, modality):
        half = self.width(modality) // 2
        return (("first", half), ("second", self.width(modality) - half))

    def weighing(self, modality):
        return ()

    def fingerprint(self, modality):
        return self.prints[modality]

    def want_parts(self):
        self.wanted = True

    def parts_cached(self):
        return bool(self.part_widths)

    def cached(self, modality):
        return len(self._matrices[modality])

    def matrix(self, modality, hashes, out=None):
        source = self._matrices[modality]
        values = np.zeros((len(hashes), source.shape[1]), np.float32) if out is None else out
        values[:] = 0
        there = np.zeros(len(hashes), bool)
        for row, own in enumerate(hashes):
            if own:
                values[row] = source[[int(name) for name in own]].mean(axis=0)
                there[row] = True
        return values, there


class World:
    """Cases whose findings are known: each modality sees a noisy part of what causes them.

    ``signal[m]`` is how clearly modality m sees the findings (0: not at all); ``rates`` are the
    prevalences of the first and the last finding.
    """

    def __init__(self, *, cases=300, findings=4, seed=0, signal=None, audit=0.0, widths=None,
                 rates=None):
        rng = np.random.default_rng(seed)
        signal = signal or {"image": 1.0, "text": 1.0}
        widths = widths or {"image": 40, "text": 24}
        self.findings = tuple(f"Finding {chr(65 + t)}" for t in range(findings))
        rates = np.linspace(*(rates or (0.25, 0.5)), findings)
        self.truth = (rng.random((cases, findings)) < rates).astype(np.float32)
        self.matrices = {}
        for m, strength in signal.items():
            mixing = rng.standard_normal((findings, widths[m]))
            mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
            seen = 2 * strength * (self.truth - rates) @ mixing
            noise = rng.standard_normal((cases, widths[m]))
            self.matrices[m] = (3 + 2 * (seen + noise)).astype(np.float32)
        self.features = FakeFeatures(self.matrices)
        draws = rng.random(cases)
        self.partitions = tuple(
            Partition.AUDIT if draw < audit else Partition.TRAIN for draw in draws
        )
        self.groups = tuple(f"patient {index // 2}" for index in range(cases))
        self.hashes = {m: [(str(i),) for i in range(cases)] for m in signal}

    def add_parts(self, *, missing=0):
        """Three parts of each content, noisy pieces of the whole; none for the first few."""
        rng = np.random.default_rng(1)
        self.features.part_widths = {}
        for m in self.features.modalities:
            whole = self.matrices[m]
            parts = np.repeat(whole[:, None], 3, axis=1) + rng.standard_normal(
                (len(whole), 3, whole.shape[1])
            )
            parts[:missing] = 0
            self.matrices[f"{m}.parts"] = parts.reshape(len(whole), -1).astype(np.float32)
            self.features.prints[f"{m}.parts"] = f"print-of-{m}.parts"
            self.features.part_widths[m] = whole.shape[1]

    def table(self, *, targets=None, corrected=None, basis=None, rows=None, seq=1):
        targets = self.truth.copy() if targets is None else targets
        rows = np.arange(len(targets)) if rows is None else rows
        bits = (1 << len(self.hashes)) - 1
        zeros = np.zeros(targets.shape, bool)
        return LabelTable(
            keys=np.asarray(rows, np.int64),
            groups=tuple(self.groups[i] for i in rows),
            partitions=tuple(self.partitions[i] for i in rows),
            hashes={m: tuple(self.hashes[m][i] for i in rows) for m in self.hashes},
            targets=targets[rows],
            corrected=(zeros if corrected is None else corrected)[rows],
            basis=(np.full(targets.shape, bits, np.int8) if basis is None else basis)[rows],
            through_seq=seq,
        )

    def case(self, index):
        images = tuple(
            ImageRef(sha256=name, path="", width=1, height=1)
            for name in self.hashes["image"][index]
        )
        text = self.hashes["text"][index] if "text" in self.hashes else ()
        return Case(
            key=index,
            id=f"case {index}",
            group=self.groups[index],
            partition=self.partitions[index],
            images=images,
            report="report" if text else None,
            report_sha256=text[0] if text else None,
        )


class Rounds:
    """Training rounds in a folder, each a version that the next can start from."""

    def __init__(self, features, findings, folder: Path):
        self.trainer = FusionTrainer(features)
        self.findings = findings
        self.folder = folder
        self.steps = []
        self.tables = {}

    def request(self, table, *, number=1, parent=None, weight=None, seed=0, fusion="pooling",
                groups=()):
        known = self.tables.get(parent.id) if parent else None
        return TrainingRequest(
            version=number,
            table=table,
            findings=self.findings,
            schema="test",
            fusion=fusion,
            weight=weight or LambdaChoice(),
            seed=seed,
            folder=self.folder / f"{number:05d}",
            parent=parent,
            parent_folder=self.folder / parent.folder if parent else None,
            parent_table=known,
            groups=groups,
        )

    def run(self, request):
        work = self.trainer.train(request)
        self.steps = []
        while True:
            try:
                self.steps.append(next(work))
            except StopIteration as done:
                return done.value

    def train(self, table, **options):
        """One round; returns the version and what the trainer said of it."""
        request = self.request(table, **options)
        result = self.run(request)
        self.tables[request.version] = table
        version = Version(
            id=request.version,
            sha256=result.sha256,
            role=Role.CHAMPION,
            parent=request.parent.id if request.parent else None,
            folder=request.folder.name,
            created_at="",
            fusion=result.fusion,
            corrections=0,
            through_seq=table.through_seq,
            metrics=result.metrics,
        )
        return version, result

    def load(self, version):
        return self.trainer.load(version, self.folder / version.folder)

    @property
    def fit_iterations(self):
        return max(step.iteration for step in self.steps)


def digest(folder):
    """The bytes of a bundle."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


@pytest.fixture
def make_world():
    return World


@pytest.fixture
def make_rounds(tmp_path):
    def make(world, folder="versions"):
        return Rounds(world.features, world.findings, tmp_path / folder)

    return make


@pytest.fixture
def bundle_digest():
    return digest
