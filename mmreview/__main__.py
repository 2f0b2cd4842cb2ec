"""The program's entry: ``mmreview`` and ``python -m mmreview``, safe in a frozen program.

Opening the window is what is done most, and start-up is a feature: where nothing but a project is
named, the command line's library is not imported at all. Everything else is ``cli``'s.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path


def main() -> None:
    """Open the window at once if that is all that is asked, else let ``cli`` read the words."""
    _give_streams()
    _free_children()
    words = sys.argv[1:]
    if not words or (len(words) == 1 and (Path(words[0]) / "project.sqlite").exists()):
        from mmreview import app
        from mmreview.domain.errors import MmreviewError

        try:
            raise SystemExit(app.run(Path(words[0]) if words else None))
        except MmreviewError:
            pass  # cli says the same and ends with the contract's exit code
    from mmreview.cli import main as read_words

    read_words()


def _give_streams() -> None:
    """A windowed program on Windows has no streams; libraries that print must not fail for it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _free_children() -> None:
    """A frozen program on Linux finds its libraries by a variable that other programs (a file
    manager that we open) would inherit; the loader has read it already."""
    if getattr(sys, "frozen", False) and "LD_LIBRARY_PATH" in os.environ:
        before = os.environ.pop("LD_LIBRARY_PATH_ORIG", "")
        if before:
            os.environ["LD_LIBRARY_PATH"] = before
        else:
            del os.environ["LD_LIBRARY_PATH"]


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
