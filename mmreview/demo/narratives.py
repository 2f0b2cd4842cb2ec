"""Writes the report of a synthetic case from what the radiologist believed to be there.

The belief is not the truth: ``cohort`` may have turned it round (a contradicting report), and a
radiologist leaves things out or hedges. What the report says in the end of each finding comes back
with the text: ``present``, ``absent``, ``uncertain`` or ``omitted``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmreview.demo.lesions import DEVICES, EDEMA, LEFT, RIGHT, Lesion
from mmreview.demo.phrases import (
    CLEAR,
    CLOSERS,
    COMPARISONS,
    DEVICES_SAID,
    FILLERS,
    HISTORIES,
    REASONS,
    TECHNIQUES,
    WORDINGS,
)

STYLES = ("structured", "prose", "dictated", "terse", "unheaded")

#: How often a finding that is there is left out or hedged (at severity 0 and at severity 1).
OMITTED = (0.11, 0.02)
HEDGED = (0.17, 0.05)
#: How often one that is not there is denied outright, or hedged; otherwise it is not mentioned.
DENIED = 0.24
DOUBTED = 0.03


@dataclass(frozen=True, slots=True)
class Patient:
    """What a report knows of the patient."""

    age: int
    female: bool
    study_date: str
    previous_date: str


@dataclass(frozen=True, slots=True)
class Narrative:
    """A report and what it says of each finding."""

    text: str
    says: dict[str, str]


def write_report(
    belief: Mapping[str, Lesion | None],
    patient: Patient,
    rng: np.random.Generator,
    *,
    insist: Sequence[str] = (),
) -> Narrative:
    """The report of one case.

    Args:
        belief: finding → what the radiologist saw of it, None for nothing.
        patient: age, sex and dates, as far as a report names them.
        rng: the case's own source of chance.
        insist: findings that are said plainly, never hedged or left out.
    """
    says = {
        name: _stance(lesion, rng, plain=name in insist) for name, lesion in belief.items()
    }
    style = STYLES[int(rng.choice(len(STYLES), p=(0.34, 0.20, 0.18, 0.16, 0.12)))]
    body = _body(belief, says, patient, rng)
    summary = _summary(belief, says, rng)
    text = _arrange(style, _indication(patient, rng), body, summary, rng)
    return Narrative(text=_mistype(text, rng), says=says)


def _stance(lesion: Lesion | None, rng: np.random.Generator, *, plain: bool) -> str:
    """What the report will say of a finding."""
    chance = rng.random()
    if lesion is None:
        if plain or chance < DENIED:
            return "absent"
        return "uncertain" if chance < DENIED + DOUBTED else "omitted"
    if plain:
        return "present"
    left_out = OMITTED[0] + (OMITTED[1] - OMITTED[0]) * lesion.severity
    hedged = HEDGED[0] + (HEDGED[1] - HEDGED[0]) * lesion.severity
    if chance < left_out:
        return "omitted"
    return "uncertain" if chance < left_out + hedged else "present"


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _fill(template: str, name: str, lesion: Lesion | None, rng: np.random.Generator) -> str:
    """A template with laterality, degree and size of this lesion (or invented ones)."""
    severity = lesion.severity if lesion else 0.1
    side = {RIGHT: "right", LEFT: "left"}.get(lesion.side if lesion else 0)
    if side is None:
        side = "bilateral" if lesion else _pick(rng, ("right", "left"))
    if template == "{device}":
        template = _pick(rng, DEVICES_SAID[lesion.kind if lesion and lesion.kind else "line"])
        side = "right" if side == "bilateral" else side
    degree = ("minimal", "mild", "moderate", "severe")[int(severity * 3.99)]
    words = {
        "side": side,
        "side_title": side.capitalize(),
        "degree": degree,
        "degree_adverb": {"minimal": "slightly", "mild": "mildly", "moderate": "moderately",
                          "severe": "markedly"}[degree],
        "size": ("tiny", "small", "moderate", "large")[int(severity * 3.99)],
        "zone": ("upper", "mid", "lower")[int((lesion.at[1] if lesion else 0.7) * 2.99)],
        "mm": 8 + int(22 * severity),
    }
    return template.format(**words)


def _body(
    belief: Mapping[str, Lesion | None], says: Mapping[str, str], patient: Patient,
    rng: np.random.Generator,
) -> list[str]:
    """The sentences of the findings section, in a radiologist's changing order."""
    sentences = [
        _fill(_pick(rng, WORDINGS[name].present), name, belief[name], rng)
        for name in says if says[name] == "present"
    ]
    sentences += [
        _fill(_pick(rng, WORDINGS[name].hedged), name, belief[name], rng)
        for name in says if says[name] == "uncertain"
    ]
    sentences += _denials([name for name in says if says[name] == "absent"], rng)
    sentences += [_pick(rng, FILLERS) for _ in range(int(rng.integers(0, 2)))]
    rng.shuffle(sentences)
    if rng.random() < 0.45:
        sentences.insert(0, _pick(rng, TECHNIQUES))
    if rng.random() < 0.35:
        sentences.insert(0, _mention(_pick(rng, COMPARISONS), patient, rng))
    return sentences


