"""One generator inside another that tells of its progress in other words.

``yield from`` passes steps on as they are; a round of training, an evaluation and a search each
have steps of their own. Closing the outer generator closes the inner one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

Inner = TypeVar("Inner")
Outer = TypeVar("Outer")
Result = TypeVar("Result")


def relay(
    work: Generator[Inner, None, Result], tell: Callable[[Inner], Outer]
) -> Generator[Outer, None, Result]:
    """Run ``work``, yielding what ``tell`` makes of each of its steps; returns what it returns."""
    try:
        while True:
            try:
                step = next(work)
            except StopIteration as done:
                result: Result = done.value
                return result
            yield tell(step)
    finally:
        work.close()
