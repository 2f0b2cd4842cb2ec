"""The program's entry: ``mmreview`` and ``python -m mmreview``, safe in a frozen program.

Opening the window is what is done most, and start-up is a feature: where nothing but a project is
named, the command line's library is not imported at all. Everything else is ``cli``'s.
"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path


def main() -> None:
    """Open the window at once if that is all that is asked, else let ``cli`` read the words."""
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


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
