"""What the encoders said, kept on disk: content hash -> feature, one cache for each encoder key.

``features`` writes and reads it, training and prediction read it through ``features``. A cache is a
folder ``<modality>-<short key>`` of append-only blocks and a card that says what they are. A block
is one ``.npy`` table of (sha256, feature) rows: it carries its own index, so that a block and its
index cannot come apart. It is written beside its name, synced and moved into place; whatever else
lies in the folder (a partial file of a killed process, a truncated or foreign one) is ignored, and
its items are encoded again.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)

#: Blocks smaller than this are merged when there are more than ``_MANY`` of them.
_FULL_ROWS = 2048
_MANY = 64

_CARD = "card.json"
_PARTIAL = ".partial"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that were written together: ``hashes`` are sha256 digests (32 bytes each), ``rows``
    is (n, width) float32 and may be mapped from a file."""

    hashes: tuple[bytes, ...]
    rows: NDArray[np.float32]


class BlockFiles(Protocol):
    """Where blocks are kept. Names sort in the order of writing."""

    def names(self) -> set[str]:
        """Every block that is there now."""
        ...

    def read(self, name: str) -> Block | None:
        """One block; None if it cannot be used."""
        ...

    def write(self, hashes: Sequence[bytes], rows: NDArray[np.float32]) -> str:
        """Store one block durably (OSError if that fails); returns its name."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Forget blocks whose rows stand elsewhere."""
        ...


class MappedBlockFiles:
    """Blocks as ``.npy`` files, mapped into memory when they are read."""

    def __init__(self, folder: Path, *, width: int, card: Mapping[str, Any]) -> None:
        self._folder = folder
        self._card = card
        self._described = False
        self._row = np.dtype([("sha256", "V32"), ("feature", "<f4", (width,))])

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
        if table.ndim != 1 or table.dtype != self._row:
            _log.warning("feature block ignored: of another kind")
            return None
        return Block(tuple(bytes(value) for value in table["sha256"].tolist()), table["feature"])

    def write(self, hashes: Sequence[bytes], rows: NDArray[np.float32]) -> str:
        """Write beside the name, sync, move into place, sync the folder."""
        self._describe()
        last = max((int(n[:6]) for n in self.names() if n[:6].isdigit()), default=0)
        # Two processes may count to the same number; the rest of the name keeps them apart.
        name = f"{last + 1:06d}-{uuid.uuid4().hex[:8]}.npy"
        table = np.empty(len(hashes), dtype=self._row)
        table["sha256"] = [np.void(value) for value in hashes]
        table["feature"] = rows
        with _replacing(self._folder / name) as file:
            np.save(file, table, allow_pickle=False)
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

    The index is a dictionary in memory; other processes' blocks are seen when a hash is missed.
    With ``read_only`` new rows are kept in memory only.
    """

    def __init__(self, files: BlockFiles, *, width: int, read_only: bool = False) -> None:
        self._files = files
        self._width = width
        self._read_only = read_only
        self._lock = threading.RLock()
        self._blocks: dict[str, Block] = {}
        self._ignored: set[str] = set()
        self._places: dict[bytes, tuple[str, int]] = {}
        self._kept = 0

    def __len__(self) -> int:
        """How many contents are known to be cached."""
        with self._lock:
            self._refresh()
            return len(self._places)

    def missing(self, hashes: Iterable[str]) -> set[str]:
        """Those of these sha256 (hex) that have no feature."""
        wanted = {value: bytes.fromhex(value) for value in hashes}
        with self._lock:
            absent = {text for text, raw in wanted.items() if raw not in self._places}
            if absent:
                self._refresh()
                absent = {text for text in absent if wanted[text] not in self._places}
        return absent

    def append(self, hashes: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Add features (n, width) of these contents; durable when this returns.

        Raises:
            OSError: they could not be written; nothing of them is kept.
        """
        raw = tuple(bytes.fromhex(value) for value in hashes)
        with self._lock:
            if self._read_only:
                self._kept += 1
                self._adopt(f"memory-{self._kept}", Block(raw, rows.astype(np.float32)))
                return
            name = self._files.write(raw, rows)
            self._adopt(name, Block(raw, rows.astype(np.float32)))
            self._merge_small()

    def read(self, hashes: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The features (n, width) of these contents; False and zeros where there is none."""
        rows = np.zeros((len(hashes), self._width), dtype=np.float32)
        known = np.zeros(len(hashes), dtype=bool)
        raw = [bytes.fromhex(value) for value in hashes]
        with self._lock:
            if any(value not in self._places for value in raw):
                self._refresh()
            by_block: dict[str, tuple[list[int], list[int]]] = {}
            for position, value in enumerate(raw):
                place = self._places.get(value)
                if place is not None:
                    targets, sources = by_block.setdefault(place[0], ([], []))
                    targets.append(position)
                    sources.append(place[1])
            blocks = {name: self._blocks[name] for name in by_block}
        for name, (targets, sources) in by_block.items():
            rows[targets] = blocks[name].rows[sources]
            known[targets] = True
        return rows, known

    def _refresh(self) -> None:
        for name in sorted(self._files.names() - self._blocks.keys() - self._ignored):
            block = self._files.read(name)
            if block is None:
                self._ignored.add(name)
            else:
                self._adopt(name, block)

    def _adopt(self, name: str, block: Block) -> None:
        self._blocks[name] = block
        for row, value in enumerate(block.hashes):
            self._places[value] = (name, row)

    def _merge_small(self) -> None:
        """Write many small blocks as one, then forget them. A kill in between leaves rows twice,
        which say the same."""
        small = [
            name
            for name, block in sorted(self._blocks.items())
            if len(block.hashes) < _FULL_ROWS
        ]
        if len(small) <= _MANY:
            return
        old = [self._blocks[name] for name in small]
        hashes = tuple(value for block in old for value in block.hashes)
        rows = np.concatenate([block.rows for block in old])
        try:
            name = self._files.write(hashes, rows)
        except OSError as error:  # the small ones are still there
            _log.warning("feature blocks not merged: %s", error.strerror)
            return
        self._adopt(name, self._files.read(name) or Block(hashes, rows))
        for gone in small:
            del self._blocks[gone]
        self._files.remove(small)
