"""How fast a round is: 10,000 cached cases, 14 findings, features as wide as the real ones.

    python tests/benchmarks/training.py [--cases 10000] [--repeats 5] [--cache FOLDER] [--only PART]

Prints the head solver against a plain full-batch ``torch.optim.LBFGS`` (its default line search,
and strong Wolfe) and against AdamW over a ``DataLoader``, all on the same features, objective and
regularisation, as the time until the objective is within 5 % of the optimum; then a warm start
after 25 corrections; then a whole round (reading, cross-fits, calibration, λ, metrics, gate,
bundle), from scratch and warm, with its longest pause between two yields; then, if the real data
lies beside the repository, 10 corrections of the covid pairs: the heads, the whole fit (heads,
calibration, fusion, fold twins) and the whole round, warm in a process that has trained them
before. Medians of ``--repeats``, ratios within this process. The numbers of rivals are taken beside
ours, in turn, so that a noisy machine is noisy for all.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmreview.domain.cases import Partition
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import TrainingRequest
from mmreview.domain.versions import LambdaChoice, Role, Version
from mmreview.ml.encoders.card import Weighing
from mmreview.ml.encoders.registry import DEFAULT_ENCODERS
from mmreview.ml.solver import Columns, Design, solve
from mmreview.ml.trainer import FusionTrainer
from mmreview.services.learning import DEFAULT_FUSION

BLOCKS = {m: card.blocks for m, card in DEFAULT_ENCODERS.items()}
WIDTHS = {m: sum(blocks) for m, blocks in BLOCKS.items()}
FINDINGS = 14
SPREAD = 1.0
WITHIN = 1.05
Curve = list[tuple[float, float]]


class SyntheticFeatures:
    """Correlated features with a spectrum like that of frozen encoders, and labels they cause."""

    def __init__(self, cases: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.modalities = tuple(WIDTHS)
        self.matrices = {}
        logits = np.linspace(-3.5, 0.0, FINDINGS)
        for m, width in WIDTHS.items():
            scale = np.arange(1, 201)[:, None] ** -0.7
            mixing = rng.standard_normal((200, width)).astype(np.float32) * scale
            values = rng.standard_normal((cases, 200)).astype(np.float32) @ mixing
            values += 0.3 * rng.standard_normal((cases, width)).astype(np.float32)
            values = ((values - values.mean(0)) / values.std(0)).astype(np.float32)
            self.matrices[m] = values
            logits = logits + values @ rng.standard_normal((width, FINDINGS)) * 1.2 / width**0.5
        self.targets = (rng.random((cases, FINDINGS)) < 1 / (1 + np.exp(-logits))).astype("f")
        self.targets[rng.random(self.targets.shape) < 0.1] = np.nan

    marked: frozenset[str] = frozenset()

    def width(self, modality: str) -> int:
        """Numbers a case."""
        return WIDTHS[modality]

    def blocks(self, modality: str) -> tuple[int, ...]:
        """As the encoders' cards say."""
        return BLOCKS[modality]

    def pieces(self, modality: str) -> tuple[tuple[str, int], ...]:
        """None is named."""
        return ()

    def weighing(self, modality: str) -> tuple[Weighing, ...]:
        """As the encoders' cards say."""
        return DEFAULT_ENCODERS[modality].weighing

    def fingerprint(self, modality: str) -> str:
        """What made them."""
        return "synthetic"

    def cached(self, modality: str) -> int:
        """All are."""
        return len(self.matrices[modality])

    def matrix(
        self, modality: str, hashes: Any, out: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The cached rows."""
        rows = np.array([int(h[0]) for h in hashes])
        return np.take(self.matrices[modality], rows, axis=0, out=out), np.ones(len(rows), bool)

    def table(self, targets: np.ndarray, corrected: np.ndarray) -> LabelTable:
        """All cases, two a patient, a tenth of the patients in the audit partition."""
        n = len(targets)
        keys = [(str(i),) for i in range(n)]
        audit = [i // 2 % 10 == 0 for i in range(n)]
        return LabelTable(
            keys=np.arange(n, dtype=np.int64),
            groups=tuple(f"p{i // 2}" for i in range(n)),
            partitions=tuple(Partition.AUDIT if a else Partition.TRAIN for a in audit),
            hashes={m: tuple(keys) for m in self.modalities},
            targets=targets,
            corrected=corrected,
            basis=np.full(targets.shape, 3, np.int8),
            through_seq=int(corrected.sum()),
        )


def corrected_table(features: SyntheticFeatures, count: int = 25) -> LabelTable:
    """The labels after ``count`` corrections of random findings."""
    rng = np.random.default_rng(1)
    targets, corrected = features.targets.copy(), np.zeros(features.targets.shape, bool)
    rows, columns = rng.integers(len(targets), size=count), rng.integers(FINDINGS, size=count)
    targets[rows, columns] = rng.integers(2, size=count)
    corrected[rows, columns] = True
    return features.table(targets, corrected)


def columns_of(targets: np.ndarray, width: int, corrected: np.ndarray | None = None) -> Columns:
    """The head's problem on one modality."""
    weights = (~np.isnan(targets)).astype(np.float32)
    if corrected is not None:
        weights = weights * np.where(corrected, np.float32(2), np.float32(1))
    known = np.nan_to_num(targets)
    rate = (weights * known).sum(0) / weights.sum(0)
    prior = np.log(rate / (1 - rate)).astype(np.float32)
    return Columns(known, weights, np.full(FINDINGS, width / SPREAD, np.float32), prior)


def own(features: np.ndarray, columns: Columns, start: Any = None) -> tuple[Curve, Any]:
    """Objective against time of this project's solver, design included."""
    begun, curve = time.perf_counter(), []
    work = solve(Design.of(features, seed=0), columns, start=start)
    while True:
        try:
            trace = next(work)
        except StopIteration as done:
            return curve, done.value
        if trace.objective is not None:
            curve.append((time.perf_counter() - begun, trace.objective))


def _torch_problem(features: np.ndarray, columns: Columns) -> tuple[Any, list[torch.Tensor]]:
    x, y = torch.from_numpy(features), torch.from_numpy(columns.targets)
    s, prior = torch.from_numpy(columns.weights), torch.from_numpy(columns.prior)
    strength = float(columns.strengths[0])
    w = torch.zeros(features.shape[1], FINDINGS, requires_grad=True)
    b = torch.zeros(FINDINGS, requires_grad=True)

    def objective(rows: Any = slice(None)) -> torch.Tensor:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            x[rows] @ w + b, y[rows], reduction="none"
        )
        share = 1.0 if isinstance(rows, slice) else len(rows) / len(x)
        ridge = 0.5 * strength * w.square().sum() + 0.5 * (b - prior).square().sum()
        return (s[rows] * loss).sum() + share * ridge

    return objective, [w, b]


