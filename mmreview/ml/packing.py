"""How the rows of a feature block lie in its file: hashes first, then what is dense, then what is
mostly zeros as places and values.

``cache`` writes blocks with it and reads them back mapped into memory. A million cases take 8 GB,
not 17: images' numbers are kept in 16 bits (three significant digits: opinions move by .0003 at
most, AUROC on the real pairs by .00005 in the mean), and of a report's 2,048 columns of hashed
words and spellings the 440 or so that are no zero, exactly. The hashes lie together, so that
opening a project does not read its features.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_MAGIC = b"mmrows1\0"
#: Cases, dense numbers a row, bytes of one, columns that are mostly zeros, values in them.
_HEADER = 8 + 5 * 8

#: Rows that are widened at once: they stay in a core's cache.
_TILE = 64
#: What of a number in 16 bits, its sign spread over the upper 16, says something 13 bits higher up:
#: the sign, the exponent and the fraction. Its exponent is then less by 112.
_SAID, _RAISED = np.uint32(0x8FFFE000), np.float32(2.0**112)
#: From these bits on (positive, negative) it is no finite number.
_ENDLESS, _ENDLESS_NEGATIVE = 0x7C00, 0xFC00


@dataclass(frozen=True, slots=True)
class Rows:
    """(n, width) numbers: ``dense`` columns, and behind them ``sparse`` ones, whose ``values`` that
    are no zero stand at columns ``at``; those of row i begin at ``starts[i]``."""

    dense: NDArray
    sparse: int
    starts: NDArray[np.int64]
    at: NDArray[np.uint16]
    values: NDArray[np.float32]

    @classmethod
    def plain(cls, dense: NDArray) -> Rows:
        """Rows without sparse columns."""
        empty = np.zeros(len(dense) + 1, np.int64)
        return cls(dense, 0, empty, np.empty(0, np.uint16), np.empty(0, np.float32))

    @property
    def width(self) -> int:
        """Numbers a row."""
        return self.dense.shape[1] + self.sparse

    def copy(self, sources: NDArray[np.intp], to: NDArray[np.float32]) -> None:
        """Copy some rows; a run of them at once."""
        first, count = int(sources[0]), len(sources)
        run = count > 1 and bool((np.diff(sources) == 1).all())
        wide = self.dense.shape[1]
        widen(self.dense[first : first + count] if run else self.dense[sources], to[:, :wide])
        if self.sparse:
            begins = self.starts[sources]
            counts = self.starts[sources + 1] - begins
            ends = np.cumsum(counts)
            if run:
                span: slice | NDArray[np.int64] = slice(int(begins[0]), int(begins[0] + ends[-1]))
            else:
                span = np.repeat(begins - (ends - counts), counts) + np.arange(ends[-1])
            to[:, wide:] = 0
            columns = np.repeat(np.arange(wide, wide + count * self.width, self.width), counts)
            columns += self.at[span]
            to.reshape(-1)[columns] = self.values[span]

    def whole(self) -> NDArray[np.float32]:
        """All of them."""
        rows = np.empty((len(self.dense), self.width), np.float32)
        if len(rows):
            self.copy(np.arange(len(rows)), rows)
        return rows


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that were written together: ``hashes`` (n,) are sha256 digests (``V32``). ``packed`` are
    the bytes of its file; None in an older file, which goes on being read as it is."""

    hashes: NDArray[np.void]
    rows: Rows
    packed: Bytes | None = None


def pack(
    hashes: NDArray[np.void], rows: NDArray[np.float32], *, stored: str, sparse: int
) -> Block:
    """A block of these rows, dense columns as numbers of type ``stored``. Whoever reads it gets
    what any later reader of its file will."""
    dense = rows[:, : rows.shape[1] - sparse].astype(np.dtype(stored).newbyteorder("<"))
    rest = rows[:, rows.shape[1] - sparse :]
    row, at = np.nonzero(rest)
    starts = np.searchsorted(row, np.arange(len(rows) + 1)).astype("<i8")
    sizes = np.array([len(rows), dense.shape[1], dense.itemsize, sparse, len(at)], "<i8")
    parts = (sizes, hashes, starts, rest[row, at].astype("<f4"), dense, at.astype("<u2"))
    whole = b"".join([_MAGIC, *(np.ascontiguousarray(part).tobytes() for part in parts)])
    found = unpacked(np.frombuffer(whole, np.uint8))
    assert found is not None
    return found


def unpacked(raw: Bytes) -> Block | None:
    """The block that these bytes are, which may be mapped from a file; None if they are another's.
    """
    if len(raw) < _HEADER or raw[:8].tobytes() != _MAGIC:
        return None
    n, dense, size, sparse, count = raw[8:_HEADER].view("<i8").tolist()
    if size not in (2, 4) or min(n, dense, sparse, count) < 0:
        return None
    ends = np.cumsum([_HEADER, 32 * n, 8 * (n + 1), 4 * count, size * n * dense, 2 * count])
    if ends[-1] != len(raw):
        return None
    plain = raw.view(np.ndarray)  # parts of a mapped array would be slow to take parts of
    hashes, starts, values, numbers, at = (
        plain[begin:end] for begin, end in pairwise(ends.tolist())
    )
    rows = Rows(
        numbers.view(f"<f{size}").reshape(n, dense), sparse, starts.view("<i8"),
        at.view("<u2"), values.view("<f4"),
    )
    return Block(hashes.view("V32"), rows, raw)


def widen(rows: NDArray, to: NDArray[np.float32]) -> None:
    """Copy (n, width) numbers of 16 or 32 bits. Those of 16 by whole numbers and one product, to
    the bit as ``astype`` does it, which asks of each number what kind it is: images' features took
    4.7 microseconds a case so, and take .8."""
    if rows.dtype.itemsize != 2:
        to[:] = rows
        return
    halves, bits = rows.view("<i2"), to.view(np.uint32)
    for begin in range(0, len(rows), _TILE):
        tile = slice(begin, begin + _TILE)
        part, wide = halves[tile], bits[tile]
        if (
            part.max(initial=0) >= _ENDLESS
            or part.view("<u2").max(initial=0) >= _ENDLESS_NEGATIVE
        ):
            to[tile] = rows[tile]  # damaged: infinite, or not a number
            continue
        wide[:] = part
        wide <<= 13
        wide &= _SAID
        to[tile] *= _RAISED


def give_back(rows: NDArray) -> None:
    """Let go of the pages of the file that ``rows`` are mapped from; they come back when they
    are looked at. Memory stays bounded so, whatever is read through."""
    while rows is not None and not isinstance(rows, np.memmap):
        rows = getattr(rows, "base", None)
    mapped = getattr(rows, "_mmap", None)
    if hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)
