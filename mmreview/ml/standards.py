"""How a head's features are brought to one scale before they are fitted, and its weights back.

``Standard`` centres and scales every feature. ``MarkedStandard`` is for values that may be absent
(half of the features are values, the other half marks that each is there): a value is centred and
scaled by those that are there, so that an absent one is 0, the mean, and no extreme.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.solver import Trace

Array = NDArray[np.float32]

_BLOCK = 1024


@dataclass(frozen=True)
class Standard:
    """Mean and scale of the features; a feature that does not vary has scale 0: it is left out."""

    mean: Array
    scale: Array

    @classmethod
    def of(cls, features: Array, rows: NDArray[np.intp]) -> Generator[Trace, None, Standard]:
        """The moments of ``rows``, added up around the first of them for precision."""
        centre = features[rows[0]].astype(np.float64)
        total, square = np.zeros(len(centre)), np.zeros(len(centre))
        for begin in range(0, len(rows), _BLOCK):
            part = features[rows[begin : begin + _BLOCK]] - centre
            total += part.sum(axis=0)
            square += np.einsum("nd,nd->d", part, part)
            yield Trace(0)
        shift = total / len(rows)
        mean = centre + shift
        spread = np.sqrt(np.maximum(square / len(rows) - shift**2, 0.0))
        dull = spread <= 1e-5 * (np.abs(mean) + 1e-3)
        inverse = np.where(dull, 0.0, 1.0 / np.where(dull, 1.0, spread))
        return cls(mean.astype(np.float32), inverse.astype(np.float32))

    def apply(self, features: Array, rows: NDArray[np.intp]) -> Generator[Trace, None, Array]:
        """Standardised copies of ``rows``, a block at a time."""
        result = np.empty((len(rows), features.shape[1]), np.float32)
        for begin in range(0, len(rows), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            np.subtract(features[rows[block]], self.mean, out=result[block])
            result[block] *= self.scale
            yield Trace(0)
        return result

    def raw(self, weights: Array, bias: Array) -> tuple[Array, NDArray[np.float64]]:
        """Weights on standardised features as weights on raw ones."""
        raw = weights * self.scale[:, None]
        return raw, bias.astype(np.float64) - self.mean.astype(np.float64) @ raw

    def standard(self, weights: Array, bias: NDArray[np.float64]) -> tuple[Array, Array]:
        """The other way, for a warm start."""
        scale = np.where(self.scale > 0, 1.0 / np.where(self.scale > 0, self.scale, 1), 0)
        bias = bias + self.mean.astype(np.float64) @ weights
        return (weights * scale[:, None]).astype(np.float32), bias.astype(np.float32)


@dataclass(frozen=True)
class MarkedStandard(Standard):
    """Half of the features are values (0 where absent), the other half their marks (1 or 0).

    A value becomes (value - mark · mean of those that are there) / their spread: a linear change of
    features, so that a head is linear in the raw ones too. A value that hardly anybody has counts
    for no more where it is there than one that everybody has. ``mean`` and ``scale`` hold, for
    values, those of the ones that are there. What never varies is left out, and what is left is
    scaled up as if all features were there: the penalty of a head goes by their number.
    """

    @classmethod
    def of(cls, features: Array, rows: NDArray[np.intp]) -> Generator[Trace, None, MarkedStandard]:
        """The moments of ``rows``."""
        half = features.shape[1] // 2
        count, total, square = np.zeros(half), np.zeros(half), np.zeros(half)
        for begin in range(0, len(rows), _BLOCK):
            part = features[rows[begin : begin + _BLOCK]].astype(np.float64)
            count += part[:, half:].sum(axis=0)
            total += part[:, :half].sum(axis=0)
            square += (part[:, :half] ** 2).sum(axis=0)
            yield Trace(0)
        share = count / len(rows)
        mean = total / np.maximum(count, 1.0)
        spread = np.sqrt(np.maximum(square / np.maximum(count, 1.0) - mean**2, 0.0))
        varies = (spread > 1e-5) & (count > 1)
        known = (share > 0) & (share < 1)
        live = max(int(varies.sum()) + int(known.sum()), 1)
        enlarged = np.sqrt(2 * half / live)
        scale = np.concatenate(
            [
                np.where(varies, enlarged / np.where(varies, spread, 1.0), 0.0),
                # At most 1/2 is a mark's spread: rare marks are not blown up.
                np.where(known, 2.0 * enlarged, 0.0),
            ]
        )
        centre = np.concatenate([mean, share])
        return cls(centre.astype(np.float32), scale.astype(np.float32))

    def apply(self, features: Array, rows: NDArray[np.intp]) -> Generator[Trace, None, Array]:
        """Standardised copies of ``rows``, a block at a time."""
        half = len(self.mean) // 2
        result = np.empty((len(rows), features.shape[1]), np.float32)
        for begin in range(0, len(rows), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            part = features[rows[block]]
            marks = part[:, half:]
            result[block, :half] = (part[:, :half] - marks * self.mean[:half]) * self.scale[:half]
            result[block, half:] = (marks - self.mean[half:]) * self.scale[half:]
            yield Trace(0)
        return result

    def raw(self, weights: Array, bias: Array) -> tuple[Array, NDArray[np.float64]]:
        """Weights on standardised features as weights on raw ones."""
        half = len(self.mean) // 2
        raw = weights * self.scale[:, None]
        offset = bias.astype(np.float64) - self.mean[half:].astype(np.float64) @ raw[half:]
        raw[half:] -= self.mean[:half, None] * raw[:half]
        return raw, offset

    def standard(self, weights: Array, bias: NDArray[np.float64]) -> tuple[Array, Array]:
        """The other way, for a warm start."""
        half = len(self.mean) // 2
        weights = weights.copy()
        weights[half:] += self.mean[:half, None] * weights[:half]
        bias = bias + self.mean[half:].astype(np.float64) @ weights[half:]
        scale = np.where(self.scale > 0, 1.0 / np.where(self.scale > 0, self.scale, 1), 0)
        return (weights * scale[:, None]).astype(np.float32), bias.astype(np.float32)
