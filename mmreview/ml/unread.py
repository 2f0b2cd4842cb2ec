"""Features that a round has read before and prepared: read again only where somebody looks.

Labels change from round to round, features do not. What heads fit on is kept (``prepared``), and
reading a hundred thousand cases takes longer than fitting them: ``samples.gather`` gives an
``Unread`` in place of an array where the same contents were read the last time.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mmreview.ml.samples import CachedFeatures


class Unread:
    """(n, width) features of a modality, with zeros where ``present`` (n,) is False. Rows are taken
    as from an array, and read then."""

    dtype = np.dtype(np.float32)

    def __init__(
        self, source: CachedFeatures, modality: str, *, hashes: Sequence[tuple[str, ...]],
        present: NDArray[np.bool_],
    ) -> None:
        self._source, self._modality = source, modality
        self._hashes, self._present = hashes, present

    @property
    def shape(self) -> tuple[int, int]:
        """Cases and numbers a case."""
        return len(self._hashes), self._source.width(self._modality)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.shape[0] * self.shape[1]

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._hashes)

    def __getitem__(self, asked: Any) -> NDArray[np.float32]:
        rows, *columns = asked if isinstance(asked, tuple) else (asked,)
        places = np.arange(len(self))[rows]
        each = np.atleast_1d(places)
        values, _ = self._source.matrix(self._modality, [self._hashes[i] for i in each.tolist()])
        values[~self._present[each]] = 0
        found = values if places.ndim else values[0]
        return found[(..., *columns)] if columns else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        return self[:] if dtype is None else self[:].astype(dtype)


def contents_of(
    source: CachedFeatures, modality: str, hashes: Sequence[tuple[str, ...]]
) -> bytes:
    """What the features of these cases are known by: their hashes, the encoder, and how many
    contents are cached (of a case's several images, one may have come since)."""
    told = "\n".join([
        source.fingerprint(modality), str(source.cached(modality)), *map(",".join, hashes)
    ])
    return blake2b(told.encode(), digest_size=16).digest()
