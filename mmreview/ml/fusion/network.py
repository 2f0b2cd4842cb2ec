"""Small networks as fusions: how they are trained, kept and asked.

A network is said once, as a function over arrays (``forward``) that numpy and torch both
understand: torch trains it, numpy answers, so that the open case never waits for torch. What it
reads of each modality is a low-rank projection of the standardised features (principal components,
found without labels) beside the modality's held-out evidence; networks that look at parts of an
image or a report get those, projected alike.

Every network starts as the soft weight: its last layer is zero, and beside it stands the evidence
weighed as ``soft`` weighs it. What it learns is where to depart from that.

One member is trained for each fold: AdamW on the other folds, stopped early by the log-loss of its
own, whole modalities left out at random (modality dropout, Neverova et al. 2016). Their mean
serves; the held-out logits calibrate it. Everything is drawn from the seed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.calibration import calibrate
from mmreview.ml.encoders.card import PARTS
from mmreview.ml.fusion.additive import Seen
from mmreview.ml.fusion.fusing import Fusion
from mmreview.ml.fusion.material import Material
from mmreview.ml.fusion.soft import soft_shares

Floats = NDArray[np.float64]
Array = NDArray[np.float32]

#: Principal components of a modality's features, and of a part's.
COMPONENTS = 32
#: Rows (or parts) that the components are found on at most: an eigenvector problem of this size.
_SAMPLE = 512
_LEAST_LABELS = 3
_LEAST_TRUST = 0.02
_EPOCHS, _PATIENCE = 60, 8
#: Cases of a step, and steps of an epoch at most.
_BATCH, _STEPS = 128, 12
_RATE, _DECAY, _DROPPED = 3e-3, 3e-2, 0.15


@dataclass(frozen=True)
class Projection:
    """``(x - mean) @ matrix``: standardised features on their first components, scaled so that
    they vary by about one together."""

    mean: Array
    matrix: Array

    @classmethod
    def of(cls, rows: Array, *, seed: int) -> Projection:
        """Found on a sample of (n, width) ``rows``."""
        if len(rows) > _SAMPLE:
            chosen = np.random.default_rng(seed).choice(len(rows), _SAMPLE, replace=False)
            rows = rows[np.sort(chosen)]
        mean = rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1], np.float32)
        spread = rows.std(axis=0) if len(rows) else mean
        scale = np.where(spread > 1e-6, 1.0 / np.where(spread > 1e-6, spread, 1.0), 0.0)
        standard = ((rows - mean) * scale).astype(np.float64)
        values, vectors = np.linalg.eigh(standard @ standard.T)
        values, vectors = values[::-1][:COMPONENTS], vectors[:, ::-1][:, :COMPONENTS]
        kept = values > 1e-6 * max(float(values.max(initial=0.0)), 1e-12)
        axes = np.zeros((rows.shape[1], COMPONENTS))
        axes[:, : len(kept)][:, kept] = standard.T @ vectors[:, kept] / np.sqrt(values[kept])
        size = np.sqrt(max(float(values.sum()) / max(len(rows) * COMPONENTS, 1), 1e-12))
        matrix = scale[:, None] * axes / size
        return cls(mean.astype(np.float32), matrix.astype(np.float32))

    def apply(self, rows: Array) -> Array:
        """(…, components)."""
        return (rows - self.mean) @ self.matrix


@dataclass(frozen=True)
class FittedNetwork(ABC):
    """``members`` are the networks' parameters, one set a fold; ``projections`` what they see of
    each input; ``slope`` and ``offset`` (findings,) calibrate their mean; ``taught`` says where
    there were labels enough. A subclass says what the network is."""

    modalities: tuple[str, ...]
    projections: Mapping[str, Projection]
    members: Sequence[Mapping[str, Array]]
    slope: Floats
    offset: Floats
    taught: NDArray[np.bool_]
    weights: Mapping[str, float] = field(default_factory=dict)
    weights_cv: Mapping[str, float] = field(default_factory=dict)
    weights_learned: Mapping[str, float] = field(default_factory=dict)
    shares: Floats | None = None

    #: Whether the network looks at parts.
    parts: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def start(
        cls, modalities: Sequence[str], findings: int, rng: np.random.Generator
    ) -> dict[str, Array]:
        """Parameters before training. The last layer is ``out`` (hidden, findings); a layer that
        reads a modality's vector is named ``in.…`` and has COMPONENTS + findings rows."""

    @classmethod
    @abstractmethod
    def forward(
        cls, xp: Any, modalities: Sequence[str], params: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> Any:
        """(n, findings) logits less the prior; ``xp`` is numpy or torch. ``inputs[m]`` is the
        vector (n, COMPONENTS + findings) of modality m, ``inputs["m.parts"]`` (n, parts,
        COMPONENTS) its parts and ``inputs["m.there"]`` (n, parts) 1 where there is one."""

    def logits(self, seen: Seen) -> Floats:
        """See ``fusing.FittedFusion``."""
        inputs = inputs_of(self, seen.evidence, seen.features)
        each = [self.forward(np, self.modalities, member, inputs) for member in self.members]
        if not each:
            return np.full(seen.prior.shape, np.nan)
        logits = (seen.prior + np.mean(each, axis=0)) * self.slope + self.offset
        return np.where(self.taught, logits, np.nan)

    def rearranged(self, columns: NDArray[np.intp]) -> Self:
        """See ``fusing.FittedFusion``. The evidence that the network reads moves along."""
        rows = np.concatenate([np.arange(COMPONENTS), COMPONENTS + columns])
        members = []
        for member in self.members:
            moved = dict(member)
            for name, values in member.items():
                if name.startswith("in."):
                    moved[name] = values[rows]
            for name in ("out", "out_bias", "trust"):
                moved[name] = member[name][..., columns]
            members.append(moved)
        return replace(
            self, members=tuple(members), slope=self.slope[columns], offset=self.offset[columns],
            taught=self.taught[columns],
        )

    def tensors(self) -> dict[str, NDArray]:
        """See ``fusing.FittedFusion``."""
        kept: dict[str, NDArray] = {
            "net.slope": self.slope,
            "net.offset": self.offset,
            "net.taught": self.taught.astype(np.uint8),
            "net.members": np.array([len(self.members)], np.int64),
        }
        for name, projection in self.projections.items():
            kept[f"net.mean.{name}"] = projection.mean
            kept[f"net.matrix.{name}"] = np.ascontiguousarray(projection.matrix)
        for index, member in enumerate(self.members):
            for name, values in member.items():
                kept[f"net.{index}.{name}"] = np.ascontiguousarray(values)
        return kept

    @classmethod
    def restored(cls, modalities: tuple[str, ...], tensors: Mapping[str, NDArray]) -> Self:
        """See ``fusing.FittedFusion``."""
        means = {
            name.removeprefix("net.mean."): values
            for name, values in tensors.items()
            if name.startswith("net.mean.")
        }
        members = []
        for index in range(int(tensors["net.members"][0])):
            begin = f"net.{index}."
            members.append(
                {k.removeprefix(begin): v for k, v in tensors.items() if k.startswith(begin)}
            )
        return cls(
            modalities,
            {n: Projection(mean, tensors[f"net.matrix.{n}"]) for n, mean in means.items()},
            tuple(members),
            tensors["net.slope"],
            tensors["net.offset"],
            tensors["net.taught"].astype(bool),
        )


def inputs_of(
    network: FittedNetwork, evidence: Mapping[str, Floats], features: Mapping[str, Array]
) -> dict[str, Array]:
    """What the network reads of n cases (see ``FittedNetwork.forward``)."""
    found: dict[str, Array] = {}
    for m in network.modalities:
        vector = network.projections[m].apply(features[m])
        found[m] = np.hstack([vector, evidence[m]]).astype(np.float32)
        if not network.parts:
            continue
        name = m + PARTS
        if name in network.projections:
            rows = features[name].astype(np.float32)
            width = len(network.projections[name].mean)
            parts = rows.reshape(len(rows), -1, width)
            there = np.abs(parts).sum(axis=2) > 0
            there[~there.any(axis=1), 0] = True
            found[f"{m}.parts"] = network.projections[name].apply(parts)
            found[f"{m}.there"] = there.astype(np.float32)
        else:  # what has no parts is one part
            found[f"{m}.parts"] = vector[:, None, :].astype(np.float32)
            found[f"{m}.there"] = np.ones((len(vector), 1), np.float32)
    return found


def fit_network(
    kind: type[FittedNetwork], material: Material
) -> Generator[None, None, FittedNetwork]:
    """Train one member a fold and calibrate their mean."""
    seed, findings = material.inputs.seed, material.truth.shape[1]
    known = ~np.isnan(material.truth)
    present = (material.truth == 1).sum(axis=0)
    taught = np.minimum(present, known.sum(axis=0) - present) >= _LEAST_LABELS
    projections = {}
    for name in material.modalities:
        projections[name] = Projection.of(material.features(name), seed=seed)
        yield
        part = name + PARTS
        if kind.parts and part in material.inputs.features:
            width = material.inputs.part_widths[name]
            rows = material.features(part).astype(np.float32).reshape(-1, width)
            projections[part] = Projection.of(rows[np.abs(rows).sum(axis=1) > 0], seed=seed)
            yield
    ones, zeros = np.ones(findings), np.zeros(findings)
    empty = kind(material.modalities, projections, (), ones, zeros, taught)
    folds = np.unique(material.folds)
    if not taught.any() or len(folds) < 2:
        return empty
    features = {name: material.features(name) for name in projections}
    inputs = inputs_of(empty, material.evidence, features)
    held_out = np.full(material.truth.shape, np.nan)
    trust = np.log(np.maximum(soft_shares(material), _LEAST_TRUST)).astype(np.float32)
    members = []
    for number, fold in enumerate(folds):
        inside = material.folds == fold
        rng = np.random.default_rng([seed, number])
        member, logits = yield from _train(kind, material, inputs, inside, trust, rng)
        members.append(member)
        held_out[inside] = material.prior + logits
    scale = calibrate(held_out, material.truth, (known & taught).astype(np.float64))
    return replace(
        empty, members=tuple(members), slope=scale.slope, offset=scale.offset
    )


def _train(
    kind: type[FittedNetwork], material: Material, inputs: Mapping[str, Array],
    inside: NDArray[np.bool_], trust: Array, rng: np.random.Generator,
) -> Generator[None, None, tuple[dict[str, Array], Floats]]:
    """One member: trained outside the fold, stopped by the fold; returns its parameters and its
    logits (less the prior) inside."""
    import torch

    start = kind.start(material.modalities, material.truth.shape[1], rng)
    start["out_bias"] = np.zeros(material.truth.shape[1], np.float32)
    start["trust"] = trust
    params = {name: torch.tensor(values, requires_grad=True) for name, values in start.items()}
    optimiser = torch.optim.AdamW(list(params.values()), lr=_RATE, weight_decay=_DECAY)
    tensors = {name: torch.from_numpy(values) for name, values in inputs.items()}
    truth = torch.from_numpy(np.nan_to_num(material.truth).astype(np.float32))
    seen = torch.from_numpy((~np.isnan(material.truth)).astype(np.float32))
    prior = torch.from_numpy(material.prior.astype(np.float32))
    outside = np.flatnonzero(~inside)
    within = torch.from_numpy(np.flatnonzero(inside))
    watched = {name: values[within] for name, values in tensors.items()}
    best, best_loss, waited = dict(start), np.inf, 0
    size = max(_BATCH, -(-len(outside) // _STEPS))
    for _ in range(_EPOCHS):
        order = rng.permutation(outside)
        for begin in range(0, len(order), size):
            rows = torch.from_numpy(order[begin : begin + size])
            batch = _dropped({k: v[rows] for k, v in tensors.items()}, material.modalities, rng)
            logits = prior + kind.forward(torch, material.modalities, params, batch)
            loss = _loss(logits, truth[rows], seen[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield
        with torch.no_grad():
            logits = prior + kind.forward(torch, material.modalities, params, watched)
            held = float(_loss(logits, truth[within], seen[within]))
        waited += 1
        if held < best_loss - 1e-4:
            best = {name: values.detach().numpy().copy() for name, values in params.items()}
            best_loss, waited = held, 0
        if waited >= _PATIENCE:
            break
    chosen = {name: values[np.flatnonzero(inside)] for name, values in inputs.items()}
    return best, kind.forward(np, material.modalities, best, chosen).astype(np.float64)


def _loss(logits: Any, truth: Any, seen: Any) -> Any:
    """Mean log-loss over the labels that are there."""
    import torch

    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (losses * seen).sum() / seen.sum().clamp(min=1.0)


def _dropped(
    batch: dict[str, Any], modalities: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """The batch with whole modalities zeroed here and there, never all of a case."""
    import torch

    count = len(next(iter(batch.values())))
    gone = rng.random((count, len(modalities))) < _DROPPED
    gone[gone.all(axis=1)] = False
    for position, m in enumerate(modalities):
        keep = torch.from_numpy((~gone[:, position]).astype(np.float32))
        batch[m] = batch[m] * keep[:, None]
        if f"{m}.parts" in batch:
            batch[f"{m}.parts"] = batch[f"{m}.parts"] * keep[:, None, None]
    return batch


def weighed(
    xp: Any, params: Mapping[str, Any], inputs: Mapping[str, Any], modalities: Sequence[str]
) -> Any:
    """(n, findings) evidence, weighed by the softmax of ``trust`` over the modalities."""
    trust = xp.exp(params["trust"])
    believed = sum(trust[at] * inputs[m][:, COMPONENTS:] for at, m in enumerate(modalities))
    return believed / trust.sum(0)


def attended(xp: Any, scores: Any, there: Any) -> Any:
    """(…, parts) weights that sum to 1 over the parts that are ``there``."""
    scores = scores - 30.0 * (1.0 - there)
    scores = xp.exp(scores - xp.amax(scores, -1, keepdims=True))
    return scores / scores.sum(-1, keepdims=True)


def sigmoid(xp: Any, values: Any) -> Any:
    """The logistic function of numpy's or torch's arrays."""
    return 0.5 * xp.tanh(0.5 * values) + 0.5


def layer(rng: np.random.Generator, rows: int, columns: int) -> Array:
    """Weights of one layer before training (Glorot & Bengio 2010)."""
    return (rng.standard_normal((rows, columns)) * np.sqrt(2.0 / (rows + columns))).astype(
        np.float32
    )


class NetworkFusion(Fusion):
    """A fusion that is a network: a subclass names it, its ``fitted`` and what it ``reads``."""

    fitted: ClassVar[type[FittedNetwork]]
    slow = True

    def fit(
        self, material: Material, *, weight: LambdaChoice
    ) -> Generator[None, None, FittedNetwork]:
        """See ``fusing.Fusion``. There is no λ: ``weight`` is not looked at."""
        return (yield from fit_network(self.fitted, material))
