"""What an encoder is, known without loading it, and what a loaded one can do.

A card holds everything the cache key needs, so that the index can be read before torch is
imported. ``registry`` lists the cards; ``features`` loads the encoder behind one when it must.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mmreview.domain.reads import canonical_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mmreview.domain.cases import Case

#: Numeric backends. They name a precision, not a machine: a project keeps the one it started with
#: wherever it is opened, so that its versions go on fitting its features. ``FULL`` is 32-bit on any
#: device; ``MIXED`` is what autocast gives on a card, or better.
FULL, MIXED = "float32", "float16-or-better"

#: What stands behind a modality's name where its parts are meant (patches of an image, spans of a
#: report) and not the whole.
PARTS = ".parts"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to encode: the hash of its content and what the encoder reads it from.
    ``path`` names the file in messages, empty where there is none."""

    sha256: str
    source: Any
    path: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how an encoder computes: ``cpu`` or ``cuda``, and the numeric backend."""

    device: str
    numerics: str = FULL


@dataclass(frozen=True, slots=True)
class Weighing:
    """How a head weighs a block of the features; no part of what the features are.

    ``share`` is the block's in the head, in proportion to the others'. Standardised, every feature
    counts alike, and a hashed word or a channel that answers to few images, which hardly varies, is
    blown up most: ``damping`` .5 leaves a feature the square root of its deviation, 1 all of it.
    The mean variance of a block stays 1. A ``joined`` one is damped apart, but fitted as one block
    with the one before it.
    """

    share: float = 1.0
    damping: float = 0.0
    joined: bool = False


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """An encoder's name plate.

    ``items`` says what of a case it encodes (the folder is what relative paths start from).
    ``blocks`` are the widths of what its features are made of, in order, and ``weighing`` says how
    a head weighs each (none: all alike). ``pieces`` name what stands in them, with its width, where
    there are several (see ``ml.plans``). ``step`` items are encoded for each durable block.
    ``marked`` features are values and then marks that each is there. The features of a card for
    parts are as many vectors of ``part`` numbers in a row, zeros where there are fewer parts;
    ``stored`` is the type of number in which the cache keeps them, but for the last ``sparse``,
    which are mostly zeros (``ml.packing``).
    """

    name: str
    modality: str
    weights_sha256: str
    preprocessing: str
    view: str
    blocks: tuple[int, ...]
    items: Callable[[Case, Path], tuple[Item, ...]]
    load: Callable[[EncoderCard, Placement], Encoder]
    step: int = 32
    marked: bool = False
    part: int = 0
    stored: str = "float32"
    sparse: int = 0
    pieces: tuple[tuple[str, int], ...] = ()
    weighing: tuple[Weighing, ...] = ()

    @property
    def width(self) -> int:
        """The length of the features."""
        return sum(self.blocks)

    def key(self, numerics: str) -> dict[str, Any]:
        """What features depend on, besides the content itself."""
        key: dict[str, Any] = {
            "encoder": self.name,
            "modality": self.modality,
            "numerics": numerics,
            "preprocessing": self.preprocessing,
            "view": self.view,
            "weights_sha256": self.weights_sha256,
            "width": self.width,
        }
        # Wholes were kept in 32 bits once, and what was encoded then is read as it is.
        return {**key, "stored": self.stored} if self.part else key

    def fingerprint(self, numerics: str) -> str:
        """The sha256 (hex) of the key."""
        return hashlib.sha256(canonical_json(self.key(numerics)).encode()).hexdigest()


class Encoder(Protocol):
    """A loaded encoder. Stateless after loading: every method is safe from any thread.

    An item becomes one or more *units* (a long report is several windows); units of many items are
    encoded together, and their rows are joined to the item's feature.
    """

    card: EncoderCard
    batch_size: int

    def prepare(self, source: Any) -> Sequence[Any]:
        """The units of one item. Work for a thread beside the network's.

        Raises:
            MmreviewError: the item cannot be read.
        """
        ...

    def length(self, unit: Any) -> int:
        """What units are sorted by, so that those of a batch are alike."""
        ...

    def encode(self, units: Sequence[Any]) -> NDArray[np.float32]:
        """One row a unit, (n, width). A row depends on its own unit: whatever else is in the
        batch moves it by rounding only (cosine ≥ .9999)."""
        ...

    def join(self, rows: NDArray[np.float32], units: Sequence[Any]) -> NDArray[np.float32]:
        """The feature (width,) of the item that these units came from."""
        ...
