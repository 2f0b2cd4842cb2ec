"""A version on disk: ``model.safetensors`` and ``card.json``, and a hash over both.

The card says in words what the tensors are: findings, encoders, fusion, λ, calibration, counts,
metrics, lineage, environment. No clock and no version number is in it, so that the same snapshot
trained twice gives the same bytes. Nothing is ever pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.errors import BundleInvalid, WriteFailed
from mmreview.domain.findings import Exclusivity
from mmreview.domain.reads import canonical_json
from mmreview.ml.calibration import Calibration
from mmreview.ml.exclusive import Group, GroupHead, sets_of
from mmreview.ml.fusion import FUSIONS
from mmreview.ml.fusion.fusing import Fusing
from mmreview.ml.heads import Head
from mmreview.ml.model import Model
from mmreview.ml.pairing import PairEvidence, evidence_of, tensors_of

CARD = "card.json"
TENSORS = "model.safetensors"
FORMAT = 1


@dataclass(frozen=True)
class Bundle:
    """``models`` are that of all rows and those of the folds; ``fold_of`` maps each training case
    to its fold; ``card`` is JSON; ``pairs`` is what it knows of pairs (older bundles: nothing)."""

    models: tuple[Model, ...]
    fold_of: Mapping[int, int]
    card: Mapping[str, Any]
    pairs: PairEvidence = field(default_factory=PairEvidence)


def write(bundle: Bundle, folder: Path) -> str:
    """Make ``folder`` with the bundle's files, durable and all at once; returns their sha256.

    Raises:
        WriteFailed: the disk is full or cannot be written; nothing is left.
    """
    from safetensors.numpy import save

    card = canonical_json({**bundle.card, "format": FORMAT, "models": len(bundle.models)})
    files = {CARD: card.encode(), TENSORS: save(_tensors(bundle))}
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for name, data in files.items():
            with (partial / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _sync_folder(partial)
        partial.replace(folder)
        _sync_folder(folder.parent)
    except OSError as error:
        raise WriteFailed(detail=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _digest(files)


def read(folder: Path, *, version: int, sha256: str) -> Bundle:
    """Load a bundle after checking its hash.

    Raises:
        BundleInvalid: a file is missing, was changed, or is of another format; the code says which.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        files = {name: (folder / name).read_bytes() for name in (CARD, TENSORS)}
    except OSError as error:
        raise BundleInvalid(
            "error.bundle_missing", version=version, path=str(error.filename or folder)
        ) from None
    if _digest(files) != sha256:
        raise BundleInvalid("error.bundle_edited", version=version)
    try:
        card = json.loads(files[CARD])
        if card["format"] != FORMAT:
            raise BundleInvalid("error.bundle_format", version=version, format=card["format"])
        tensors = load(files[TENSORS])
        models = tuple(_model(card, tensors, index) for index in range(card["models"]))
        pairs = evidence_of(tensors)
        keys, folds = tensors["fold.keys"].tolist(), tensors["fold.of"].tolist()
    except (KeyError, ValueError, TypeError, SafetensorError) as error:
        raise BundleInvalid(version=version, detail=type(error).__name__) from None
    return Bundle(models, dict(zip(keys, folds, strict=True)), card, pairs)


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return whole.hexdigest()


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle on a folder to flush
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _tensors(bundle: Bundle) -> dict[str, NDArray]:
    keys = sorted(bundle.fold_of)
    tensors: dict[str, NDArray] = {
        **tensors_of(bundle.pairs),
        "fold.keys": np.array(keys, np.int64),
        "fold.of": np.array([bundle.fold_of[key] for key in keys], np.int8),
    }
    for index, model in enumerate(bundle.models):
        for m in model.modalities:
            head, calibration = model.heads[m], model.calibrations[m]
            tensors |= {
                f"{index}.{m}.weights": np.ascontiguousarray(head.weights),
                f"{index}.{m}.bias": head.bias,
                f"{index}.{m}.taught": head.taught.astype(np.uint8),
                f"{index}.{m}.slope": calibration.slope,
                f"{index}.{m}.offset": calibration.offset,
            }
        tensors[f"{index}.prior"] = model.prior
        for name, tensor in model.fusion.tensors().items():
            tensors[f"{index}.{name}"] = tensor
        for number, group in enumerate(model.groups):
            for names, scale in group.scales.items():
                tensors[f"{index}.group{number}.{'+'.join(names)}"] = scale
    return tensors


def _model(card: Mapping[str, Any], tensors: Mapping[str, NDArray], index: int) -> Model:
    modalities = tuple(card["modalities"])
    width = len(card["findings"])
    heads, calibrations = {}, {}
    for m in modalities:
        name = f"{index}.{m}"
        taught = tensors[f"{name}.taught"].astype(bool)
        heads[m] = Head(tensors[f"{name}.weights"], tensors[f"{name}.bias"], taught)
        calibrations[m] = Calibration(tensors[f"{name}.slope"], tensors[f"{name}.offset"])
        if heads[m].weights.shape[1] != width or len(taught) != width:
            raise ValueError("shapes")
    begin = f"{index}."
    own = {k.removeprefix(begin): v for k, v in tensors.items() if k.startswith(begin)}
    fusion = Fusing.restored(FUSIONS[card["fusion"]].fitted, modalities, own)
    sets = sets_of(modalities)
    groups = tuple(
        GroupHead(group, {s: tensors[f"{index}.group{n}.{'+'.join(s)}"] for s in sets})
        for n, group in enumerate(groups_of(card))
    )
    return Model(modalities, heads, calibrations, tensors[f"{index}.prior"], fusion, groups)


def groups_of(card: Mapping[str, Any]) -> tuple[Group, ...]:
    """The exclusive groups that a card names; older ones name none."""
    place = {name: position for position, name in enumerate(card["findings"])}
    return tuple(
        Group(
            tuple(place[name] for name in each["findings"]),
            each["kind"] == Exclusivity.ONE_OF,
            each["name"],
        )
        for each in card.get("groups", ())
    )
