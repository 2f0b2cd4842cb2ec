"""Why something cannot be built or packed: a sentence for the person who builds.

The installer room is run by developers in a checkout and never shipped, so its sentences stand in
the code and not in the catalogues that are translated for readers.
"""


class PackagingRefused(Exception):
    """What is wrong and how to mend it, in one sentence."""
