"""What the encoders said, kept on disk: content hash -> feature, one cache for each encoder key.

``features`` writes and reads it, training and prediction read it through ``features``. A cache is a
folder ``<modality>-<short key>`` of append-only blocks and a card that says what they are. A block
is one ``.npy`` file of hashes and rows (``packing``): it carries its own index, so that a block and
its index cannot come apart. It is written beside its name, synced and moved into place; whatever
else lies in the folder (a partial file of a killed process, a truncated or foreign one) is ignored,
and its items are encoded again.

``BlockFiles`` is the only part that knows of files; sealed ones would take its place.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.packing import Block, Rows, give_back, pack, unpacked

_log = logging.getLogger(__name__)

#: Blocks smaller than this are merged when there are more than ``_MANY`` of them.
_FULL_ROWS = 2048
_MANY = 64
#: From so many rows on that are read together, they are not expected to be read again soon.
_PASSING = 256
#: A place is a block's number and, in so many bits, a row of it.
_ROW_BITS = 32

_CARD = "card.json"
_PARTIAL = ".partial"
_FORMAT = 1


class _Index:
    """Which digest stands where: sorted arrays, 24 bytes a content, looked up many at a time.

    Entries are found by the first eight bytes of their digests and compared by the first sixteen
    (nobody can make two that share them). Two contents that share the first eight (one chance in
    ten million for a million contents) would take each other's place, and be encoded again when
    they are asked for.
    """

    def __init__(self) -> None:
        self._keys = np.empty(0, np.uint64)
        self._rests = np.empty(0, np.uint64)  # the second eight bytes of each
        self._places = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, hashes: Sequence[NDArray[np.void]], numbers: Sequence[int]) -> None:
        """Blocks of digests, each with its number; later ones take the place of earlier ones."""
        if not hashes:
            return
        digests = np.concatenate([_words(block.tobytes())[:, :2] for block in hashes])
        rows = [number << _ROW_BITS for number in numbers]
        places = np.concatenate(
            [base + np.arange(len(block)) for base, block in zip(rows, hashes, strict=True)]
        )
        keys, last = np.unique(digests[::-1, 0], return_index=True)
        last = len(digests) - 1 - last
        rests, places = digests[last, 1], places[last]
        at = np.searchsorted(self._keys, keys)
        known = self._at(at) == keys if len(self) else np.zeros(len(keys), bool)
        self._rests[at[known]] = rests[known]
        self._places[at[known]] = places[known]
        at, fresh = at[~known], ~known
        self._keys = np.insert(self._keys, at, keys[fresh])
        self._rests = np.insert(self._rests, at, rests[fresh])
        self._places = np.insert(self._places, at, places[fresh])

    def find(self, raw: bytes) -> NDArray[np.int64]:
        """The place of each of these digests, one after the other in ``raw``; -1 for none."""
        wanted = _words(raw)
        if not len(self):
            return np.full(len(wanted), -1, np.int64)
        keys, rests = wanted[:, 0], wanted[:, 1]
        at = np.minimum(np.searchsorted(self._keys, keys), len(self) - 1)
        same = (self._keys[at] == keys) & (self._rests[at] == rests)
        return np.where(same, self._places[at], -1)

    def _at(self, at: NDArray[np.intp]) -> NDArray[np.uint64]:
        return self._keys[np.minimum(at, len(self) - 1)]


def _words(raw: bytes) -> NDArray[np.uint64]:
    """(n, 4) words of n digests."""
    return np.frombuffer(raw, np.uint64).reshape(-1, 4)


class BlockFiles(Protocol):
    """Where blocks are kept. Names sort in the order of writing."""

    def names(self) -> set[str]:
        """Every block that is there now."""
        ...

    def read(self, name: str) -> Block | None:
        """One block; None if it cannot be used."""
        ...

    def pack(self, hashes: NDArray[np.void], rows: NDArray[np.float32]) -> Block:
        """A block of these rows, as it will be read."""
        ...

    def write(self, block: Block) -> str:
        """Store one block durably (OSError if that fails); returns its name."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Forget blocks whose rows stand elsewhere."""
        ...


