"""Finds the files of an encoder in an installed package and proves that they are the right ones.

The package is found without running any code of it.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from mmreview.domain.errors import EncoderUnavailable


def package_folder(package: str, *, encoder: str) -> Path:
    """The folder of an installed package.

    Raises:
        EncoderUnavailable: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderUnavailable(
            "encoder.package_missing", encoder=encoder, detail=package.replace("_", "-")
        )
    return Path(next(iter(spec.submodule_search_locations)))


def verified(path: Path, *, sha256: str, encoder: str) -> Path:
    """``path``, once its bytes have this sha256 (hex).

    Raises:
        EncoderUnavailable: the file cannot be read or is another.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderUnavailable(
            "encoder.weights_missing",
            encoder=encoder,
            path=str(path),
            detail=error.strerror or str(error),
        ) from error
    if found != sha256:
        raise EncoderUnavailable(
            "encoder.weights_changed",
            encoder=encoder,
            path=str(path),
            detail=f"{found[:12]}… ≠ {sha256[:12]}…",
        )
    return path
