"""How long each acquisition policy takes over cached cases, and how much memory, on one core.

    python tests/benchmarks/acquisition.py --work FOLDER [--cases 100000 1000000] \
        [--policies entropy bald …] [--baselines PYTHON]

SYNTHETIC features (256 numbers of an image and 256 of a report a case, as a real ``FeatureCache``
keeps them: 2 KB a case in FOLDER) with ``FINDINGS`` findings, a version trained on ``LABELLED``
cases by the real trainer, and the next 64 of the rest by ``PolicyRegistry.rank``: what the queue
calls. Every policy runs in a process of its own, on one core; ``memory`` is what its process held
at most during the call beyond what it held before (its own and what is mapped; the pool's keys and
hashes, which the caller makes, are not of it).

``seconds`` is the whole call: features read from the cache, opinions made, cases chosen; ``work``
the seconds that the core spent on it, which other work on the machine does not change much.
``entropy, told`` is what the queue takes once a version has scored the worklist: the doubts that
are stored with the scores of a project, whose cases are these (up to ``COMPARED``); only the chosen
cases' features are read, to name the finding. ``entropy`` is what it takes before.

``choosing`` is the same policy's functions on opinions that are there already: what modAL and baal
do. ``--baselines`` names an interpreter that has ``modAL-python``, ``baal`` and
``scikit-activeml``: they choose from the same numbers, in memory, on one core, in the same run
(BADGE on at most 10,000 of them, time and memory scaled up, since it holds cases × findings ×
features). Without it the figures of the issue stand there, measured on another machine. For entropy
the last line also compares the whole call with modAL on a logistic regression's ``predict_proba``
of features in memory: no cache is read there, and nothing calibrated or fused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

TOP, FINDINGS, LABELLED, WIDTH = 64, 14, 2000, 256
#: The row of entropy from stored doubts.
TOLD = "entropy, told"
_ROWS = 4096
#: So many cases are compared with what other libraries do; they hold all in memory.
COMPARED = 100_000
_BADGE_CASES = 10_000
#: Seconds of the issue for 100,000 cases, where no baseline is measured.
ISSUE = {"entropy": 0.16, TOLD: 0.16, "bald": 3.2, "coreset": 6.9, "badge": 142.0}
#: The share of the baseline's time that a policy may take.
TARGETS = {"entropy": 0.5, TOLD: 0.5, "bald": 0.3, "coreset": 0.25, "badge": 0.01}


# --- the synthetic project --------------------------------------------------------------------


def content(modality: str, number: int) -> str:
    """The hash of a content that nobody ever saw."""
    return hashlib.sha256(f"{modality} {number}".encode()).hexdigest()


def features_in(folder: Path) -> Any:
    """The real feature cache, with two encoders that are never loaded."""
    from dataclasses import replace

    from mmreview.ml.encoders.registry import DEFAULT_ENCODERS
    from mmreview.ml.features import EncodedFeatures

    cards = {
        m: replace(
            card, name="synthetic", blocks=(WIDTH,), weighing=(), pieces=(), sparse=0
        )
        for m, card in DEFAULT_ENCODERS.items()
    }
    return EncodedFeatures(folder=folder, root=folder, device="cpu", encoders=cards, parts={})


def truth_of(rng: np.random.Generator, cases: int) -> np.ndarray:
    """(cases, findings) 1 or 0; the rarest one in fifty."""
    return (rng.random((cases, FINDINGS)) < np.linspace(0.4, 0.02, FINDINGS)).astype(np.float32)


def make(folder: Path, cases: int) -> None:
    """Features, labels and a version, unless they are there; opinions as arrays too where other
    libraries are to choose from them."""
    if (folder / "version.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    features = features_in(folder / "features")
    mixing = {m: rng.standard_normal((FINDINGS, WIDTH)) / 4 for m in features.modalities}
    targets = truth_of(rng, LABELLED)
    total = LABELLED + cases
    for begin in range(0, total, _ROWS):
        numbers = range(begin, min(begin + _ROWS, total))
        truth = truth_of(rng, len(numbers))
        known = targets[begin : begin + len(numbers)]
        truth[: len(known)] = known
        for m in features.modalities:
            rows = truth @ mixing[m] + rng.standard_normal((len(numbers), WIDTH))
            hashes = [content(m, number) for number in numbers]
            features._writable(m).append(hashes, rows.astype(np.float32))
        print(f"\r{numbers.stop:,} cases", end="", file=sys.stderr, flush=True)
    version = train(features, targets, folder / "bundle")
    np.save(folder / "targets.npy", targets)
    (folder / "version.json").write_text(json.dumps(version))
    if cases <= COMPARED:
        Bench(folder, cases).keep_opinions()
        Bench(folder, cases).keep_scores()


def table_of(targets: np.ndarray) -> Any:
    """The labels of the first cases."""
    from mmreview.domain.cases import Partition
    from mmreview.domain.labels import LabelTable

    numbers = range(len(targets))
    return LabelTable(
        keys=np.arange(len(targets)), groups=tuple(map(str, numbers)),
        partitions=(Partition.TRAIN,) * len(targets),
        hashes={m: tuple((content(m, n),) for n in numbers) for m in ("image", "text")},
        targets=targets, corrected=np.zeros(targets.shape, bool),
        basis=np.full(targets.shape, 3, np.int8), through_seq=1,
    )


def names() -> tuple[str, ...]:
    """Of the findings."""
    return tuple(f"Finding {t}" for t in range(FINDINGS))


def train(features: Any, targets: np.ndarray, folder: Path) -> dict[str, Any]:
    """A version, as a round makes it."""
    from mmreview.domain.ports import TrainingRequest
    from mmreview.domain.versions import LambdaChoice
    from mmreview.ml.trainer import FusionTrainer

    request = TrainingRequest(
        version=1, table=table_of(targets), findings=names(), schema="synthetic",
        fusion="mixture", weight=LambdaChoice(), seed=0, folder=folder,
    )
    result = finished(FusionTrainer(features).train(request))
    return {"sha256": result.sha256, "fusion": result.fusion}


def finished(work: Any) -> Any:
    """Run a generator to its end; what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


