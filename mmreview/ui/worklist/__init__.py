"""The worklist: the left column of the review page. ``panel`` is what a page puts there."""
