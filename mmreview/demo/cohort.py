"""Plans and writes the synthetic cohort: truth first, then pictures, reports and the manifest.

The flow: ``plan_cohort`` draws who is ill with what (prevalences hold exactly, diseases go
together), who lacks a modality, whose report contradicts the image and which cases come labelled;
``write_cohort`` draws and writes case by case and yields progress. The same seed gives the same
bytes on the same machine; every case has its own source of chance, so none depends on the others.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.demo.devices import KINDS
from mmreview.demo.lesions import (
    ATELECTASIS,
    CARDIOMEGALY,
    CONSOLIDATION,
    DEVICES,
    EDEMA,
    EFFUSION,
    FRACTURE,
    LESION,
    PNEUMOTHORAX,
    Lesion,
)
from mmreview.demo.narratives import Narrative, Patient, write_report
from mmreview.demo.vitals import clinical_values
from mmreview.domain.findings import Finding, FindingSchema, State
from mmreview.domain.progress import Progress

#: How often each finding is there, and how much it goes with heart failure (latent, -1 to 1).
PREVALENCE: dict[str, tuple[float, float]] = {
    CARDIOMEGALY: (0.40, 0.65),
    EDEMA: (0.30, 0.75),
    CONSOLIDATION: (0.27, -0.15),
    ATELECTASIS: (0.33, 0.15),
    EFFUSION: (0.45, 0.55),
    PNEUMOTHORAX: (0.13, -0.30),
    LESION: (0.16, -0.20),
    FRACTURE: (0.09, -0.10),
    DEVICES: (0.50, 0.25),
}

WITHOUT_IMAGE = 0.08
WITHOUT_REPORT = 0.08
CONTRADICTING = 0.09
TWO_IMAGES = 0.10
FOLLOW_UPS = 0.14
LABELLED = 0.47

#: How many draws of the labelled part are compared; the most even one is kept.
_DRAWS = 64

_ABBREVIATIONS = {
    CARDIOMEGALY: "CM", EDEMA: "ED", CONSOLIDATION: "CO", ATELECTASIS: "AT", EFFUSION: "PE",
    PNEUMOTHORAX: "PTX", LESION: "LL", FRACTURE: "FX", DEVICES: "SD",
}


def demo_schema() -> FindingSchema:
    """The findings of the synthetic project: the nine of CheXpert-14 that can be drawn."""
    from mmreview.demo.phrases import WORDINGS

    return FindingSchema(
        name="synthetic-chest",
        findings=tuple(
            Finding(name=name, abbreviation=_ABBREVIATIONS[name], phrases=WORDINGS[name].noun)
            for name in PREVALENCE
        ),
    )


@dataclass(frozen=True, slots=True)
class CasePlan:
    """One case before it is drawn. ``contradicted`` names what its report turns round."""

    number: int
    patient: int
    age: int
    female: bool
    study_date: date
    previous_date: date
    lesions: tuple[Lesion, ...]
    with_image: bool
    with_report: bool
    lateral: bool
    portable: bool
    labelled: bool
    contradicted: tuple[str, ...]

    @property
    def id(self) -> str:
        """The id in the manifest."""
        return f"SYN-{self.number + 1:04d}"

    @property
    def truth(self) -> dict[str, bool]:
        """Finding → whether it is there."""
        there = {lesion.finding for lesion in self.lesions}
        return {name: name in there for name in PREVALENCE}


def _sickness(cases: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(cases, findings): who has what. Each prevalence holds to the nearest case."""
    heart = rng.normal(size=(cases, 1))
    weight = np.array([w for _, w in PREVALENCE.values()])
    score = heart * weight + rng.normal(size=(cases, len(PREVALENCE))) * np.sqrt(1 - weight**2)
    ill = np.zeros_like(score, dtype=bool)
    for column, (share, _) in enumerate(PREVALENCE.values()):
        count = min(max(round(share * cases), 1), cases)
        ill[np.argsort(-score[:, column], kind="stable")[:count], column] = True
    return ill