# --- ours -------------------------------------------------------------------------------------


class Bench:
    """The request of one policy over the synthetic project."""

    def __init__(self, folder: Path, cases: int) -> None:
        from mmreview.domain.versions import Role, Version
        from mmreview.ml.acquisition import PolicyRegistry
        from mmreview.ml.trainer import FusionTrainer

        self.folder, self.cases = folder, cases
        self.features = features_in(folder / "features")
        self.load = FusionTrainer(self.features).load
        self.registry = PolicyRegistry(self.features, load=self.load)
        self.table = table_of(np.load(folder / "targets.npy"))
        self.doubts: Callable[[], Any] = lambda: None
        card = json.loads((folder / "version.json").read_text())
        suspects = [
            {"key": key, "finding": names()[0], "state": "absent", "confidence": 0.01}
            for key in range(LABELLED, LABELLED + 100)
        ]
        self.version = Version(
            1, card["sha256"], Role.CHAMPION, None, "bundle", "", card["fusion"], 0, 1,
            metrics={"suspects": suspects},
        )

    def request(self, policy: str, cases: int | None = None) -> Any:
        """The next ``TOP`` of the pool, or of the first few of it."""
        from mmreview.domain.acquisition import AcquisitionRequest

        keys = range(LABELLED, LABELLED + (cases or self.cases))
        hashes = {m: [(content(m, key),) for key in keys] for m in self.features.modalities}
        return AcquisitionRequest(
            policy=policy, top=TOP, keys=list(keys), hashes=hashes, table=self.table,
            findings=names(), version=self.version, folder=self.folder / "bundle", threads=1,
            doubts=self.doubts,
        )

    def measured(self, policy: str) -> dict[str, float]:
        """Seconds and MiB of one call, after a small one that imports what it needs."""
        finished(self.registry.rank(self.request(policy, 2000)))
        request = self.request(policy)
        return watched(lambda: finished(self.registry.rank(request)))

    @contextmanager
    def told(self) -> Iterator[None]:
        """Doubts come from the scores of a project that holds the pool's cases."""
        from mmreview.domain.cases import Partition
        from mmreview.store.engine import open_store

        store = open_store(self.folder / "project.mmreview")

        def doubts() -> list[tuple[int, float]] | None:
            found = store.queue.doubtful(1, Partition.TRAIN, TOP)
            assert found is not None
            return [(key + LABELLED - 1, doubt) for key, doubt in found]

        self.doubts = doubts
        yield
        store.close()

    def keep_scores(self) -> None:
        """Make that project, and score its cases."""
        from mmreview.domain.cases import ImageRef, Partition
        from mmreview.domain.findings import Finding, FindingSchema
        from mmreview.domain.ports import CaseDraft
        from mmreview.domain.predictions import CaseScore
        from mmreview.ml.acquisition.pool import Pool
        from mmreview.store.engine import create_store

        request = self.request("entropy")
        pool = Pool(request, self.features, lambda: self.load(self.version, request.folder))
        [doubts] = finished(pool.scan(lambda block: block.scores.uncertainty))
        schema = FindingSchema("synthetic", tuple(Finding(name) for name in names()))
        store = create_store(self.folder / "project.mmreview", schema)
        for begin in range(0, self.cases, 1000):
            numbers = range(begin + LABELLED, min(begin + 1000, self.cases) + LABELLED)
            store.cases.upsert(
                [
                    CaseDraft(
                        id=str(n), group=str(n), partition=Partition.TRAIN,
                        images=(ImageRef(content("image", n), "none.png", 8, 8, ""),),
                        report="Synthetic.", report_sha256=content("text", n), patient_id="",
                        accession="", study_date="", metadata={}, labels={}, fingerprint=str(n),
                    )
                    for n in numbers
                ]
            )
        store.scores.serve(1)
        scored = enumerate(doubts.tolist(), start=1)
        store.scores.replace(
            1, [CaseScore(key, 0.0, d, "queue.uncertain", {"finding": names()[0]}, d)
                for key, d in scored],
        )
        store.close()

    def choosing(self, policy: str) -> dict[str, float]:
        """The same of what comes after the opinions, by the functions of the policy."""
        from mmreview.ml.acquisition import bald, entropy
        from mmreview.ml.acquisition.choosing import best
        from mmreview.ml.acquisition.pool import BLOCK
        from mmreview.ml.acquisition.questions import asked, mean

        questions = asked(FINDINGS, ())
        if policy == "entropy":
            fused = np.load(self.folder / "fused.npy")
            return quickest(lambda: entropy.most_entropy(fused, questions, TOP))
        members = np.load(self.folder / "members.npy")

        def choose() -> None:
            told = np.empty(members.shape[1:], np.float32)
            for begin in range(0, len(told), BLOCK):
                part = slice(begin, begin + BLOCK)
                told[part] = bald.information([m[part] for m in members], questions)
            best(mean(told), TOP)

        return quickest(choose)

    def keep_opinions(self) -> None:
        """Leave features and opinions as arrays, for the baselines to choose from."""
        from mmreview.ml.acquisition.entropy import probabilities
        from mmreview.ml.acquisition.pool import Pool

        request = self.request("bald")
        pool = Pool(request, self.features, lambda: self.load(self.version, request.folder))
        fused, members, raw = finished(
            pool.scan(
                probabilities,
                lambda block: np.stack(block.members, axis=1),
                lambda block: np.hstack([block.features[m] for m in pool.modalities]),
            )
        )
        np.save(self.folder / "fused.npy", fused)
        np.save(self.folder / "features.npy", raw)
        np.save(self.folder / "members.npy", np.ascontiguousarray(members.transpose(1, 0, 2)))


