"""Every fusion on the 45 real targets of the first measurements, each set a line, with intervals.

    python tests/benchmarks/targets.py [--sets dev|check|synthetic|NAME …] [--seeds N]
        [--cache FOLDER] [--networks]

Choose on ``dev`` (covid, brixia, outc, pocus); ``check`` (brixiaJ, icu, covidM, attr) is for a
choice that stands. Opinions are those of ``evaluation.unseen_opinions`` (grouped 5-fold, everything
nested), measured on cases with image and note; cases without a note teach the image head. AUROC
counts pairs within an outer fold, all seeds together. Every fusion of the registry has a row; the
networks (``gmu``, ``attention``, ``bilinear``) with ``--networks`` only: three seeds will do for
them. ``plain`` is concatenation as in the first measurements: the last layer of the image beside
the embedding of the text, without middle layers and n-grams. ``synthetic`` draws the demo's cohorts
of seeds 11 and 12, 300 cases each, labelled with their truth (``cohort``). ``best`` is the better
modality of each finding, chosen with hindsight; ± is the standard error of a bootstrap over patient
groups, paired. ``worse`` counts findings significantly below best (Holm over the set's findings,
5 %). ``floor`` is the ECE that a model with these very probabilities would show if every one were
true and labels were independent, ``grouped`` the same where labels are as alike within a patient
group as these are, which ``kinship`` tells (0 to 1, see ``ml.perfection``): an outcome is the same
for all images of a patient, and ten of them prove no more than one.
"""

from __future__ import annotations

import argparse
import math
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as changed
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import IMAGE, TEXT, Case, Partition
from mmreview.ml import metrics
from mmreview.ml.evaluation import Unseen, comparable, unseen_opinions
from mmreview.ml.perfection import kin, perfect_errors
from mmreview.ml.recipe import Recipe
from mmreview.ml.samples import Samples, gather

Floats = NDArray[np.float64]
Row = dict[str, Any]

_COHORTS, _COHORT_CASES = (11, 12), 300
#: Columns of the last layer and of the embedding, which the views begin with.
_LAST_LAYER, _EMBEDDING = 1280, 384
_DRAWS = 500
_OUTCOMES = ("survival", "intubated", "went_icu")
_ICU = ("in_icu", "intubation_present")
_ATTRIBUTES = ("male", "age >= 60", "CT", "AP", "supine")
#: What a note calls the labels; masked, a note no longer names what it is judged by.
_LABEL_WORDS = re.compile(
    r"sars[\s-]*cov[\s-]*2|2019[\s-]*ncov|n-?cov|covid[\s-]*(19)?|coronavirus|sars|ards|mers"
    r"|acute respiratory distress( syndrome)?|severe acute respiratory syndrome|pneumonias?"
    r"|pneumonitis|pneumocystis( \w+)?|pcp|pjp|viral|virus(es)?|bacteri\w*|fung\w*|legionella\w*"
    r"|streptococc\w*|klebsiella|e\.? ?coli|varicella|influenza|lipoid|no findings?|normal",
    re.IGNORECASE,
)


