"""Where the images of an import lie, and the project's own shelf that they are copied to.

``importing`` finds the files that a row names (``ImagePaths``) and has each proven, hashed and kept
(``ImageShelf``), several at a time; both are safe to use from several threads.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from mmreview.domain.cases import ImageRef
from mmreview.domain.errors import ImageUnreadable, WriteFailed
from mmreview.services.auditing import file_sha256

#: Width and height of a readable image. Raises ImageUnreadable.
Probe = Callable[[Path], tuple[int, int]]


class ImagePaths:
    """Where the images that a manifest names lie. ``confined`` keeps to the manifest's folder."""

    def __init__(self, root: Path, *, confined: bool) -> None:
        self._root = root
        self._real_root = root.resolve()
        self._confined = confined

    def find(self, name: str) -> Path:
        """The real path of an image (links followed); it may not exist.

        A name is looked for beside the manifest, then in ``images`` there, where collections keep
        what their tables name without a folder.

        Raises:
            ImageUnreadable: ``image.missing`` for a name that no file can have, ``image.outside``.
        """
        try:
            path = self._candidate(name).resolve()
        except (OSError, RuntimeError, ValueError):  # too long a name, a circle of links
            raise ImageUnreadable("image.missing", path=name) from None
        if self._confined and not path.is_relative_to(self._real_root):
            raise ImageUnreadable("image.outside", path=name)
        return path

    def _candidate(self, name: str) -> Path:
        names = [name]
        if "\\" in name:  # a manifest that was made on Windows
            names.append(name.replace("\\", "/"))
        candidates = [folder / n for n in names for folder in (self._root, self._root / "images")]
        return next((path for path in candidates if path.is_file()), candidates[0])


class ImageShelf:
    """The project's images: proven, then copied under their content hash or left in place."""

    def __init__(self, folder: Path, probe: Probe, *, reference: bool) -> None:
        self._folder = folder
        self._probe = probe
        self._reference = reference
        self._incoming = folder / "images" / ".incoming"

    def tidy(self) -> None:
        """Remove what a killed import left half written."""
        if self._incoming.is_dir():
            for path in self._incoming.iterdir():
                path.unlink(missing_ok=True)

    def has(self, path: str) -> bool:
        """True when an image that a case names is there."""
        return (self._folder / path).is_file()

    def stamps(self, sources: Iterable[Path]) -> list[object]:
        """What tells whether source files changed, without reading them: size and time (and the
        place, where that is what the project keeps)."""
        stamps: list[object] = [self._reference]
        for source in sources:
            try:
                found = source.stat()
            except OSError:
                stamps.append(None)
            else:
                place = str(source) if self._reference else ""
                stamps.append([found.st_size, found.st_mtime_ns, place])
        return stamps

    def take_in(self, source: Path, view: str) -> ImageRef:
        """Prove an image and keep it.

        Raises:
            ImageUnreadable: it cannot be decoded or read.
            WriteFailed: the project cannot take it.
        """
        width, height = self._probe(source)
        try:
            if self._reference:
                sha256, path = file_sha256(source), str(source)
            else:
                data = source.read_bytes()
                sha256 = hashlib.sha256(data).hexdigest()
                path = f"images/{sha256[:2]}/{sha256}{_suffix(source)}"
        except OSError as error:
            raise ImageUnreadable(
                "image.damaged", path=str(source), detail=error.strerror or str(error)
            ) from error
        if not self._reference:
            self._keep(path, data)
        return ImageRef(sha256=sha256, path=path, width=width, height=height, view=view)

    def _keep(self, path: str, data: bytes) -> None:
        """Write an image so that it is there whole or not at all."""
        target = self._folder / path
        # Another worker may be writing the same image, for another case.
        partial = self._incoming / f"{target.name}.{threading.get_ident()}"
        try:
            if target.is_file() and target.stat().st_size == len(data):
                return
            self._incoming.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise WriteFailed(detail=error.strerror or str(error)) from error


def _suffix(source: Path) -> str:
    """The file's own suffix if it is one; it only helps people who look into the folder."""
    suffix = source.suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""
