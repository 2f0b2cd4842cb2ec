"""A generator inside another: its steps in other words, its result, its end with the other's."""

import pytest

from mmreview.ml.relay import relay


def test_steps_are_told_in_other_words_and_the_result_comes_back():
    closed = []

    def work():
        try:
            yield 1
            yield 2
            return "done"
        finally:
            closed.append(True)

    relayed = relay(work(), lambda step: 10 * step)
    assert [next(relayed), next(relayed)] == [10, 20]
    with pytest.raises(StopIteration) as end:
        next(relayed)
    assert end.value.value == "done"
    cancelled = relay(work(), str)
    assert next(cancelled) == "1"
    cancelled.close()
    assert closed == [True, True]
