"""Numbers in 16 bits come back as they would by numpy's own conversion."""

from __future__ import annotations

import numpy as np
import pytest

from mmreview.ml.packing import pack, widen


def test_every_finite_half_is_widened_to_the_bit() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(-1, 31)
    found = np.full(finite.shape, np.nan, np.float32)
    widen(finite, found)
    assert found.tobytes() == finite.astype(np.float32).tobytes()


@pytest.mark.parametrize("damage", [np.inf, -np.inf, np.nan, -np.nan])
def test_what_is_no_finite_number_stays_none(damage: float) -> None:
    rows = np.linspace(-3, 3, 200 * 7, dtype=np.float16).reshape(200, 7)
    rows[130, 2] = damage
    found = np.empty(rows.shape, np.float32)
    widen(rows, found)
    np.testing.assert_array_equal(found, rows.astype(np.float32))


def test_wider_rows_and_columns_of_a_wider_matrix() -> None:
    rng = np.random.default_rng(0)
    for kind in (np.float16, np.float32):
        rows = rng.standard_normal((150, 5)).astype(kind)
        room = np.zeros((150, 9), np.float32)
        widen(rows, room[:, :5])
        np.testing.assert_array_equal(room[:, :5], rows.astype(np.float32))
        assert not room[:, 5:].any()
        widen(rows[:0], room[:0, :5])


def test_a_block_gives_rows_back_in_a_run_and_in_any_order() -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((300, 12)).astype(np.float32)
    rows[:, 8:] *= rng.random((300, 4)) < 0.3
    hashes = np.frombuffer(rng.bytes(32 * 300), "V32")
    block = pack(hashes, rows, stored="float16", sparse=4)
    wanted = rows.copy()
    wanted[:, :8] = rows[:, :8].astype(np.float16)
    for sources in (np.arange(20, 290), rng.permutation(300)):
        found = np.empty((len(sources), 12), np.float32)
        block.rows.copy(sources, found)
        np.testing.assert_array_equal(found, wanted[sources])