class MappedBlockFiles:
    """Blocks as ``.npy`` files, mapped into memory when they are read. ``stored`` is the type of
    the numbers, but for the last ``sparse`` of a row, which are mostly zeros. What an older program
    wrote (a table of sha256 and features) is read as it is."""

    def __init__(
        self, folder: Path, *, width: int, card: Mapping[str, Any], stored: str = "float32",
        sparse: int = 0,
    ) -> None:
        self._folder = folder
        self._card = card
        self._described = False
        self._width, self._stored, self.sparse = width, stored, sparse
        self._older = [
            np.dtype([("sha256", "V32"), ("feature", f"<f{size}", (width,))]) for size in (4, 2)
        ]

    def names(self) -> set[str]:
        """The names of the ``.npy`` files."""
        try:
            with os.scandir(self._folder) as entries:
                return {entry.name for entry in entries if entry.name.endswith(".npy")}
        except OSError:
            return set()

    def read(self, name: str) -> Block | None:
        """Map one file; None if it is truncated, foreign or gone."""
        try:
            table = np.load(self._folder / name, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            _log.warning("feature block ignored: %s", type(error).__name__)
            return None
        block: Block | None = None
        if table.ndim == 1 and table.dtype == np.uint8:
            block = unpacked(table)
        elif table.ndim == 1 and table.dtype in self._older:
            block = Block(np.ascontiguousarray(table["sha256"]), Rows.plain(table["feature"]))
            give_back(table)
        if block is None or block.rows.width != self._width:
            _log.warning("feature block ignored: of another kind")
            return None
        return block

    def pack(self, hashes: NDArray[np.void], rows: NDArray[np.float32]) -> Block:
        """See ``packing``."""
        return pack(hashes, rows, stored=self._stored, sparse=self.sparse)

    def write(self, block: Block) -> str:
        """Write beside the name, sync, move into place, sync the folder."""
        assert block.packed is not None
        self._describe()
        last = max((int(n[:6]) for n in self.names() if n[:6].isdigit()), default=0)
        # Two processes may count to the same number; the rest of the name keeps them apart.
        name = f"{last + 1:06d}-{uuid.uuid4().hex[:8]}.npy"
        with _replacing(self._folder / name) as file:
            np.save(file, block.packed, allow_pickle=False)
        return name

    def remove(self, names: Iterable[str]) -> None:
        """Delete files; one that is still mapped where that forbids it stays and does no harm."""
        for name in names:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

    def _describe(self) -> None:
        """Before the first write: make the folder and the card that says what it holds, and
        sweep."""
        if self._described:
            return
        self._described = True
        path = self._folder / _CARD
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(f"*{_PARTIAL}"):  # a killed process's; only one writes
            left.unlink(missing_ok=True)
        if path.exists():
            return
        with _replacing(path) as file:
            card = {"format": _FORMAT, **self._card}
            file.write(json.dumps(card, indent=1, sort_keys=True).encode())


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path`` when all of it is durable, or never."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{_PARTIAL}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where folders can be synced."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


class FeatureCache:
    """The features of one modality under one key. Safe from any thread.

    The index is in memory; other processes' blocks are seen when a hash is missed.
    With ``read_only`` new rows are kept in memory only.
    """

    def __init__(self, files: BlockFiles, *, width: int, read_only: bool = False) -> None:
        self._files = files
        self._width = width
        self._read_only = read_only
        self._lock = threading.RLock()
        self._blocks: dict[str, Block] = {}
        self._ignored: set[str] = set()
        self._names: list[str] = []  # of all blocks there were, as the index numbers them
        self._index = _Index()
        self._kept = 0

    def __len__(self) -> int:
        """How many contents are known to be cached."""
        with self._lock:
            self._refresh()
            return len(self._index)

    def missing(self, hashes: Iterable[str]) -> set[str]:
        """Those of these sha256 (hex) that have no feature."""
        wanted = list(hashes)
        places = self._find(wanted)
        return {value for value, place in zip(wanted, places.tolist(), strict=True) if place < 0}

    def append(self, hashes: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Add features (n, width) of these contents; durable when this returns.

        Raises:
            OSError: they could not be written; nothing of them is kept.
        """
        digests = np.frombuffer(_raw(hashes), "V32")
        block = self._files.pack(digests, rows.astype(np.float32))
        with self._lock:
            if self._read_only:
                self._kept += 1
                self._adopt({f"memory-{self._kept}": block})
                return
            self._adopt({self._files.write(block): block})
            self._merge_small()

    def read(
        self, hashes: Sequence[str], out: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The features (n, width) of these contents; False and zeros where there is none. ``out``
        takes them, if given: memory that is there already is quicker than new memory."""
        with self._lock:
            places = self._find(hashes)
            known = places >= 0
            numbers = places >> _ROW_BITS
            blocks = {
                n: self._blocks[self._names[n]] for n in np.unique(numbers[known]).tolist()
            }
        rows = np.empty((len(hashes), self._width), np.float32) if out is None else out
        rows[~known] = 0
        for number, block in blocks.items():
            targets = np.flatnonzero(numbers == number)
            sources = places[targets] & ((1 << _ROW_BITS) - 1)
            if targets[-1] - targets[0] == len(targets) - 1:
                block.rows.copy(sources, rows[targets[0] : targets[-1] + 1])
            else:
                part = np.empty((len(targets), self._width), np.float32)
                block.rows.copy(sources, part)
                rows[targets] = part
            if len(hashes) >= _PASSING:
                give_back(block.rows.dense)
        return rows, known

    def _find(self, hashes: Sequence[str]) -> NDArray[np.int64]:
        """The place of each, -1 for none, after a look at what other processes wrote."""
        raw = _raw(hashes)
        with self._lock:
            places = self._index.find(raw)
            if (places < 0).any():
                self._refresh()
                places = self._index.find(raw)
        return places

    def _refresh(self) -> None:
        found = {}
        for name in sorted(self._files.names() - self._blocks.keys() - self._ignored):
            block = self._files.read(name)
            if block is None:
                self._ignored.add(name)
            else:
                found[name] = block
        self._adopt(found)

    def _adopt(self, blocks: Mapping[str, Block]) -> None:
        first = len(self._names)
        self._blocks.update(blocks)
        self._names.extend(blocks)
        numbers = range(first, len(self._names))
        self._index.add([block.hashes for block in blocks.values()], numbers)

    def _merge_small(self) -> None:
        """Write many small blocks as one, then forget them. A kill in between leaves rows twice,
        which say the same."""
        small = [
            name
            for name, block in sorted(self._blocks.items())
            if len(block.hashes) < _FULL_ROWS and block.packed is not None
        ]
        if len(small) <= _MANY:
            return
        old = [self._blocks[name] for name in small]
        merged = self._files.pack(
            np.concatenate([block.hashes for block in old]),
            np.concatenate([block.rows.whole() for block in old]),
        )
        try:
            name = self._files.write(merged)
        except OSError as error:  # the small ones are still there
            _log.warning("feature blocks not merged: %s", error.strerror)
            return
        self._adopt({name: self._files.read(name) or merged})
        for gone in small:
            del self._blocks[gone]
        self._files.remove(small)


def _raw(hashes: Sequence[str]) -> bytes:
    """The digests of sha256 (hex), one after the other."""
    return bytes.fromhex("".join(hashes))
