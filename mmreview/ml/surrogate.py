"""What cases that are left out of a fit would have said, to first order.

A fit on some cases stands for a fit on all (``replay``) where a solution near by is known: the
parent's. There the gradients of both are known exactly, and their difference is a linear term that
the smaller fit gets: it then has the gradient of the whole at the parent's weights, and only its
curvature is taken from some of the cases (the surrogate likelihood of Jordan, Lee & Yang 2019,
section 3). One pass over all features, as one iteration of the whole fit takes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.solver import Columns, Trace, intercept_step, sigmoid
from mmreview.ml.standards import Standard

Array = NDArray[np.float32]

_BLOCK = 1024
_SETTLING = 4


def left_out(
    features: Array, rows: NDArray[np.intp], standard: Standard, places: Sequence[slice],
    columns: Columns, excess: Array, starts: Sequence[tuple[Array, Array]],
) -> Generator[Trace, None, list[tuple[Array, Array]]]:
    """For each block (width, c) and (c,): how the gradients by weights and intercepts of the fit on
    some cases differ from those on all ``rows``, at its start.

    ``columns`` are the problems on all of them, ``excess`` (rows, c) by how much more than once
    each label counts in the fit on some: -1 where it is left out.
    """
    shape = columns.targets.shape
    residuals = [np.empty(shape, np.float32) for _ in places]
    for begin in range(0, len(rows), _BLOCK):
        block = yield from standard.apply(features, rows[begin : begin + _BLOCK])
        for margins, place, (weights, _) in zip(residuals, places, starts, strict=True):
            margins[begin : begin + _BLOCK] = block[:, place] @ weights
    found = []
    for margins, (weights, start) in zip(residuals, starts, strict=True):
        bias = start.copy()
        margins += bias
        for _ in range(_SETTLING):
            shift = yield from intercept_step(columns, margins, bias)
            bias += shift
            margins += shift
        margins[:] = (sigmoid(margins) - columns.targets) * columns.weights * excess
        found.append((np.zeros(weights.shape, np.float32), margins.sum(axis=0)))
    for begin in range(0, len(rows), _BLOCK):
        block = yield from standard.apply(features, rows[begin : begin + _BLOCK])
        for residual, place, (slope, _) in zip(residuals, places, found, strict=True):
            slope += block[:, place].T @ residual[begin : begin + _BLOCK]
    return found