def _beside(name: str) -> ModuleType:
    """The module ``name`` of this folder, which is no package."""
    spec = spec_from_file_location(f"benchmark_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fusion, cohort = _beside("fusion"), _beside("cohort")


def junior(row: Row) -> list[float]:
    """The junior radiologist's zone scores against the same thresholds."""
    known = row.get("brixia") or {}
    pairs = ((f"J-{zone[2:]}", threshold) for zone, threshold in fusion.BRIXIA.items())
    return [np.nan if known.get(z) is None else float(known[z] >= least) for z, least in pairs]


def outcomes(names: tuple[str, ...]) -> Callable[[Row], list[float]]:
    """What happened to the patient, where it is known."""

    def targets(row: Row) -> list[float]:
        known = row.get("outcomes") or {}
        return [np.nan if known.get(name) is None else float(known[name]) for name in names]

    return targets


def attributes(row: Row) -> list[float]:
    """What the source's metadata say of patient and picture, where they say it."""
    try:
        older = float(float(row["age"]) >= 60)
    except ValueError:
        older = np.nan
    view = row["view"] if row["view"] not in ("", "?") else None
    return [
        float(row["sex"] == "M") if row["sex"] in ("M", "F") else np.nan,
        older,
        float(row["modality"] == "CT"),
        np.nan if view is None else float(view.startswith("AP")),
        np.nan if view is None else float(view == "AP Supine"),
    ]


@dataclass(frozen=True)
class TargetSet:
    """Findings of one folder's rows; ``masked`` hides the words that name a label."""

    folder: str
    findings: tuple[str, ...]
    targets: Callable[[Row], list[float]]
    masked: bool = False


_COVID, _POCUS = "covid_chestxray", "pocus_lung_ultrasound"
DEV = {
    "covid": TargetSet(_COVID, fusion.COVID, fusion.listed(fusion.COVID)),
    "brixia": TargetSet(_COVID, tuple(fusion.BRIXIA), fusion.scored),
    "outc": TargetSet(_COVID, _OUTCOMES, outcomes(_OUTCOMES)),
    "pocus": TargetSet(_POCUS, fusion.POCUS, fusion.listed(fusion.POCUS)),
}
CHECK = {
    "brixiaJ": TargetSet(_COVID, tuple(f"J{z[1:]}" for z in fusion.BRIXIA), junior),
    "icu": TargetSet(_COVID, _ICU, outcomes(_ICU)),
    "covidM": TargetSet(_COVID, fusion.COVID, fusion.listed(fusion.COVID), masked=True),
    "attr": TargetSet(_COVID, _ATTRIBUTES, attributes),
}


def mask(case: Case) -> Case:
    """The case with every word that names a label replaced by "condition"."""
    if case.report is None:
        return case
    report = _LABEL_WORDS.sub("condition", case.report)
    return changed(case, report=report, report_sha256=sha256(report.encode()).hexdigest())


# --- measuring -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """One set by one opinion over all seeds: (findings,) AUROC, (draws, findings) bootstrap of it,
    and of the calibration macro ECE, its floor, that by groups and their kinship."""

    auroc: Floats
    drawn: Floats
    calibration: Floats


def measure(
    truth: Floats, groups: NDArray[np.str_], seeds: list[Unseen], name: str
) -> Measured:
    """Measure opinion ``name`` of each seed's ``Unseen``; the draws depend on ``groups`` only."""
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS)[:, member]
    alike = [kin(truth, unseen.opinions[name], groups, unseen.folds) for unseen in seeds]
    auroc, boots, errors = [], [], []
    for t in range(truth.shape[1]):
        rows = np.flatnonzero(~np.isnan(truth[:, t]))
        up, down = rows[truth[rows, t] == 1], rows[truth[rows, t] == 0]
        won, pairs = np.zeros((len(up), len(down))), np.zeros((len(up), len(down)))
        for unseen, of in zip(seeds, alike, strict=True):
            p = unseen.opinions[name][:, t]
            same = unseen.folds[up][:, None] == unseen.folds[down][None, :]
            gap = p[up][:, None] - p[down][None, :]
            won += same * ((gap > 0) + 0.5 * (gap == 0))
            pairs += same
            floors = [perfect_errors(p[rows], o, seed=0) for o in (None, of.some(rows))]
            errors.append(
                [
                    metrics.calibration_error(truth[rows, t], p[rows]),
                    *(floor["ece_perfect"] for floor in floors),
                    of.kinship,
                ]
            )
        auroc.append(won.sum() / pairs.sum())
        w_up, w_down = drawn[:, up].astype(float), drawn[:, down].astype(float)
        total = np.einsum("bi,bi->b", w_up @ pairs, w_down)
        boots.append(np.einsum("bi,bi->b", w_up @ won, w_down) / np.where(total, total, np.nan))
    return Measured(np.array(auroc), np.column_stack(boots), np.mean(errors, axis=0))