def lbfgs(features: np.ndarray, columns: Columns, goal: float, search: str | None) -> float | None:
    """Seconds until torch's full-batch L-BFGS is at ``goal``; None if it never is."""
    objective, parameters = _torch_problem(features, columns)
    n = len(features)
    optimiser = torch.optim.LBFGS(
        parameters, lr=1, max_iter=1, history_size=10, line_search_fn=search
    )
    begun = time.perf_counter()

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = objective() / n
        loss.backward()
        return loss

    for _ in range(300):
        before = optimiser.step(closure)  # the loss where this step began
        if float(before.detach()) * n <= goal:
            return time.perf_counter() - begun
    return None


def adamw(features: np.ndarray, columns: Columns, goal: float) -> float | None:
    """Seconds until AdamW over a DataLoader is at ``goal``, looked at once an epoch (not timed)."""
    objective, parameters = _torch_problem(features, columns)
    data = torch.utils.data.TensorDataset(torch.from_numpy(features), torch.arange(len(features)))
    loader = torch.utils.data.DataLoader(data, batch_size=256, shuffle=True)
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.0)
    spent = 0.0
    for _ in range(60):
        begun = time.perf_counter()
        for _, rows in loader:
            optimiser.zero_grad()
            (objective(rows) / len(rows)).backward()
            optimiser.step()
        spent += time.perf_counter() - begun
        with torch.no_grad():
            if float(objective()) <= goal:
                return spent
    return None


def reached(curve: Curve, goal: float) -> float:
    """When a curve is at or under ``goal``."""
    return next(seconds for seconds, value in curve if value <= goal)


