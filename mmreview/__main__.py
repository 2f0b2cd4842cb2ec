"""``python -m mmreview``: the same entry as the ``mmreview`` command, safe in a frozen program."""

import multiprocessing

from mmreview.cli import main

if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