def _denials(names: Sequence[str], rng: np.random.Generator) -> list[str]:
    """What is not there: some in one sentence, the rest each in its own."""
    order = [names[i] for i in rng.permutation(len(names))]
    together = order[: int(rng.integers(2, 5))] if rng.random() < 0.75 else []
    if len(together) < 2:
        together = []
    alone = order[len(together) :]
    sentences = [_pick(rng, WORDINGS[name].absent) for name in alone]
    if together:
        nouns = [_pick(rng, WORDINGS[name].noun) for name in together]
        opener = _pick(rng, ("No", "There is no", "No evidence of", "Negative for", "Without"))
        sentences.append(f"{opener} {', '.join(nouns[:-1])} or {nouns[-1]}.")
    return sentences


def _summary(
    belief: Mapping[str, Lesion | None], says: Mapping[str, str], rng: np.random.Generator
) -> list[str]:
    """The impression: the main findings, or that there are none."""
    positive = [name for name in says if says[name] == "present"]
    lines = [
        _fill(_pick(rng, WORDINGS[name].brief), name, belief[name], rng).capitalize() + "."
        for place, name in enumerate(positive) if place == 0 or rng.random() < 0.9
    ][:5]
    if not positive and ("uncertain" not in says.values() or rng.random() < 0.4):
        lines = [_pick(rng, CLEAR)]
    elif not positive:
        lines = ["Equivocal findings as described."]
    elif EDEMA not in positive and rng.random() < 0.2:
        lines.append("No other acute abnormality.")
    if rng.random() < 0.2:
        lines.append(_pick(rng, CLOSERS))
    return lines


def _mention(template: str, patient: Patient, rng: np.random.Generator) -> str:
    """A sentence that names a finding without saying that it is there now."""
    name = _pick(rng, [name for name in WORDINGS if name != DEVICES])
    return template.format(
        noun=_pick(rng, WORDINGS[name].noun), date=patient.previous_date, age=patient.age,
        person="woman" if patient.female else "man",
    )


def _indication(patient: Patient, rng: np.random.Generator) -> list[str]:
    sentences = [_mention(_pick(rng, REASONS), patient, rng)]
    if rng.random() < 0.35:
        sentences.append(_mention(_pick(rng, HISTORIES), patient, rng))
    return sentences


def _arrange(
    style: str, indication: Sequence[str], body: Sequence[str], summary: Sequence[str],
    rng: np.random.Generator,
) -> str:
    """Sections and typography as different authors have them; some leave a section out."""
    parts = [("Indication", list(indication)), ("Findings", list(body)),
             ("Impression", list(summary))]
    dropped = rng.random()
    if dropped < 0.10:
        parts = parts[1:]
    elif dropped < 0.18:
        parts = parts[:2]
    if style == "structured":
        if len(parts) > 1 and len(summary) > 1 and parts[-1][0] == "Impression":
            parts[-1] = ("Impression", [f"\n{n}. {s}" for n, s in enumerate(summary, 1)])
        return "\n\n".join(f"{head.upper()}: {' '.join(text).strip()}" for head, text in parts)
    if style == "prose":
        return "\n".join(f"{head}:\n{' '.join(text)}" for head, text in parts)
    if style == "dictated":
        return "\n".join(f"{head.lower()} {' '.join(text)}" for head, text in parts).lower()
    if style == "terse":
        return "\n".join(
            f"{head.upper()}: {' '.join(_short(sentence) for sentence in text)}"
            for head, text in parts
        )
    return " ".join(sentence for _, text in parts for sentence in text)


def _short(sentence: str) -> str:
    """Telegraphic style: the words that carry nothing go."""
    for lead in ("There is a ", "There is an ", "There is ", "The ", "A "):
        if sentence.startswith(lead):
            rest = sentence[len(lead) :]
            return rest[:1].upper() + rest[1:]
    return sentence


def _mistype(text: str, rng: np.random.Generator) -> str:
    """A few slips of the keyboard in a third of the reports; line breaks and heads stay."""
    if rng.random() > 0.35:
        return text
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    for i in rng.permutation(len(long))[: int(rng.integers(1, 4))]:
        word = words[long[i]]
        at = int(rng.integers(1, len(word) - 2))
        slip = int(rng.integers(3))
        words[long[i]] = (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            if slip == 0
            else word[:at] + word[at + 1 :] if slip == 1 else word[:at] + word[at] + word[at:]
        )
    return " ".join(words)