def solver_rows(features: SyntheticFeatures, repeats: int) -> Iterator[tuple[str, str]]:
    """The head solver alone, both modalities added up."""
    after = corrected_table(features)
    took: dict[str, list[float]] = {}
    for _ in range(repeats):
        round_: dict[str, float] = {}

        def add(name: str, seconds: float | None, into: dict[str, float] = round_) -> None:
            into[name] = into.get(name, 0.0) + (float("inf") if seconds is None else seconds)

        for m, x in features.matrices.items():
            columns = columns_of(features.targets, WIDTHS[m])
            curve, solution = own(x, columns)
            goal = WITHIN * curve[-1][1]
            add("own, to 5 %", reached(curve, goal))
            add("own, converged", curve[-1][0])
            changed = columns_of(after.targets, WIDTHS[m], after.corrected)
            warm, _ = own(x, changed, (solution.weights, solution.bias))
            cold, _ = own(x, changed)
            add("warm, converged", warm[-1][0])
            add("cold, converged", cold[-1][0])
            add("warm, to 5 %", reached(warm, WITHIN * cold[-1][1]))
            add("torch LBFGS", lbfgs(x, columns, goal, None))
            add("torch LBFGS, strong Wolfe", lbfgs(x, columns, goal, "strong_wolfe"))
            add("AdamW, DataLoader", adamw(x, columns, goal))
        for name, seconds in round_.items():
            took.setdefault(name, []).append(seconds)
    middle = {name: statistics.median(values) for name, values in took.items()}
    for name, seconds in middle.items():
        yield name, f"{seconds:.3f} s"
    mine = middle["own, to 5 %"]
    rival = min(middle["torch LBFGS"], middle["torch LBFGS, strong Wolfe"])
    yield "own / best torch LBFGS (target <= 1.0)", f"{mine / rival:.2f}"
    faster = middle["AdamW, DataLoader"] / mine
    yield "AdamW / own (target >= 8)", "never got there" if faster == np.inf else f"{faster:.1f}"
    share = middle["warm, converged"] / middle["cold, converged"]
    yield "warm / cold, to the same convergence (target <= .3)", f"{share:.2f}"
    yield "warm / cold, to 5 %", f"{middle['warm, to 5 %'] / mine:.2f}"


def timed_round(
    trainer: FusionTrainer, request: TrainingRequest
) -> tuple[float, float, dict[str, float], Any]:
    """Seconds of a whole round, its longest pause between yields, seconds by phase, result."""
    work = trainer.train(request)
    begun = last = time.perf_counter()
    longest, phases, phase = 0.0, {}, "start"
    while True:
        try:
            step = next(work)
        except StopIteration as done:
            now = time.perf_counter()
            phases["write"] = now - last
            return now - begun, max(longest, now - last), phases, done.value
        now = time.perf_counter()
        phase = step.phase.rsplit(".", 1)[1]
        phases[phase] = phases.get(phase, 0.0) + now - last
        longest, last = max(longest, now - last), now


def round_rows(features: SyntheticFeatures, repeats: int) -> Iterator[tuple[str, str]]:
    """Whole rounds through the trainer."""
    trainer = FusionTrainer(features)
    names = tuple(f"finding {t}" for t in range(FINDINGS))
    first = features.table(features.targets, np.zeros(features.targets.shape, bool))
    after = corrected_table(features)
    runs: dict[str, list[tuple[float, float]]] = {"scratch": [], "warm": []}
    shown: dict[str, dict[str, float]] = {}
    for repeat in range(repeats):
        with tempfile.TemporaryDirectory(prefix="mmreview-training-") as scratch:
            parent = None
            for name, number, table in (("scratch", 1, first), ("warm", 2, after)):
                folder = Path(scratch) / str(number)
                request = TrainingRequest(
                    number, table, names, "test", DEFAULT_FUSION, LambdaChoice(), repeat, folder,
                    parent=parent, parent_folder=Path(scratch) / "1" if parent else None,
                )
                seconds, pause, shown[name], result = timed_round(trainer, request)
                runs[name].append((seconds, pause))
                parent = Version(
                    1, result.sha256, Role.CHAMPION, None, "1", "", DEFAULT_FUSION, 0, 0
                )
    for name, values in runs.items():
        phases = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in shown[name].items())
        seconds = statistics.median(v[0] for v in values)
        yield f"whole round, {name}", f"{seconds:.2f} s ({phases})"
        yield f"  longest pause, {name}", f"{1000 * max(v[1] for v in values):.0f} ms"
    pairs = zip(runs["warm"], runs["scratch"], strict=True)
    share = statistics.median(warm[0] / scratch[0] for warm, scratch in pairs)
    yield "whole round, warm / scratch", f"{share:.2f}"


