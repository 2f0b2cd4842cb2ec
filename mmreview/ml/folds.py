"""Folds that keep a patient group together and every finding's labels spread evenly.

A group that a parent version already placed keeps its fold (``known``), so that a fold's model can
be warm-started from the parent's model of the same fold without ever having seen the rows that it
is measured on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

#: How many folds cross-fitting uses when the groups allow it.
FOLDS = 5


def assign(
    groups: Sequence[str],
    targets: NDArray[np.float32],
    *,
    folds: int = FOLDS,
    seed: int,
    known: Mapping[str, int] | None = None,
) -> NDArray[np.int8]:
    """The fold (0 to folds - 1) of each row; rows of one group share it.

    Greedy and stratified (after Sechidis 2011): groups go, the largest first, to the fold that
    lacks most of what they bring: present labels of each finding (rare ones count more), and rows.
    Fewer groups than folds give as many folds as there are groups; rows of one single group are
    split by row, since there is nothing better.
    """
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if len(names) < 2:
        names, member = np.arange(len(member)).astype(str), np.arange(len(member))
        known = None
    folds = max(1, min(folds, len(names)))
    present = np.nan_to_num(targets, nan=0.0)
    content = np.column_stack([present, np.ones(len(present), np.float32)]).astype(np.float64)
    content /= np.maximum(content.sum(axis=0), 1.0)
    carried = np.zeros((len(names), content.shape[1]))
    np.add.at(carried, member, content)
    sizes = np.bincount(member, minlength=len(names))
    fold_of = np.full(len(names), -1, np.int8)
    load = np.zeros((folds, content.shape[1]))
    for index, name in enumerate(names):
        fold = (known or {}).get(str(name), -1)
        if 0 <= fold < folds:
            fold_of[index] = fold
            load[fold] += carried[index]
    shuffled = np.random.default_rng(seed).permutation(len(names))
    for index in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        if fold_of[index] < 0:
            # Least of what this group brings; rows break ties among groups without findings.
            lack = load @ carried[index] / carried[index].sum() + load[:, -1]
            fold = int(np.argmin(lack))
            fold_of[index] = fold
            load[fold] += carried[index]
    return fold_of[member]