def quickest(work: Callable[[], object], times: int = 3) -> dict[str, float]:
    """The one of a few runs that was least work."""
    return min((watched(work) for _ in range(times)), key=lambda found: found["work"])


def watched(work: Callable[[], Any]) -> dict[str, float]:
    """Seconds of the clock and of the core, and the most MiB that this process held beyond what
    it held before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before, begun, worked = held("VmRSS"), time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": time.perf_counter() - begun,
        "work": time.process_time() - worked,
        "memory": held("VmHWM") - before,
    }


def held(name: str) -> float:
    """MiB of a line of Linux's account of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


# --- the others -------------------------------------------------------------------------------


class Given:
    """A classifier that has its opinions ready."""

    def __init__(self, probabilities: np.ndarray) -> None:
        self._probabilities = probabilities

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Those of the rows."""
        return self._probabilities


def baseline(name: str, folder: Path) -> dict[str, float]:
    """Seconds and MiB of another library's choice (this runs in its interpreter)."""
    features = np.load(folder / "features.npy")
    fused = np.load(folder / "fused.npy")
    share = fused / fused.sum(axis=1, keepdims=True)  # they know of one question only
    scale = 1.0
    if name == "entropy":
        from modAL.uncertainty import entropy_sampling

        def work() -> object:
            return entropy_sampling(Given(share), features, n_instances=TOP)
    elif name == "bald":
        from baal.active.heuristics import BALD

        members = np.load(folder / "members.npy")
        both = np.stack([members, 1 - members])  # classes, members, cases, findings
        both = np.ascontiguousarray(both.transpose(2, 0, 3, 1))

        def work() -> object:
            return BALD(reduction="mean").get_ranks(both)[:TOP]
    elif name == "coreset":
        from skactiveml.pool import CoreSet

        labels = np.full(len(features), np.nan)
        labels[:LABELLED] = 0

        def work() -> object:
            return CoreSet(random_state=0).query(features, labels, batch_size=TOP)
    else:
        from skactiveml.base import SkactivemlClassifier
        from skactiveml.pool import Badge

        few = min(_BADGE_CASES, len(features))
        scale = len(features) / few
        features, share = features[:few], share[:few]

        class Ready(SkactivemlClassifier):
            def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
                return self

            def predict_proba(self, X: Any) -> Any:
                return share

        def work() -> object:
            return Badge(random_state=0).query(
                features, np.full(few, np.nan), clf=Ready(classes=list(range(FINDINGS))),
                fit_clf=False, batch_size=TOP,
            )

    found = quickest(work) if name in ("entropy", "bald") else watched(work)
    found = {measure: value * scale for measure, value in found.items()}
    return {**found, **({"whole": regression(features, share)} if name == "entropy" else {})}