def _median(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Seconds, and what the last call returned."""
    took = []
    for _ in range(repeats):
        begun = time.perf_counter()
        found = work()
        took.append(time.perf_counter() - begun)
    return statistics.median(took), found


def update_rows(cache: Path, repeats: int) -> Iterator[tuple[str, str]]:
    """Ten corrections of the real covid pairs."""
    from fusion import DATA, SETS, label_table, read_cases
    from heads import finished

    from mmreview.ml import metrics
    from mmreview.ml.features import EncodedFeatures
    from mmreview.ml.prepared import Shelf
    from mmreview.ml.recipe import Ancestor, Recipe, fit, fit_heads
    from mmreview.ml.samples import gather

    if not DATA.is_dir():
        return
    folder, names, targets_of = SETS["covid"]
    rows, cases = read_cases(DATA / folder)
    features = EncodedFeatures(folder=cache / folder, root=DATA / folder)
    finished(features.encode(features.missing(cases)))
    table = label_table(cases, np.array([targets_of(row) for row in rows]), features.modalities)
    after = _corrected(table)
    shelves = {m: Shelf() for m in features.modalities}
    before = finished(gather(features, table, Partition.TRAIN, shelves=shelves))
    samples = finished(gather(features, after, Partition.TRAIN))
    recipe = Recipe()
    first = finished(fit(before, recipe))
    fold_of = dict(zip(before.keys.tolist(), first.folds.tolist(), strict=True))
    ancestor = Ancestor(first.models, fold_of)
    kept = replace(recipe, spreads=first.spreads)
    finished(fit(before, kept, ancestor=ancestor, shelves=shelves))
    again = finished(gather(features, after, Partition.TRAIN, shelves=shelves))  # as a round does

    def warm() -> Any:
        return finished(fit(again, kept, ancestor=ancestor, shelves=shelves))

    def warm_heads() -> Any:
        return finished(fit_heads(again, kept, first.folds, ancestor, shelves))

    nested, _ = _median(lambda: finished(fit(samples, recipe)), repeats)
    same_folds = Ancestor((), fold_of)  # and nothing to start from
    scratch, cold = _median(lambda: finished(fit(samples, kept, ancestor=same_folds)), repeats)
    update, near = _median(warm, repeats)
    heads, _ = _median(warm_heads, repeats)
    yield "covid, full fit, everything nested (target <= 10 s)", f"{nested:.2f} s"
    yield "covid, fit from scratch, regularisation known", f"{1000 * scratch:.0f} ms"
    yield "covid, warm fit after 10 corrections (target <= 50 ms)", f"{1000 * update:.0f} ms"
    yield "  of it the heads and their twins", f"{1000 * heads:.0f} ms"
    yield "  warm / scratch", f"{update / scratch:.2f}"
    for name in ("fused", *samples.modalities):
        said = [fitted.held_out.probabilities[name] for fitted in (near, cold)]
        gaps = [
            np.subtract(*(metrics.auroc(samples.judged[:, t][known], p[known, t]) for p in said))
            for t in range(len(names))
            if (known := ~np.isnan(samples.judged[:, t]) & samples.complete).any()
        ]
        yield f"  macro AUROC, warm - scratch, {name}", f"{np.mean(gaps):+.5f}"
    yield _whole_round(FusionTrainer(features), (table, after), names, repeats)


def _whole_round(
    trainer: FusionTrainer, tables: tuple[LabelTable, LabelTable], names: tuple[str, ...],
    repeats: int,
) -> tuple[str, str]:
    """A round on the first table, then rounds on the second from it: the last one's seconds."""
    table, after = tables
    with tempfile.TemporaryDirectory(prefix="mmreview-update-") as scratch_folder:
        root = Path(scratch_folder)
        request = TrainingRequest(
            1, table, names, "covid", DEFAULT_FUSION, LambdaChoice(), 0, root / "1"
        )
        result = timed_round(trainer, request)[3]
        parent = Version(1, result.sha256, Role.CHAMPION, None, "1", "", DEFAULT_FUSION, 0, 0)
        for number in range(2, 2 + repeats):
            later = replace(
                request, version=number, table=after, folder=root / str(number),
                parent=parent, parent_folder=root / "1",
            )
            seconds, _, phases, _ = timed_round(trainer, later)
    shown = ", ".join(f"{phase} {1000 * took:.0f}" for phase, took in phases.items())
    return "covid, whole warm round (the last of them)", f"{1000 * seconds:.0f} ms ({shown})"


def _corrected(table: LabelTable, count: int = 10) -> LabelTable:
    """The table after ``count`` corrections of cases that have labels."""
    rng = np.random.default_rng(1)
    targets, corrected = table.targets.copy(), table.corrected.copy()
    rows = rng.choice(np.flatnonzero(~np.isnan(targets).any(axis=1)), count, replace=False)
    columns = rng.integers(targets.shape[1], size=count)
    targets[rows, columns] = 1 - targets[rows, columns]
    corrected[rows, columns] = True
    return replace(table, targets=targets, corrected=corrected)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="keep the real pairs' features here")
    parser.add_argument("--only", choices=("rounds", "solver", "update"))
    given = parser.parse_args()
    parts: list[tuple[str, Callable[[SyntheticFeatures, int], Iterator[tuple[str, str]]]]]
    parts = [("rounds", round_rows), ("solver", solver_rows)]
    chosen = [part for name, part in parts if given.only in (None, name)]
    if chosen:
        features = SyntheticFeatures(given.cases)
        for part in chosen:
            for name, value in part(features, given.repeats):
                print(f"{name:<56} {value}", flush=True)
    if given.only in (None, "update"):
        with tempfile.TemporaryDirectory(prefix="mmreview-pairs-") as scratch:
            for name, value in update_rows(given.cache or Path(scratch), given.repeats):
                print(f"{name:<56} {value}", flush=True)


if __name__ == "__main__":
    main()
