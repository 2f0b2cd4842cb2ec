"""The encoder of each modality. Every project has those of ``DEFAULT_ENCODERS``; those of
``FURTHER_ENCODERS`` join where a project has such content (``features.EncodedFeatures.join``).

Cards import no torch; each names the function that loads what it describes. Encoders by name
(``timm:NAME``, ``hf:FOLDER``) will be functions from such a name to a card, beside these.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from mmreview.domain.cases import CLINICAL, IMAGE, TEXT, Case
from mmreview.domain.clinical import QUANTITIES, values_sha256
from mmreview.domain.reads import canonical_json
from mmreview.ml.encoders.card import PARTS, Encoder, EncoderCard, Item, Placement, Weighing
from mmreview.ml.preprocess import IMAGE_PREPROCESSING

#: Tokens of a report in one window (the model's own limit is 256 with its two marks), and how many
#: of them the next window repeats.
TEXT_WINDOW, TEXT_OVERLAP = 254, 32

#: Columns of hashed words, and again of hashed spellings (``ngrams``), behind the network's 384.
NGRAM_COLUMNS = 1024

#: The vocabulary and its rules are part of what text features depend on.
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


def _images(case: Case, root: Path) -> tuple[Item, ...]:
    return tuple(Item(image.sha256, root / image.path, image.path) for image in case.images)


def _report(case: Case, root: Path) -> tuple[Item, ...]:
    """A report of nothing but blanks is no report."""
    if case.report is None or not case.report.strip() or not case.report_sha256:
        return ()
    return (Item(case.report_sha256, case.report),)


def _clinical(case: Case, root: Path) -> tuple[Item, ...]:
    values = case.clinical
    return (Item(values_sha256(values), values),) if values else ()


def _load_efficientnet(card: EncoderCard, placement: Placement) -> Encoder:
    from mmreview.ml.encoders.efficientnet import EfficientNetEncoder

    return EfficientNetEncoder(card, placement)


def _load_patches(card: EncoderCard, placement: Placement) -> Encoder:
    from mmreview.ml.encoders.efficientnet import PatchEncoder

    return PatchEncoder(card, placement)


def _load_spans(card: EncoderCard, placement: Placement) -> Encoder:
    from mmreview.ml.encoders.minilm import SpanEncoder

    return SpanEncoder(card, placement)


def _load_minilm(card: EncoderCard, placement: Placement) -> Encoder:
    from mmreview.ml.encoders.minilm import MiniLmEncoder

    return MiniLmEncoder(card, placement)


def _load_clinical(card: EncoderCard, placement: Placement) -> Encoder:
    from mmreview.ml.encoders.clinical import ClinicalEncoder

    return ClinicalEncoder(card, placement)


EFFICIENTNET_LITE0 = EncoderCard(
    name="efficientnet-lite0",
    modality=IMAGE,
    weights_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    preprocessing=IMAGE_PREPROCESSING,
    view="mid+last",
    blocks=(1280, 2 * (24 + 40), 2 * (80 + 112)),
    weighing=(Weighing(0.45, damping=0.5), Weighing(0.15), Weighing(0.4)),
    items=_images,
    load=_load_efficientnet,
    pieces=(("last", 1280), ("middle", 2 * (24 + 40 + 80 + 112))),
    stored="float16",
)

MINILM = EncoderCard(
    name="all-minilm-l6-v2",
    modality=TEXT,
    weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    preprocessing=f"wordpiece-{TOKENIZER_SHA256[:12]}-window{TEXT_WINDOW}-overlap{TEXT_OVERLAP}",
    view=f"mean-l2+words-spellings-{NGRAM_COLUMNS}",
    blocks=(384, 2 * NGRAM_COLUMNS),
    weighing=(Weighing(), Weighing(damping=0.5, joined=True)),
    items=_report,
    load=_load_minilm,
    pieces=(("embedding", 384), ("ngrams", 2 * NGRAM_COLUMNS)),
    step=64,
    sparse=2 * NGRAM_COLUMNS,
)

#: What stands for weights: which values there are, in which order, and how each is scaled.
_SCALES = canonical_json([(q.name, q.unit, q.scale, q.skewed) for q in QUANTITIES])

CLINICAL_VALUES = EncoderCard(
    name="clinical-values",
    modality=CLINICAL,
    weights_sha256=hashlib.sha256(_SCALES.encode()).hexdigest(),
    preprocessing="reference-range",
    view="scaled+known",
    blocks=(2 * len(QUANTITIES),),
    items=_clinical,
    load=_load_clinical,
    step=512,
    marked=True,
)

#: Patches of an image: a grid of so many a side. Spans of a report: so many at most.
GRID, SPANS = 4, 32

PATCHES = replace(
    EFFICIENTNET_LITE0,
    modality=IMAGE + PARTS,
    view=f"stage7-grid{GRID}",
    blocks=(GRID * GRID * 320,),
    load=_load_patches,
    part=320,
    stored="float16",
)

TOKENS = replace(
    MINILM,
    modality=TEXT + PARTS,
    view=f"tokens-spans{SPANS}",
    blocks=(SPANS * 384,),
    load=_load_spans,
    part=384,
    stored="float16",
    sparse=0,
)

#: The parts of each modality that has some; made only where a project's fusion reads them.
DEFAULT_PARTS: dict[str, EncoderCard] = {card.modality: card for card in (PATCHES, TOKENS)}

DEFAULT_ENCODERS: dict[str, EncoderCard] = {
    IMAGE: EFFICIENTNET_LITE0,
    TEXT: MINILM,
}

FURTHER_ENCODERS: dict[str, EncoderCard] = {CLINICAL: CLINICAL_VALUES}