def regression(features: np.ndarray, share: np.ndarray) -> float:
    """The least work of modAL's choice from features, by scikit-learn's logistic regression."""
    from modAL.uncertainty import entropy_sampling
    from sklearn.linear_model import LogisticRegression

    few, labels = features[:LABELLED], share[:LABELLED].argmax(axis=1)
    labels[:FINDINGS] = range(FINDINGS)
    fitted = LogisticRegression(max_iter=50, tol=0.1).fit(few, labels)
    return quickest(lambda: entropy_sampling(fitted, features, n_instances=TOP))["work"]


# --- the table --------------------------------------------------------------------------------


def alone(python: str, *arguments: str) -> dict[str, float]:
    """What this script prints in a process of its own, on one core."""
    environment = dict(os.environ, MMREVIEW_THREADS="1")
    for library in ("OMP", "OPENBLAS", "MKL"):
        environment[f"{library}_NUM_THREADS"] = "1"
    answer = subprocess.run(
        [python, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True,
        env=environment,
    )
    return json.loads(answer.stdout.splitlines()[-1])


def inner(given: argparse.Namespace) -> None:
    """Measure one thing in this process and print JSON."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    policy, folder, cases = given.inner[0], Path(given.inner[1]), int(given.inner[2])
    if given.inner[3] == "make":  # here, so that the memory that it takes is given back
        make(folder, cases)
        print("{}")
        return
    if given.inner[3] == "baseline":
        print(json.dumps(baseline(policy, folder)))
        return
    bench = Bench(folder, cases)
    if policy == TOLD:
        with bench.told():
            print(json.dumps(bench.measured("entropy")))
        return
    found = bench.measured(policy)
    if given.inner[3] == "choosing":
        found = {**found, **{f"choosing {k}": v for k, v in bench.choosing(policy).items()}}
    print(json.dumps(found))


def row(policy: str, folder: Path, cases: int, baselines: str | None) -> str:
    """One line of the table."""
    compared = policy in TARGETS and cases <= COMPARED
    kind = "choosing" if compared and policy in ("entropy", "bald") else "whole"
    found = alone(sys.executable, "--inner", policy, str(folder), str(cases), kind)
    line = f"{policy:<14}{found['seconds']:8.2f} s{found['work']:8.2f} s{found['memory']:6.0f} MiB"
    ours = found.get("choosing work", found["work"])
    line += f"{ours:9.3f} s" if "choosing work" in found else " " * 11
    if not compared:
        return line
    if baselines:
        name = "entropy" if policy == TOLD else policy
        other = alone(baselines, "--inner", name, str(folder), str(cases), "baseline")
        theirs = other["work"]
        line += f"{other['seconds']:9.2f} s{theirs:8.2f} s{other['memory']:7.0f} MiB"
    else:
        theirs = ISSUE[policy] * cases / 100_000
        line += f"{theirs:9.2f} s (the issue's)   "
    line += f"  x {ours / theirs:.3f} (<= {TARGETS[policy]})"
    if baselines and "whole" in other:
        line += f"; whole x {found['work'] / other['whole']:.2f} ({other['whole']:.2f} s)"
    return line


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, help="where synthetic features are kept")
    parser.add_argument("--cases", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--policies", nargs="*", help="all unless named")
    parser.add_argument("--baselines", help="an interpreter with modAL, baal and scikit-activeml")
    parser.add_argument("--inner", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        inner(given)
        return
    from mmreview.ml.acquisition import POLICIES

    for cases in given.cases:
        folder = given.work / f"acquisition-{cases}"
        alone(sys.executable, "--inner", "all", str(folder), str(cases), "make")
        print(f"\n{cases:,} cases x {2 * WIDTH} (SYNTHETIC), next {TOP}, one core")
        print(
            "policy         seconds      work    memory  choosing"
            "   baseline's: seconds, work, memory   ours / baseline (work)"
        )
        rows = list(given.policies or POLICIES)
        if "entropy" in rows and cases <= COMPARED:
            rows.insert(rows.index("entropy"), TOLD)
        for policy in rows:
            print(row(policy, folder, cases, given.baselines), flush=True)


if __name__ == "__main__":
    main()