def significantly_worse(gaps: Floats, errors: Floats) -> int:
    """How many findings' gaps are below zero after Holm's correction, 5 % two-sided."""
    p = np.array([math.erfc(abs(g / e) / math.sqrt(2)) for g, e in zip(gaps, errors, strict=True)])
    worse = 0
    for rank, index in enumerate(np.argsort(p)):
        if p[index] * (len(p) - rank) > 0.05:
            break
        worse += int(gaps[index] < 0)
    return worse


def report(truths: dict[str, Floats], found: dict[str, dict[str, Measured]]) -> None:
    """Print a table a set, then all sets together. ``found`` maps set and opinion."""
    joined: dict[str, list[Measured]] = {}
    for name, opinions in found.items():
        _print(f"{name} ({truths[name].shape[1]} findings)", opinions)
        for opinion, measured in opinions.items():
            joined.setdefault(opinion, []).append(measured)
    if len(found) > 1:
        total = {
            opinion: Measured(
                np.concatenate([m.auroc for m in parts]),
                np.hstack([m.drawn for m in parts]),
                np.mean([m.calibration for m in parts], axis=0),
            )
            for opinion, parts in joined.items()
            if len(parts) == len(found)
        }
        _print(f"all ({len(next(iter(total.values())).auroc)} findings)", total)


def _print(title: str, opinions: dict[str, Measured]) -> None:
    image, text = opinions["image"], opinions["text"]
    ahead = image.auroc >= text.auroc
    best = np.where(ahead, image.auroc, text.auroc)
    drawn = np.where(ahead, image.drawn, text.drawn)
    print(f"\n{title}, better modality of each finding: {best.mean():.3f}")
    columns = ("opinion", "AUROC", "delta", "+-", ">=-.005", ">=-.01", "worst", "worse")
    print(_line(columns[0], *columns[1:], "ECE", "floor", "grouped", "kinship"))
    for opinion, measured in opinions.items():
        gaps, gap_draws = measured.auroc - best, measured.drawn - drawn
        error = float(np.nanstd(np.nanmean(gap_draws, axis=1)))
        errors = np.maximum(np.nanstd(gap_draws, axis=0), 1e-9)
        cells = (
            f"{measured.auroc.mean():.3f}", f"{gaps.mean():+.4f}", f"{error:.4f}",
            f"{(gaps >= -0.005).mean():.2f}", f"{(gaps >= -0.01).mean():.2f}",
            f"{gaps.min():+.3f}", str(significantly_worse(gaps, errors)),
            *(f"{value:.3f}" for value in measured.calibration),
        )
        print(_line(opinion.removeprefix("fusion:"), *cells), flush=True)
    for other in ("text", "image", "fusion:concatenation", "plain"):
        if other in opinions:
            ahead_by = opinions["fused"].auroc - opinions[other].auroc
            draws = np.nanmean(opinions["fused"].drawn - opinions[other].drawn, axis=1)
            name = other.removeprefix("fusion:")
            print(f"fused less {name}: {ahead_by.mean():+.4f} ± {np.nanstd(draws):.4f}", flush=True)


def _line(name: str, *cells: str) -> str:
    return f"{name:>13}  " + "  ".join(f"{cell:>9}" for cell in cells)


# --- the run -------------------------------------------------------------------------------------


def opinions_of(
    name: str, chosen: TargetSet, data: Path, cache: Path, given: argparse.Namespace
) -> tuple[Floats, NDArray[np.str_], list[Unseen]]:
    """The truths on which opinions compare, the patient groups, and each seed's opinions."""
    from mmreview.ml.features import EncodedFeatures

    rows, cases = fusion.read_cases(data / chosen.folder)
    if chosen.masked:
        cases = [mask(case) for case in cases]
    features = EncodedFeatures(folder=cache / chosen.folder, root=data / chosen.folder)
    if given.networks:
        features.want_parts()
    for step in features.encode(features.missing(cases)):
        for problem in step.problems:
            print(f"  {name}: {problem}")
    targets = np.array([chosen.targets(row) for row in rows])
    table = fusion.label_table(cases, targets, features.modalities)
    samples = _result(gather(features, table, Partition.TRAIN, parts=given.networks))
    return _seeds(samples, Recipe(slow=given.networks), given.seeds)


