"""The pages of the Insights dialog: the queue against chance, versions, pace, what was changed."""