def _share(cases: int, share: float, rng: np.random.Generator, among: NDArray[np.bool_]) -> (
    NDArray[np.bool_]
):
    """Mark ``share`` of all cases, drawn among those that may be."""
    chosen = np.zeros(cases, dtype=bool)
    free = rng.permutation(np.flatnonzero(among))
    chosen[free[: round(share * cases)]] = True
    return chosen


def _labelled(ill: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """The part that comes labelled: the draw in which every finding is most evenly represented,
    so that a cohort of 60 can fit a first model."""
    cases = len(ill)
    best, least = np.zeros(cases, dtype=bool), np.inf
    for _ in range(_DRAWS):
        chosen = _share(cases, LABELLED, rng, np.ones(cases, dtype=bool))
        expected = ill.sum(axis=0) * LABELLED
        worst = float((np.abs(ill[chosen].sum(axis=0) - expected) / np.sqrt(expected + 1)).max())
        if worst < least:
            best, least = chosen, worst
    return best


def _patients(cases: int, rng: np.random.Generator) -> list[int]:
    """The patient of each case: some come twice, in cases next to each other."""
    again = rng.random(cases) < FOLLOW_UPS
    again[0] = False
    again[1:] &= ~again[:-1]
    return (np.cumsum(~again) - 1).tolist()


def plan_cohort(*, cases: int, seed: int) -> list[CasePlan]:
    """Everything about the cohort that is decided before a pixel is drawn."""
    rng = np.random.default_rng([seed, 0])
    ill = _sickness(cases, rng)
    everyone = np.ones(cases, dtype=bool)
    no_image = _share(cases, WITHOUT_IMAGE, rng, everyone)
    no_report = _share(cases, WITHOUT_REPORT, rng, ~no_image)
    complete = ~no_image & ~no_report
    contradicting = _share(cases, CONTRADICTING, rng, complete & ill.any(axis=1))
    lateral = _share(cases, TWO_IMAGES, rng, ~no_image)
    labelled = _labelled(ill, rng)
    patients = _patients(cases, rng)
    plans: list[CasePlan] = []
    for number in range(cases):
        own = np.random.default_rng([seed, 1, number])
        who = np.random.default_rng([seed, 2, patients[number]])
        lesions = tuple(
            _lesion(name, own) for name, there in zip(PREVALENCE, ill[number], strict=True) if there
        )
        follows = number > 0 and patients[number] == patients[number - 1]
        first = date(2023, 1, 1) + timedelta(days=int(who.integers(0, 900)))
        day = first + timedelta(days=int(own.integers(4, 90)) if follows else 0)
        portable = bool(own.random() < 0.22)
        plans.append(
            CasePlan(
                number=number,
                patient=patients[number],
                age=int(np.clip(who.normal(61, 16), 19, 96)),
                female=bool(who.random() < 0.48),
                study_date=day,
                previous_date=first if follows else first - timedelta(days=211),
                lesions=lesions,
                with_image=not no_image[number],
                with_report=not no_report[number],
                lateral=bool(lateral[number]) and not portable,
                portable=portable,
                labelled=bool(labelled[number]),
                contradicted=_turned(lesions, own) if contradicting[number] else (),
            )
        )
    return plans


def _lesion(name: str, rng: np.random.Generator) -> Lesion:
    """Severity, side and place of a finding. Mild disease is more frequent than severe."""
    side = int(rng.choice((-1, 1)))
    if name == EFFUSION and rng.random() < 0.3:
        side = 0
    if name in (CARDIOMEGALY, EDEMA):
        side = 0
    kind = ""
    if name == DEVICES:
        kind = str(rng.choice(KINDS))
    return Lesion(
        finding=name,
        severity=float(np.clip(rng.beta(1.6, 1.7), 0.02, 1.0)),
        side=side,
        at=(float(rng.uniform()), float(rng.uniform())),
        kind=kind,
    )


def _turned(lesions: tuple[Lesion, ...], rng: np.random.Generator) -> tuple[str, ...]:
    """What a contradicting report turns round: the plainest lesion and one more finding."""
    plainest = max(lesions, key=lambda lesion: lesion.severity).finding
    others = [name for name in PREVALENCE if name not in (plainest, DEVICES)]
    return (plainest, str(rng.choice(others)))


def _belief(plan: CasePlan, rng: np.random.Generator) -> dict[str, Lesion | None]:
    """What the report's author holds to be there."""
    seen = {lesion.finding: lesion for lesion in plan.lesions}
    belief: dict[str, Lesion | None] = {name: seen.get(name) for name in PREVALENCE}
    for name in plan.contradicted:
        if belief[name] is None:
            belief[name] = replace(_lesion(name, rng), severity=float(rng.uniform(0.4, 0.9)))
        else:
            belief[name] = None
    return belief


def write_cohort(folder: Path, *, cases: int, seed: int) -> Generator[Progress, None, Path]:
    """Draw and write a cohort into ``folder``; returns the manifest's path.

    Yields ``progress.draw`` after every case. The manifest is written last, so that a folder
    with one is complete. No reader is needed: the truth travels in each row's metadata.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    rows = []
    for plan in plan_cohort(cases=cases, seed=seed):
        rows.append(_write_case(folder, plan, seed=seed))
        yield Progress("progress.draw", len(rows), cases)
    manifest = folder / "manifest.jsonl"
    lines = [json.dumps(row, ensure_ascii=False, separators=(", ", ": ")) for row in rows]
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest


def _write_case(folder: Path, plan: CasePlan, *, seed: int) -> dict[str, Any]:
    """Draw a case's pictures, write its report; returns its row of the manifest."""
    from mmreview.demo.anatomy import draw_anatomy
    from mmreview.demo.lateral import lateral
    from mmreview.demo.radiographs import frontal

    pixels = np.random.default_rng([seed, 3, plan.number])
    words = np.random.default_rng([seed, 4, plan.number])
    body = draw_anatomy(
        np.random.default_rng([seed, 5, plan.patient]), female=plan.female, age=plan.age
    )
    row: dict[str, Any] = {"id": plan.id}
    positions: dict[str, Any] = {}
    if plan.with_image:
        film = frontal(body, plan.lesions, pixels, portable=plan.portable)
        pictures = [film.image]
        if plan.lateral:
            pictures.append(lateral(body, plan.lesions, pixels))
        row["images"] = [f"images/{plan.id}-{n}.jpg" for n in range(1, len(pictures) + 1)]
        for name, picture in zip(row["images"], pictures, strict=True):
            picture.save(folder / name, quality=88)
        positions = {name: list(place) for name, place in film.positions.items()}
    says: dict[str, str] = {}
    if plan.with_report:
        report = report_of(plan, words)
        row["report"], says = report.text, report.says
    if plan.labelled:
        row["labels"] = {
            name: str(State.PRESENT if there else State.ABSENT)
            for name, there in plan.truth.items()
        }
        row["labels_complete"] = True
    row |= {
        "patient_id": f"SYN-P{plan.patient + 1:04d}",
        "study_date": plan.study_date.isoformat(),
        "view": _views(plan),
        "sex": "F" if plan.female else "M",
        "age": plan.age,
        **_values(plan, seed=seed),
        "synthetic": True,
        "truth": {
            "findings": plan.truth,
            "positions": positions,
            "report": says,
            "contradicted": list(plan.contradicted),
        },
    }
    return row


def _values(plan: CasePlan, *, seed: int) -> dict[str, float]:
    """The patient's clinical values on that day."""
    severity = {lesion.finding: lesion.severity for lesion in plan.lesions}
    return clinical_values(severity, np.random.default_rng([seed, 6, plan.number]))


def _views(plan: CasePlan) -> str | list[str]:
    """The projection of each picture."""
    view = "AP" if plan.portable else "PA"
    return [view, "LATERAL"] if plan.lateral and plan.with_image else view


def report_of(plan: CasePlan, rng: np.random.Generator) -> Narrative:
    """The report of a planned case, and what it says of each finding."""
    return write_report(
        _belief(plan, rng),
        Patient(
            age=plan.age,
            female=plan.female,
            study_date=plan.study_date.isoformat(),
            previous_date=plan.previous_date.isoformat(),
        ),
        rng,
        insist=plan.contradicted,
    )