def synthetic_opinions(
    seed: int, given: argparse.Namespace
) -> tuple[Floats, NDArray[np.str_], list[Unseen]]:
    """The same of a synthetic cohort, as it would be imported."""
    from mmreview.compose import ProjectOpener
    from mmreview.demo.cohort import write_cohort
    from mmreview.ml.features import EncodedFeatures
    from mmreview.services.desk import ImportChoice

    with tempfile.TemporaryDirectory(prefix="mmreview-cohort-") as scratch:
        manifest = _result(write_cohort(Path(scratch) / "c", cases=_COHORT_CASES, seed=seed))
        cohort.label_all(manifest)
        desk = ProjectOpener().create_demo(Path(scratch) / "cohort", seed=seed)
        try:
            _result(desk.import_source(manifest, choice=ImportChoice(), actor="benchmark"))
            features = EncodedFeatures(folder=Path(scratch) / "f", root=desk.info.folder)
            if given.networks:
                features.want_parts()
            cases = [case for batch in desk.cases.batches() for case in batch]
            _result(features.encode(cases))
            table, schema = desk.learning.labels(), desk.info.schema
            samples = _result(gather(features, table, Partition.TRAIN, parts=given.networks))
        finally:
            desk.close()
    families = tuple(finding.group for finding in schema.findings)
    return _seeds(samples, Recipe(slow=given.networks, families=families), given.seeds)


def _seeds(
    samples: Samples, recipe: Recipe, count: int
) -> tuple[Floats, NDArray[np.str_], list[Unseen]]:
    """Each seed's opinions, those by plain concatenation too."""
    truth, _ = comparable(samples)
    bare = changed(
        samples,
        features={
            IMAGE: samples.features[IMAGE][:, :_LAST_LAYER],
            TEXT: samples.features[TEXT][:, :_EMBEDDING],
        },
        blocks={},
        weighing={},
        part_widths={},
    )
    found = []
    for seed in range(count):
        unseen = _result(unseen_opinions(samples, folds=5, recipe=changed(recipe, seed=seed)))
        plain = _result(
            unseen_opinions(bare, folds=5, recipe=Recipe("concatenation", seed=seed))
        )
        unseen.opinions["plain"] = plain.opinions["fused"]
        found.append(unseen)
    return truth, samples.groups, found


def _result(work: Any) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=fusion.DATA)
    parser.add_argument("--cache", type=Path, help="keep the encoded features here")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--networks", action="store_true", help="measure the networks too")
    parser.add_argument("--sets", nargs="+", default=["dev"], help="dev, check, synthetic, names")
    given = parser.parse_args()
    if not given.data.is_dir() and given.sets != ["synthetic"]:
        raise SystemExit(f"the real data is not at {given.data}")
    every = {**DEV, **CHECK}
    cohorts = {f"synthetic-{seed}": seed for seed in _COHORTS}
    wide = {"dev": list(DEV), "check": list(CHECK), "synthetic": list(cohorts)}
    names = [name for word in given.sets for name in wide.get(word, [word])]
    with tempfile.TemporaryDirectory(prefix="mmreview-targets-") as scratch:
        truths, found = {}, {}
        for name in names:
            if name in cohorts:
                truth, groups, seeds = synthetic_opinions(cohorts[name], given)
            else:
                cache = given.cache or Path(scratch)
                truth, groups, seeds = opinions_of(name, every[name], given.data, cache, given)
            truths[name] = truth
            found[name] = {o: measure(truth, groups, seeds, o) for o in seeds[0].opinions}
    report(truths, found)


if __name__ == "__main__":
    main()
